import { describe, expect, it } from "vitest";
import { currentItem, NAVIGATION, ROUTES } from "../routes/pages";
import { matchRoute } from "./router.svelte";

const at = (path: string) => {
  const match = matchRoute(ROUTES, path);
  return match && [match.route.pattern, match.params];
};

describe("addresses", () => {
  it("lead to their pages", () => {
    expect(at("/")).toEqual(["/", {}]);
    expect(at("/threats")).toEqual(["/threats", {}]);
    expect(at("/threats/")).toEqual(["/threats", {}]);
    expect(at("/threats/rules")).toEqual(["/threats/rules", {}]);
    expect(at("/threats/0193-a")).toEqual(["/threats/:threatId", { threatId: "0193-a" }]);
    expect(at("/agents/0193-b")).toEqual(["/agents/:agentId", { agentId: "0193-b" }]);
    expect(at("/users/api-keys")).toEqual(["/users/api-keys", {}]);
  });

  it("that no page has, lead nowhere", () => {
    expect(at("/nothing")).toBeUndefined();
    expect(at("/agents/a/b")).toBeUndefined();
    expect(at("/users/somebody")).toBeUndefined();
  });

  it("are decoded, and kept as they are when they cannot be", () => {
    expect(at("/agents/a%20b")).toEqual(["/agents/:agentId", { agentId: "a b" }]);
    expect(at("/agents/%E0%A4%A")).toEqual(["/agents/:agentId", { agentId: "%E0%A4%A" }]);
  });

  it("of the navigation are pages, under the permission that the page wants", () => {
    for (const item of NAVIGATION.flatMap((group) => group.items)) {
      expect(matchRoute(ROUTES, item.href)?.route.permission).toEqual(item.permission);
    }
  });

  it("belong to the longest item of the navigation that they hang under", () => {
    expect(currentItem("/")).toBe("/");
    expect(currentItem("/threats/0193")).toBe("/threats");
    expect(currentItem("/threats/rules")).toBe("/threats/rules");
    expect(currentItem("/users/tenants")).toBe("/users/tenants");
    expect(currentItem("/usersandmore")).toBeUndefined();
    expect(currentItem("/users/me")).toBeUndefined();
  });
});
