/** Detection rules: addresses, differences between versions, and files for an import. */
import type { RuleFile, RuleImportReport, RuleKind } from "../api/types";

export const KINDS: readonly RuleKind[] = ["sigma", "yara", "indicator"];
/** What the editor begins with. */
export const STARTERS: Readonly<Record<RuleKind, string>> = {
  sigma: `title: What is found, in a few words
id: %ID%
status: experimental
description: Why it matters.
logsource:
    product: linux
    category: process_creation
detection:
    selection:
        Image|endswith: '/program'
    condition: selection
level: medium
`,
  yara: `rule what_is_found {
    meta:
        id = "%ID%"
        title = "What is found"
        severity = "medium"
    strings:
        $a = "a text that seldom occurs"
    condition:
        $a
}
`,
  indicator: `value,type,severity,source,description
evil.example,domain,high,own sightings,what it is
`,
};

/** The page of a rule. */
export const ruleHref = (id: string) => `/threats/rules/${encodeURIComponent(id)}`;

/** A new text of a kind, with a new id. */
export const starter = (kind: RuleKind, id: string) => STARTERS[kind].replace("%ID%", id);

export interface DiffLine {
  kind: "same" | "added" | "removed";
  text: string;
}

/** Lines that a comparison looks at in full; longer texts are shown as replaced where they differ. */
const MAX_CELLS = 4_000_000;

/** The lines of two texts, in an order that keeps as many as possible. */
export function diffLines(before: string, after: string): DiffLine[] {
  const [a, b] = [splitLines(before), splitLines(after)];
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) tail += 1;
  const same = (lines: string[]): DiffLine[] => lines.map((text) => ({ kind: "same", text }));
  const middle = diffMiddle(a.slice(head, a.length - tail), b.slice(head, b.length - tail));
  return [...same(a.slice(0, head)), ...middle, ...same(a.slice(a.length - tail))];
}

function diffMiddle(a: string[], b: string[]): DiffLine[] {
  if (a.length * b.length > MAX_CELLS) return [...mark("removed", a), ...mark("added", b)];
  // Lengths of the longest common subsequence of what is left of both.
  const width = b.length + 1;
  const longest = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      longest[i * width + j] =
        a[i] === b[j]
          ? (longest[(i + 1) * width + j + 1] ?? 0) + 1
          : Math.max(longest[(i + 1) * width + j] ?? 0, longest[i * width + j + 1] ?? 0);
    }
  }
  const lines: DiffLine[] = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) {
      lines.push({ kind: "same", text: a[i] ?? "" });
      i += 1;
      j += 1;
    } else if ((longest[(i + 1) * width + j] ?? 0) >= (longest[i * width + j + 1] ?? 0)) {
      lines.push({ kind: "removed", text: a[i] ?? "" });
      i += 1;
    } else {
      lines.push({ kind: "added", text: b[j] ?? "" });
      j += 1;
    }
  }
  return [...lines, ...mark("removed", a.slice(i)), ...mark("added", b.slice(j))];
}

const mark = (kind: DiffLine["kind"], lines: string[]): DiffLine[] => lines.map((text) => ({ kind, text }));

function splitLines(text: string): string[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

/** Whether the ending of a file's name says that it holds rules. */
export const isRuleFile = (name: string) => /\.(ya?ml|yara?|csv|json)$/.test(name);

/** What one request takes: files, and bytes of texts, which JSON makes larger. */
const BATCH_FILES = 200;
const BATCH_BYTES = 384 * 1024;

/** Files in their order, in groups that one request takes. */
export function batches(files: readonly RuleFile[]): RuleFile[][] {
  const groups: RuleFile[][] = [];
  let bytes = 0;
  for (const file of files) {
    const own = new Blob([file.text]).size;
    const last = groups.at(-1);
    if (last && last.length < BATCH_FILES && bytes + own <= BATCH_BYTES) {
      last.push(file);
      bytes += own;
    } else {
      groups.push([file]);
      bytes = own;
    }
  }
  return groups;
}

/** Two reports as one. */
export function addReports(a: RuleImportReport, b: RuleImportReport): RuleImportReport {
  return {
    imported: a.imported + b.imported,
    updated: a.updated + b.updated,
    unchanged: a.unchanged + b.unchanged,
    refused: a.refused + b.refused,
    items: [...a.items, ...b.items],
  };
}

/** Where line `line` (from 1) begins and ends in a text. */
export function lineRange(text: string, line: number): [number, number] {
  const lines = text.split("\n");
  const begin = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
  return [begin, begin + (lines[line - 1]?.length ?? 0)];
}
