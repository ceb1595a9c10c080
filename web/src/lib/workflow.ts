/** The steps that an incident's life has; the server holds the rule, this table only decides which buttons are shown. */
import type { IncidentStatus } from "../api/types";

export interface Step {
  to: IncidentStatus;
  label: string;
  /** Whether the step asks for a word on what was found out. */
  wantsNotes: boolean;
  primary: boolean;
}

const investigate: Step = {
  to: "investigating",
  label: "Start investigating",
  wantsNotes: false,
  primary: true,
};
const resolve: Step = { to: "resolved", label: "Resolve", wantsNotes: true, primary: false };
const dismiss: Step = { to: "false_positive", label: "False positive", wantsNotes: true, primary: false };

const STEPS: Record<IncidentStatus, readonly Step[]> = {
  new: [investigate, resolve, dismiss],
  investigating: [
    { ...resolve, primary: true },
    dismiss,
    { to: "new", label: "Put back to new", wantsNotes: false, primary: false },
  ],
  resolved: [{ ...investigate, label: "Re-open", primary: false }],
  false_positive: [{ ...investigate, label: "Re-open", primary: false }],
};

/** The steps that may follow a status. */
export function stepsFrom(status: IncidentStatus): readonly Step[] {
  return STEPS[status];
}

/** Whether work on the incident has ended. */
export function isClosed(status: IncidentStatus): boolean {
  return status === "resolved" || status === "false_positive";
}

export const STATUSES: readonly IncidentStatus[] = ["new", "investigating", "resolved", "false_positive"];
export const SEVERITIES = ["critical", "high", "medium", "low"] as const;
