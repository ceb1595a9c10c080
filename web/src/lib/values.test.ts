import { describe, expect, it } from "vitest";
import type { IncidentDetail } from "../api/types";
import { auditQuery } from "../routes/audit/query";
import { columnChanges } from "./changes";
import { enrolCommand, expiryAfter, runCommand } from "./enrol";
import { describeEvent } from "./events";
import { evidenceTable, incidentFacts, subjectFacts } from "./evidence";
import { parseEvent } from "./live.svelte";
import { slugFrom } from "./slug";

describe("a row's change", () => {
  it("names every column that differs, and only those", () => {
    expect(
      columnChanges({ status: "new", n: 1, same: [1] }, { status: "resolved", n: 1, same: [1], by: null }),
    ).toEqual([
      { column: "by", before: undefined, after: "null" },
      { column: "status", before: "new", after: "resolved" },
    ]);
  });

  it("of a new row has no before", () => {
    expect(columnChanges(null, { a: { b: 1 } })).toEqual([
      { column: "a", before: undefined, after: '{"b":1}' },
    ]);
  });
});

describe("evidence", () => {
  const file = { type: "file", path: "/tmp/x", sha256: "ab", size: 68, user: "root" };

  it("of a file is its path, hash, size and owner", () => {
    expect(subjectFacts(file).map((fact) => [fact.label, fact.value])).toEqual([
      ["File", "/tmp/x"],
      ["SHA-256", "ab"],
      ["Size", "68 bytes"],
      ["Owner", "root"],
    ]);
  });

  it("of a process leaves out what is not known", () => {
    const facts = subjectFacts({
      type: "process",
      name: "bash",
      command_line: "bash -c x",
      pid: 7,
      user: null,
      image: "",
    });
    expect(facts.map((fact) => fact.label)).toEqual(["Process", "Command line", "Process id"]);
  });

  it("of an incident is completed by its findings, each fact once", () => {
    const incident = {
      file_path: "/tmp/x",
      hash: "ab",
      findings: [{ subject: file }, { subject: file }],
    } as unknown as IncidentDetail;
    expect(incidentFacts(incident).map((fact) => fact.label)).toEqual(["File", "SHA-256", "Size", "Owner"]);
  });
});

describe("what matched", () => {
  it("is a table when it is a list of facts, without the kind that each row repeats", () => {
    const evidence = [
      { type: "field", field: "CommandLine", value: "x" },
      { type: "field", field: "Image", pattern: { endswith: "/sh" } },
    ];
    expect(evidenceTable(evidence)).toEqual({
      columns: ["field", "value", "pattern"],
      rows: [
        ["CommandLine", "x", ""],
        ["Image", "", '{"endswith":"/sh"}'],
      ],
    });
  });

  it("is shown as it is otherwise", () => {
    expect(evidenceTable({ a: 1 })).toBeUndefined();
    expect(evidenceTable([])).toBeUndefined();
    expect(evidenceTable(["a"])).toBeUndefined();
  });
});

describe("events", () => {
  const event = (kind: string, detail: Record<string, unknown>) => ({
    event_id: "e",
    occurred_at: "",
    kind,
    detail,
  });

  it("are one line each", () => {
    expect(describeEvent(event("process_started", { command_line: "ls -l", user: "me", pid: 4 }))).toEqual({
      main: "ls -l",
      more: "by me, pid 4",
    });
    expect(describeEvent(event("file_written", { path: "/a", size: 2_000 }))).toEqual({
      main: "/a",
      more: "2,000 bytes",
    });
    expect(describeEvent(event("gap", { reason: "spool_full", lost_records: 3 }))).toEqual({
      main: "spool_full",
      more: "3 records lost",
    });
  });

  it("of the live stream are taken only when they say what changed", () => {
    expect(parseEvent('{"kind":"incident","id":"1"}')).toEqual({ kind: "incident", id: "1" });
    expect(parseEvent('{"kind":"incident"}')).toBeUndefined();
    expect(parseEvent("null")).toBeUndefined();
    expect(parseEvent("not json")).toBeUndefined();
  });
});

describe("commands and choices", () => {
  it("to enrol can be pasted as they are", () => {
    expect(enrolCommand("https://sg.example.org", "sg_abc")).toBe(
      "secureguard-agent enrol --server https://sg.example.org --key sg_abc --state-dir /var/lib/secureguard-agent",
    );
    expect(runCommand()).toBe("secureguard-agent run --state-dir /var/lib/secureguard-agent");
  });

  it("of an expiry become an instant, or none", () => {
    expect(expiryAfter("30", Date.UTC(2026, 0, 1))).toBe("2026-01-31T00:00:00.000Z");
    expect(expiryAfter("", 0)).toBeUndefined();
  });

  it("of a short name are what the server takes", () => {
    expect(slugFrom("Müller & Söhne GmbH")).toBe("muller-sohne-gmbh");
    expect(slugFrom("--")).toBe("");
    expect(slugFrom(`${"a".repeat(62)} b`)).toMatch(/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/);
  });

  it("of the audit filters leave out what is empty or no time", () => {
    const local = new Date(2026, 10, 23, 9, 0).toISOString();
    expect(
      auditQuery({ actor: "", action: "incident.update", from: "2026-11-23T09:00", to: "soon" }),
    ).toEqual({
      action: "incident.update",
      from: local,
    });
  });
});
