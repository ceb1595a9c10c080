import type { Permission, RoleView } from "../api/types";

/** The roles that somebody may hand out: none that may do what they may not. The server decides; this keeps what it would refuse out of sight. */
export function grantableRoles(
  roles: readonly RoleView[],
  own: readonly Permission[],
  ownRole: string,
): RoleView[] {
  const mine = roles.find((one) => one.role === ownRole);
  const rank = (role: RoleView | undefined) => RANK.indexOf(role?.based_on ?? "user");
  return roles.filter(
    (one) =>
      rank(one) <= rank(mine) &&
      (one.scope === "own" || mine?.scope === "tenant") &&
      one.permissions.every((permission) => own.includes(permission)),
  );
}

/** The documented roles, from least to most. */
export const RANK: readonly RoleView["based_on"][] = ["user", "manager", "admin", "system_admin"];
