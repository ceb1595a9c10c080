/** Exceptions: what can be proposed for a finding, and how a scope reads. */
import type { ExceptionCondition, ExceptionField, ExceptionScope, FindingView } from "../api/types";

/** What a condition looks at, in words. */
export const FIELDS: Record<ExceptionField, string> = {
  path: "File",
  sha256: "SHA-256",
  user: "User",
  name: "Process",
  image: "Executable",
  command_line: "Command line",
  current_directory: "Directory",
  parent_image: "Parent's executable",
  parent_command_line: "Parent's command line",
};

/** How it compares, in words. */
export const OPERATORS: Record<ExceptionCondition["operator"], string> = {
  is: "is",
  begins_with: "begins with",
  ends_with: "ends with",
  contains: "contains",
};

/** A condition that the form offers. */
export interface Proposal extends ExceptionCondition {
  isOn: boolean;
}

/** Switched on from the start: what tells the harmless thing apart without hiding others. */
const TELLING: readonly ExceptionField[] = ["path", "image", "command_line"];

/** Every property of what was matched on, as a condition that holds for it. */
export function propose(finding: FindingView): Proposal[] {
  const subject: Record<string, unknown> = finding.subject;
  return (Object.keys(FIELDS) as ExceptionField[]).flatMap((field) => {
    const value = subject[field];
    return typeof value === "string" && value !== ""
      ? [{ field, operator: "is" as const, value, isOn: TELLING.includes(field) }]
      : [];
  });
}

/** The conditions that are switched on and say something. */
export function chosen(proposals: readonly Proposal[]): ExceptionCondition[] {
  return proposals
    .filter((one) => one.isOn && one.value !== "")
    .map(({ field, operator, value }) => ({ field, operator, value }));
}

/** One line for each part of a scope. */
export function describeScope(
  scope: ExceptionScope,
  ruleName?: string | null,
  hostname?: string | null,
): string[] {
  return [
    scope.rule_id ? `Rule: ${ruleName ?? scope.rule_id}` : "Every rule",
    ...(scope.agent_id ? [`Endpoint: ${hostname ?? scope.agent_id}`] : []),
    ...(scope.conditions ?? []).map((one) => `${FIELDS[one.field]} ${OPERATORS[one.operator]} ${one.value}`),
  ];
}
