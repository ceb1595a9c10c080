import { describe, expect, it } from "vitest";
import { isClosed, STATUSES, stepsFrom } from "./workflow";

describe("the workflow", () => {
  it("offers exactly the steps that the server takes", () => {
    const steps = Object.fromEntries(
      STATUSES.map((status) => [status, stepsFrom(status).map((step) => step.to)]),
    );
    expect(steps).toEqual({
      new: ["investigating", "resolved", "false_positive"],
      investigating: ["resolved", "false_positive", "new"],
      resolved: ["investigating"],
      false_positive: ["investigating"],
    });
  });

  it("asks for a word exactly where an incident is closed", () => {
    for (const status of STATUSES) {
      for (const step of stepsFrom(status)) expect(step.wantsNotes).toBe(isClosed(step.to));
    }
  });

  it("has one next step that stands out while work goes on", () => {
    expect(stepsFrom("new").filter((step) => step.primary)).toHaveLength(1);
    expect(stepsFrom("investigating").filter((step) => step.primary)).toHaveLength(1);
  });
});
