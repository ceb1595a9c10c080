import { describe, expect, test } from "vitest";
import type { CoverageGapView } from "../api/types";
import { kindOf, lengthOf, spansOf, watchedShare } from "./coverage";

const at = (minute: number) => new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString();
const FROM = Date.parse(at(0));
const TO = Date.parse(at(100));

function gap(
  reason: string,
  from: number,
  to: number | null,
  more: Partial<CoverageGapView> = {},
): CoverageGapView {
  return {
    gap_id: `${reason}-${from}`,
    reason,
    cause: null,
    area: "",
    noticed_by: "server",
    from_at: at(from),
    to_at: to === null ? null : at(to),
    lost_records: null,
    gap_count: 1,
    detail: null,
    meaning: "m",
    advice: "a",
    ...more,
  };
}

describe("coverage", () => {
  test("what several gaps cover counts once, and a network that was down loses nothing", () => {
    expect(watchedShare([], FROM, TO)).toBe(1);
    const both = [gap("offline", 10, 30, { cause: "agent" }), gap("agent_killed", 12, 29)];
    expect(watchedShare(both, FROM, TO)).toBeCloseTo(0.8);
    expect(watchedShare([gap("offline", 10, 30, { cause: "network" })], FROM, TO)).toBe(1);
    expect(watchedShare([gap("offline", 90, null)], FROM, TO)).toBeCloseTo(0.9);
    expect(
      watchedShare([gap("offline", -50, 50, { cause: "host" }), gap("host_down", 40, 150)], FROM, TO),
    ).toBe(0);
  });

  test("spans lie within the range, are wide enough to be seen, and share a row by kind", () => {
    const rows = spansOf(
      [gap("agent_killed", 99, 99), gap("agent_killed", 5, 6), gap("clock_skew", 50, null)],
      FROM,
      TO,
    );
    expect(rows.map((row) => [row.label, row.spans.length])).toEqual([
      ["Agent killed", 2],
      ["Clock is wrong", 1],
    ]);
    for (const span of rows.flatMap((row) => row.spans)) {
      expect(span.width).toBeGreaterThanOrEqual(0.4);
      expect(span.left).toBeGreaterThanOrEqual(0);
      expect(span.left + span.width).toBeLessThanOrEqual(100);
    }
    expect(spansOf([gap("clock_skew", -20, -10)], FROM, TO)).toEqual([]);
  });

  test("every reason has words, unknown ones too", () => {
    expect(kindOf(gap("collector_off", 1, 2, { area: "file" })).label).toBe("Not watched: file");
    expect(kindOf(gap("source_overflow", 1, 2)).label).toBe("Source overflow");
    expect(kindOf(gap("offline", 1, null)).label).toBe("Offline");
    expect([0, 59, 60, 125, 60 * 24, 60 * 27].map((minutes) => lengthOf(gap("x", 0, minutes), TO))).toEqual([
      "0 s",
      "59 min",
      "1 h",
      "2 h 5 min",
      "1 d",
      "1 d 3 h",
    ]);
  });
});
