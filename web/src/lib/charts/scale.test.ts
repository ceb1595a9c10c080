import { describe, expect, it } from "vitest";
import {
  countCeiling,
  fillHours,
  linear,
  linePath,
  nearestIndex,
  niceCeiling,
  summary,
  timeMarks,
} from "./scale";

const HOUR = 3_600_000;
const same = (value: number) => value;

describe("a line", () => {
  it("goes through its points", () => {
    expect(linePath([0, 1, 2], [5, 6, 7], same, same, 1)).toBe("M0.0 5.0L0.0 5.0L1.0 6.0L2.0 7.0");
  });

  it("breaks where nothing was measured for too long, and shows a lone point", () => {
    expect(linePath([0, 1, 9], [1, 1, 1], same, same, 2)).toBe("M0.0 1.0L0.0 1.0L1.0 1.0M9.0 1.0L9.0 1.0");
    expect(linePath([0, 1, 2], [1, null, 1], same, same, 1)).toBe("M0.0 1.0L0.0 1.0M2.0 1.0L2.0 1.0");
    expect(linePath([], [], same, same, 1)).toBe("");
  });
});

describe("scales", () => {
  it("map a range, and a range of no length", () => {
    expect(linear(0, 10, 100, 0)(2.5)).toBe(75);
    expect(linear(5, 5, 0, 10)(5)).toBe(0);
  });

  it("end at round numbers", () => {
    expect([0, 1, 1.2, 4, 5.1, 23, 101, 260].map(niceCeiling)).toEqual([1, 1, 2, 5, 10, 25, 200, 500]);
    expect(niceCeiling(Number.NaN)).toBe(1);
  });

  it("of counts have a whole half", () => {
    expect([0, 3, 4, 5, 7, 9, 10, 11, 21, 50, 101].map(countCeiling)).toEqual([
      4, 4, 4, 6, 8, 10, 10, 20, 40, 60, 200,
    ]);
  });

  it("mark round times, no more than asked", () => {
    const from = new Date(2026, 10, 23, 9, 7).getTime();
    const marks = timeMarks(from, from + HOUR, 4);
    expect(marks.map((mark) => mark.label)).toEqual(["09:15", "09:30", "09:45", "10:00"]);
    expect(timeMarks(from, from + 168 * HOUR, 7)).toHaveLength(7);
  });
});

it("the nearest point is found", () => {
  expect(nearestIndex([0, 10, 20], 14)).toBe(1);
  expect(nearestIndex([0, 10, 20], 16)).toBe(2);
  expect(nearestIndex([], 16)).toBeUndefined();
});

it("a summary leaves out what is missing", () => {
  expect(summary([3, null, 1, 2, undefined])).toEqual({ low: 1, high: 3, last: 2 });
  expect(summary([null])).toBeUndefined();
});

it("every hour of the last 24 has a count", () => {
  const now = Date.UTC(2026, 10, 23, 12, 34);
  const hours = fillHours(
    [
      { at: "2026-11-23T12:00:00Z", count: 2 },
      { at: "2026-11-22T13:00:00Z", count: 1 },
    ],
    now,
  );
  expect(hours).toHaveLength(24);
  expect(hours[0]).toEqual({ at: Date.UTC(2026, 10, 22, 13), count: 1 });
  expect(hours[23]).toEqual({ at: Date.UTC(2026, 10, 23, 12), count: 2 });
  expect(hours.reduce((sum, hour) => sum + hour.count, 0)).toBe(3);
});
