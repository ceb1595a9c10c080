/** The arithmetic of the charts: positions, marks and paths. */
import { dayOfMonth, timeOfDay } from "../format";

export interface Mark {
  at: number;
  label: string;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const TIME_STEPS = [
  MINUTE,
  2 * MINUTE,
  5 * MINUTE,
  10 * MINUTE,
  15 * MINUTE,
  30 * MINUTE,
  HOUR,
  2 * HOUR,
  3 * HOUR,
  6 * HOUR,
  12 * HOUR,
  DAY,
  2 * DAY,
  7 * DAY,
];

/** Maps `from`–`to` onto `start`–`end`. */
export function linear(from: number, to: number, start: number, end: number): (value: number) => number {
  const span = to - from || 1;
  return (value) => start + ((value - from) / span) * (end - start);
}

/** At most `most` round local times between `from` and `to` (milliseconds). */
export function timeMarks(from: number, to: number, most: number): Mark[] {
  const step = TIME_STEPS.find((size) => (to - from) / size <= most) ?? 7 * DAY;
  const offset = new Date(to).getTimezoneOffset() * MINUTE;
  const first = Math.ceil((from - offset) / step) * step + offset;
  const marks: Mark[] = [];
  for (let at = first; at <= to; at += step) {
    marks.push({ at, label: step >= DAY ? dayOfMonth(at) : timeOfDay(at) });
  }
  return marks;
}

/** The smallest of 1, 2, 2.5, 5 × 10ⁿ (at least 1) that holds `value`. */
export function niceCeiling(value: number): number {
  if (!(value > 1)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= value) ?? 10) * power;
}

/** The smallest of 2, 4, 6, 8, 10 × 10ⁿ (at least 4) that holds a count, so that its half is a whole number too. */
export function countCeiling(value: number): number {
  if (value <= 4) return 4;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 4, 6, 8, 10].find((factor) => factor * power >= value && factor * power > 5) ?? 10) * power;
}

/** A line through the points; breaks where a value is missing or more than `gap` milliseconds have none. */
export function linePath(
  times: readonly number[],
  values: readonly (number | null | undefined)[],
  x: (at: number) => number,
  y: (value: number) => number,
  gap: number,
): string {
  let path = "";
  let last: number | undefined;
  for (const [index, at] of times.entries()) {
    const value = values[index];
    if (value === null || value === undefined) continue;
    const joined = last !== undefined && at - last <= gap;
    const point = `${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    // A lone point is a line of no length, which round caps show as a dot.
    path += joined ? `L${point}` : `M${point}L${point}`;
    last = at;
  }
  return path;
}

/** The index of the time nearest to `at`, in ascending `times`; undefined when there are none. */
export function nearestIndex(times: readonly number[], at: number): number | undefined {
  let best: number | undefined;
  for (const [index, time] of times.entries()) {
    const previous = best === undefined ? undefined : times[best];
    if (previous === undefined || Math.abs(time - at) <= Math.abs(previous - at)) best = index;
  }
  return best;
}

/** Lowest, highest and last of the values that exist. */
export function summary(
  values: readonly (number | null | undefined)[],
): { low: number; high: number; last: number } | undefined {
  const known = values.filter((value): value is number => value !== null && value !== undefined);
  const last = known.at(-1);
  return last === undefined ? undefined : { low: Math.min(...known), high: Math.max(...known), last };
}

/** A count for each of the 24 hours that end with the hour of `now`; hours without a row count 0. */
export function fillHours(
  rows: readonly { at: string; count: number }[],
  now: number,
): { at: number; count: number }[] {
  const counts = new Map(rows.map((row) => [Math.floor(Date.parse(row.at) / HOUR), row.count]));
  const current = Math.floor(now / HOUR);
  return Array.from({ length: 24 }, (_, index) => {
    const hour = current - 23 + index;
    return { at: hour * HOUR, count: counts.get(hour) ?? 0 };
  });
}
