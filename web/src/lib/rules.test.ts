import { expect, test } from "vitest";
import { addReports, batches, diffLines, isRuleFile, lineRange, ruleHref, STARTERS, starter } from "./rules";

const shown = (before: string, after: string) =>
  diffLines(before, after).map(({ kind, text }) => `${{ same: " ", added: "+", removed: "-" }[kind]}${text}`);

test("a difference keeps what both texts have", () => {
  expect(shown("a\nb\nc\n", "a\nx\nc\n")).toEqual([" a", "-b", "+x", " c"]);
  expect(shown("a\nb\nc\nd", "b\nc\ne\nd")).toEqual(["-a", " b", " c", "+e", " d"]);
  expect(shown("", "a\nb")).toEqual(["+a", "+b"]);
  expect(shown("a\n", "a")).toEqual([" a"]);
  expect(shown("a\na\na", "a\na")).toEqual([" a", " a", "-a"]);
});

test("long texts are compared without filling the memory", () => {
  const long = (word: string) => Array.from({ length: 5_000 }, (_, n) => `${word}${n}`).join("\n");
  const lines = diffLines(`same\n${long("a")}`, `same\n${long("b")}`);
  expect(lines.length).toBe(10_001);
  expect(lines[0]?.kind).toBe("same");
});

test("files are told by their endings and grouped as the server takes them", () => {
  expect(["a.yml", "b.yaml", "c.yar", "d.yara", "e.csv", "f.json"].every(isRuleFile)).toBe(true);
  expect(["README.md", "yml", "a.yml.bak"].some(isRuleFile)).toBe(false);
  const files = Array.from({ length: 450 }, (_, n) => ({ path: `${n}.yml`, text: "x" }));
  expect(batches(files).map((group) => group.length)).toEqual([200, 200, 50]);
  expect(batches(files).flat()).toEqual(files);
  const large = ["a", "b"].map((path) => ({ path, text: "ä".repeat(150_000) }));
  expect(batches(large).length).toBe(2);
  expect(batches([])).toEqual([]);
});

test("reports add up", () => {
  const one = { imported: 1, updated: 2, unchanged: 3, refused: 4, items: [] };
  expect(addReports(one, one)).toEqual({ imported: 2, updated: 4, unchanged: 6, refused: 8, items: [] });
});

test("a line is found in its text, and an id in its address", () => {
  expect(lineRange("ab\ncde\nf", 2)).toEqual([3, 6]);
  expect(lineRange("ab\ncde\nf", 9)[0]).toBeGreaterThanOrEqual(8);
  expect(ruleHref("indicators:a/b?.csv")).toBe("/threats/rules/indicators%3Aa%2Fb%3F.csv");
  for (const kind of Object.keys(STARTERS) as (keyof typeof STARTERS)[]) {
    expect(starter(kind, "new-id")).not.toContain("%ID%");
  }
});
