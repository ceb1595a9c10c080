/** What a finding was about, read from the subject that the agent sent. */
import type { FindingView, IncidentDetail } from "../api/types";
import { asRecord, valueText } from "./changes";

export interface Fact {
  label: string;
  value: string;
  /** Worth a copy button: paths, hashes, command lines. */
  copy: boolean;
}

/** The facts of one finding's subject, most telling first; what is unknown is left out. */
export function subjectFacts(subject: Record<string, unknown>): Fact[] {
  const facts: [string, unknown, boolean][] =
    subject.type === "file"
      ? [
          ["File", subject.path, true],
          ["SHA-256", subject.sha256, true],
          [
            "Size",
            typeof subject.size === "number" ? `${subject.size.toLocaleString("en")} bytes` : undefined,
            false,
          ],
          ["Owner", subject.user, false],
        ]
      : [
          ["Process", subject.name, false],
          ["Command line", subject.command_line, true],
          ["Executable", subject.image, true],
          ["SHA-256", subject.sha256, true],
          ["Process id", subject.pid, false],
          ["User", subject.user, false],
          ["Directory", subject.current_directory, true],
          ["Parent", subject.parent_command_line ?? subject.parent_image, true],
        ];
  return facts
    .filter(([, value]) => value !== undefined && value !== null && value !== "")
    .map(([label, value, copy]) => ({ label, value: String(value), copy }));
}

/** The incident's own facts, completed by what its findings know. */
export function incidentFacts(incident: IncidentDetail): Fact[] {
  const facts: Fact[] = [];
  const add = (label: string, value: string | null | undefined, copy: boolean) => {
    if (value && !facts.some((fact) => fact.label === label)) facts.push({ label, value, copy });
  };
  const aboutProcess = Boolean(incident.command_line ?? incident.process_name);
  add("Process", incident.process_name, false);
  add("Command line", incident.command_line, true);
  add(aboutProcess ? "Executable" : "File", incident.file_path, true);
  add("SHA-256", incident.hash, true);
  for (const finding of incident.findings) {
    for (const fact of subjectFacts(finding.subject)) add(fact.label, fact.value, fact.copy);
  }
  return facts;
}

/** What matched, as rows and columns; undefined when it is not a list of flat objects. */
export function evidenceTable(evidence: unknown): { columns: string[]; rows: string[][] } | undefined {
  if (!Array.isArray(evidence) || evidence.length === 0) return undefined;
  const rows = evidence.map(asRecord);
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter((name) => name !== "type");
  if (columns.length === 0) return undefined;
  return { columns, rows: rows.map((row) => columns.map((column) => valueText(row[column]) ?? "")) };
}

/** Whether the evidence holds anything to show. */
export function hasEvidence(finding: FindingView): boolean {
  return Object.keys(finding.evidence ?? {}).length > 0;
}
