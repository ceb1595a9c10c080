import { describe, expect, it } from "vitest";
import type { FindingView } from "../api/types";
import { chosen, describeScope, propose } from "./exceptions";

const finding = (subject: Record<string, unknown>) => ({ subject }) as unknown as FindingView;

describe("exceptions", () => {
  it("propose what was matched on, the telling parts switched on", () => {
    const proposals = propose(
      finding({
        type: "process",
        pid: 42,
        name: "bash",
        image: "/usr/bin/bash",
        command_line: "bash -c x",
        user: "root",
        parent_image: null,
      }),
    );
    expect(proposals.map((one) => [one.field, one.isOn])).toEqual([
      ["user", false],
      ["name", false],
      ["image", true],
      ["command_line", true],
    ]);
    expect(chosen(proposals)).toEqual([
      { field: "image", operator: "is", value: "/usr/bin/bash" },
      { field: "command_line", operator: "is", value: "bash -c x" },
    ]);
  });

  it("propose nothing for what has no properties", () => {
    expect(propose(finding({ type: "endpoint" }))).toEqual([]);
  });

  it("leave out what was emptied", () => {
    expect(chosen([{ field: "path", operator: "is", value: "", isOn: true }])).toEqual([]);
  });

  it("read as words", () => {
    const conditions = [{ field: "path" as const, operator: "begins_with" as const, value: "/srv/" }];
    expect(describeScope({ rule_id: "r", agent_id: "a", conditions }, "EICAR", "web-1")).toEqual([
      "Rule: EICAR",
      "Endpoint: web-1",
      "File begins with /srv/",
    ]);
    expect(describeScope({ conditions })[0]).toBe("Every rule");
  });
});
