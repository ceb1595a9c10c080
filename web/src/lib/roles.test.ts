import { describe, expect, it } from "vitest";
import type { RoleView } from "../api/types";
import { grantableRoles } from "./roles";

function role(name: string, base: RoleView["based_on"], permissions: RoleView["permissions"]): RoleView {
  return {
    role: name,
    based_on: base,
    permissions,
    scope: base === "user" ? "own" : "tenant",
    description: "",
    is_documented: name === base,
    members: 0,
  };
}

describe("grantable roles", () => {
  const roles = [
    role("user", "user", ["incidents_read"]),
    role("admin", "admin", ["incidents_read", "users_manage", "audit_read"]),
    role("system_admin", "system_admin", ["incidents_read", "users_manage", "audit_read", "tenants_manage"]),
    role("helpdesk", "admin", ["users_manage"]),
    role("empty_chief", "system_admin", []),
  ];
  it("leave out what may do more, and what stands above", () => {
    const names = (own: RoleView["permissions"], ownRole: string) =>
      grantableRoles(roles, own, ownRole).map((one) => one.role);
    expect(names(["incidents_read", "users_manage", "audit_read"], "admin")).toEqual([
      "user",
      "admin",
      "helpdesk",
    ]);
    expect(names(["users_manage"], "helpdesk")).toEqual(["helpdesk"]);
    expect(names(["incidents_read"], "user")).toEqual(["user"]);
    expect(names([], "unknown")).toEqual([]);
  });
});
