import { expect, test } from "vitest";
import type { KpiDay, KpiTotal } from "../api/types";
import { compare, growth, tilesOf, timesOf, trendsOf } from "./kpis";

const TOTAL: KpiTotal = {
  sign_ins: 0,
  failed_sign_ins: 0,
  failed_sign_in_rate: null,
  lockouts: 0,
  password_compliance: null,
  closed_incidents: 0,
  detection_accuracy: null,
  query_milliseconds: null,
  connections: null,
  max_connections: null,
  index_use: null,
  database_bytes: null,
};

const DAY: KpiDay = {
  day: "2026-03-01",
  sign_ins: 0,
  failed_sign_ins: 0,
  lockouts: 2,
  people: null,
  compliant_people: null,
  confirmed_incidents: 3,
  false_incidents: 1,
  system: null,
};

test("a tenant has four figures, and what is not known says what to do", () => {
  const tiles = tilesOf(TOTAL, null);
  expect(tiles.map((tile) => tile.value)).toEqual(["–", "0", "–", "–"]);
  expect(tiles[3]?.note).toBe("close incidents, and this is known");
  expect(compare(TOTAL, undefined).map((row) => row.before)).toEqual(["–", "–", "–", "–"]);
});

test("the installation has eight, and colours what wants somebody", () => {
  const storage = {
    days: 9,
    database_bytes: 2_000_000,
    bytes_per_day: 1_500_000,
    in_30_days: 47_000_000,
    disk_use: 0.8,
    full_on: "2026-04-01",
  };
  const tiles = tilesOf(
    { ...TOTAL, connections: 90, max_connections: 100, query_milliseconds: 1.234, database_bytes: 1 },
    storage,
  );
  expect(tiles).toHaveLength(8);
  expect(tiles[4]?.value).toBe("1.23 ms");
  expect(tiles[5]).toMatchObject({ value: "90 of 100", tone: "danger" });
  expect(tiles[7]).toMatchObject({ value: "2.0 MB", note: "+1.5 MB a day", tone: "medium" });
  expect(growth({ ...storage, bytes_per_day: null })).toContain("three days");
});

test("days without attempts or closings are holes", () => {
  const trends = trendsOf([DAY]);
  expect(trends.map((trend) => trend.values[0])).toEqual([null, 2, null, 75]);
  expect(timesOf([DAY])).toEqual([Date.parse("2026-03-01T12:00:00Z")]);
});
