/** What reports and maintenance are called. */
import type { MaintenanceTask, ReportKind, ReportMode } from "../api/types";

export const REPORT_KINDS: Record<ReportKind, string> = {
  daily: "Daily maintenance",
  weekly: "Weekly maintenance",
  monthly: "Monthly maintenance",
  kpis: "Figures of the week",
};

export const TASKS: Record<MaintenanceTask, string> = {
  failed_sign_ins: "Failed sign-ins",
  lockout_patterns: "Account lockouts",
  backup_completion: "Backups",
  statistics: "Database statistics",
  slow_queries: "Slow queries",
  threat_patterns: "Detections",
  policy_compliance: "Password policy",
  index_usage: "Use of indexes",
  audit_review: "Audit log",
};

export const MODES: Record<ReportMode, string> = {
  always: "Always",
  findings: "When there is something to do",
  never: "Never",
};

/** `42 s`, `3 min`; a dash for what has not ended. */
export function lasted(from: string | null | undefined, to: string | null | undefined): string {
  if (!from || !to) return "–";
  const seconds = (Date.parse(to) - Date.parse(from)) / 1000;
  if (seconds < 90) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  return `${Math.round(seconds / 60)} min`;
}
