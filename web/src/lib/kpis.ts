/** The key figures: what each is called, how it is said, and when it wants somebody. */
import type { KpiDay, KpiTotal, StorageForecast } from "../api/types";
import type { Tone } from "./Badge.svelte";
import { bytes, count, percent, plural } from "./format";

export interface Tile {
  label: string;
  value: string;
  note: string;
  tone?: Tone | undefined;
}

export interface Trend {
  title: string;
  max?: number;
  format: (value: number | null | undefined) => string;
  values: (number | null)[];
}

const DAY = 24 * 60 * 60 * 1000;

/** A share of 0–1 as a percentage with a decimal. */
export function part(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : percent(value * 100);
}

export function milliseconds(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  return value < 10 ? `${value.toFixed(2)} ms` : `${value.toFixed(0)} ms`;
}

function whole(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : count(Math.round(value));
}

/** The figures of some days together, as tiles. */
export function tilesOf(total: KpiTotal, storage: StorageForecast | null | undefined): Tile[] {
  const tiles: Tile[] = [
    {
      label: "Failed sign-ins",
      value: part(total.failed_sign_in_rate),
      note:
        total.sign_ins === 0
          ? "nobody tried to sign in"
          : `${count(total.failed_sign_ins)} of ${plural(total.sign_ins, "attempt")}`,
    },
    {
      label: "Lockouts",
      value: count(total.lockouts),
      note: total.lockouts === 0 ? "no account was locked" : "after wrong passwords",
      tone: total.lockouts > 0 ? "medium" : "ok",
    },
    {
      label: "Passwords in order",
      value: part(total.password_compliance),
      note: "not too old, and no change owed",
      tone:
        total.password_compliance === null || total.password_compliance === undefined
          ? undefined
          : total.password_compliance < 1
            ? "medium"
            : "ok",
    },
    {
      label: "Real incidents",
      value: part(total.detection_accuracy),
      note:
        total.closed_incidents === 0
          ? "close incidents, and this is known"
          : `of ${plural(total.closed_incidents, "closed incident")}`,
    },
  ];
  if (!storage) return tiles;
  const open = total.connections ?? 0;
  const most = total.max_connections ?? 0;
  tiles.push(
    {
      label: "Average query",
      value: milliseconds(total.query_milliseconds),
      note:
        total.query_milliseconds === null || total.query_milliseconds === undefined
          ? "PostgreSQL counts none yet"
          : "statements of requests",
      tone: (total.query_milliseconds ?? 0) > 1000 ? "danger" : undefined,
    },
    {
      label: "Connections",
      value: most ? `${open} of ${most}` : "–",
      note: "the most at once",
      tone: most && open / most > 0.8 ? "danger" : undefined,
    },
    { label: "Use of indexes", value: part(total.index_use), note: "of the rows that were read" },
    {
      label: "Database",
      value: bytes(storage.database_bytes),
      note: growth(storage),
      tone: storage.full_on ? "medium" : undefined,
    },
  );
  return tiles;
}

/** How storage grows, in a few words. */
export function growth(storage: StorageForecast): string {
  if (storage.bytes_per_day === null || storage.bytes_per_day === undefined)
    return "growth is known after three days";
  const sign = storage.bytes_per_day < 0 ? "" : "+";
  return `${sign}${bytes(storage.bytes_per_day)} a day`;
}

/** The days as lines over time. */
export function trendsOf(days: readonly KpiDay[]): Trend[] {
  const share = (value: number, of: number) => (of > 0 ? (value * 100) / of : null);
  const column = (read: (day: KpiDay) => number | null | undefined) => days.map((day) => read(day) ?? null);
  const trends: Trend[] = [
    {
      title: "Failed sign-ins",
      max: 100,
      format: (value) => percent(value, 0),
      values: column((day) => share(day.failed_sign_ins, day.sign_ins)),
    },
    { title: "Lockouts", format: whole, values: column((day) => day.lockouts) },
    {
      title: "Passwords in order",
      max: 100,
      format: (value) => percent(value, 0),
      values: column((day) => share(day.compliant_people ?? 0, day.people ?? 0)),
    },
    {
      title: "Real incidents",
      max: 100,
      format: (value) => percent(value, 0),
      values: column((day) => share(day.confirmed_incidents, day.confirmed_incidents + day.false_incidents)),
    },
  ];
  if (!days.some((day) => day.system)) return trends;
  trends.push(
    { title: "Average query", format: milliseconds, values: column((day) => day.system?.query_milliseconds) },
    { title: "Most connections", format: whole, values: column((day) => day.system?.connections) },
    {
      title: "Use of indexes",
      max: 100,
      format: (value) => percent(value, 0),
      values: column((day) => {
        const use = day.system?.index_use;
        return use === null || use === undefined ? null : use * 100;
      }),
    },
    { title: "Database", format: bytes, values: column((day) => day.system?.database_bytes) },
  );
  return trends;
}

/** The middle of each day, in milliseconds. */
export function timesOf(days: readonly KpiDay[]): number[] {
  return days.map((day) => Date.parse(day.day) + DAY / 2);
}

export interface Comparison {
  label: string;
  week: string;
  before: string;
}

/** A week beside the week before. */
export function compare(week: KpiTotal, before: KpiTotal | null | undefined): Comparison[] {
  const rows: [string, (total: KpiTotal) => string][] = [
    [
      "Failed sign-ins",
      (total) =>
        `${part(total.failed_sign_in_rate)} (${count(total.failed_sign_ins)} of ${count(total.sign_ins)})`,
    ],
    ["Lockouts", (total) => count(total.lockouts)],
    ["Passwords in order", (total) => part(total.password_compliance)],
    [
      "Real incidents",
      (total) => `${part(total.detection_accuracy)} of ${count(total.closed_incidents)} closed`,
    ],
  ];
  if (week.database_bytes !== null && week.database_bytes !== undefined) {
    rows.push(
      ["Average query", (total) => milliseconds(total.query_milliseconds)],
      ["Most connections", (total) => `${whole(total.connections)} of ${whole(total.max_connections)}`],
      ["Use of indexes", (total) => part(total.index_use)],
      ["Database", (total) => bytes(total.database_bytes)],
    );
  }
  return rows.map(([label, say]) => ({ label, week: say(week), before: before ? say(before) : "–" }));
}
