import { describe, expect, it } from "vitest";
import { alertFigure, alertLabel, describeAlertRule } from "./alerts";

describe("alerts", () => {
  it("say what was counted and where the limit is", () => {
    expect(alertFigure({ kind: "failed_sign_ins", last_value: 14, threshold: 10 })).toBe(
      "14 attempts, limit 10 attempts",
    );
    expect(alertFigure({ kind: "storage_usage", last_value: 91.25, threshold: 85 })).toBe(
      "91.3 %, limit 85 %",
    );
    expect(alertFigure({ kind: "backup_failure", last_value: 1, threshold: 0 })).toBeUndefined();
  });

  it("have a name even where this console does not know their kind", () => {
    expect(alertLabel("endpoint_offline")).toBe("Endpoint offline");
    expect(alertLabel("made_by_others")).toBe("Made by others");
  });

  it("fire as their rules say", () => {
    const rule = {
      comparison: "above",
      enabled: true,
      evaluated: true,
      inhibited_by: [],
      rule_id: "r",
      severity: "high" as const,
    };
    expect(
      describeAlertRule({
        ...rule,
        kind: "failed_sign_ins",
        threshold: 10,
        window_seconds: 60,
        for_seconds: 0,
      }),
    ).toBe("more than 10 attempts within 1 minute");
    expect(
      describeAlertRule({ ...rule, kind: "slow_queries", threshold: 1, window_seconds: 0, for_seconds: 300 }),
    ).toBe("more than 1 second for 5 minutes");
    expect(
      describeAlertRule({ ...rule, kind: "backup_failure", threshold: 0, window_seconds: 0, for_seconds: 0 }),
    ).toBe("as soon as it happens");
  });
});
