import type { AlertRuleView, AlertView } from "../api/types";
import { count, plural, words } from "./format";

interface Kind {
  label: string;
  /** What the figure counts, as `one` and `many`; none for what is only there or not. */
  unit?: [string, string];
  advice: string;
}

const KINDS: Record<string, Kind> = {
  endpoint_offline: {
    label: "Endpoint offline",
    unit: ["interval", "intervals"],
    advice:
      "See on the endpoint's page what its coverage says, and whether the machine, its agent or its network is down.",
  },
  failed_sign_ins: {
    label: "Many failed sign-ins",
    unit: ["attempt", "attempts"],
    advice: "Look for session.create in the audit log: from which addresses, and for whom.",
  },
  account_lockouts: {
    label: "Many locked accounts",
    unit: ["lockout", "lockouts"],
    advice: "Ask the people whether it was them; many at once is somebody who guesses.",
  },
  password_policy_violations: {
    label: "Passwords that are too old",
    unit: ["person", "people"],
    advice: "Ask them to change their password, or require it under Users.",
  },
  audit_chain: {
    label: "Audit log changed",
    unit: ["place", "places"],
    advice:
      "Run `secureguard audit verify`: it names each place. Find out who had the database's rights; after the restore of an older backup, a changed history is expected.",
  },
  database_connections: {
    label: "Database connections",
    unit: ["%", "%"],
    advice: "Look at what holds them (pg_stat_activity), or raise max_connections.",
  },
  partitions_ahead: {
    label: "Partitions run out",
    unit: ["period", "periods"],
    advice: "The job that makes them has not run: see secureguard doctor and the server's log.",
  },
  default_partition_rows: {
    label: "Rows without a partition",
    unit: ["row", "rows"],
    advice: "See the server's log for why their partition is not made.",
  },
  unauthorized_database_access: {
    label: "Strangers at the database",
    unit: ["time", "times"],
    advice:
      "See in PostgreSQL's log who it was, and from where. Somebody of yours? Name them in database.expected_sessions. Else change the database's passwords, and look at the audit log.",
  },
  slow_queries: {
    label: "Slow queries",
    unit: ["second", "seconds"],
    advice: "Look at pg_stat_activity for what runs so long, and whether the disk keeps up.",
  },
  storage_usage: {
    label: "Disk filling up",
    unit: ["%", "%"],
    advice: "Make room, or keep data for a shorter time.",
  },
  certificate_expiry: {
    label: "Certificate ends soon",
    unit: ["day", "days"],
    advice:
      "Put a renewed certificate into tls.cert_file and tls.key_file, and restart. Endpoints and people are turned away once it has ended.",
  },
  standby_lag: {
    label: "Standby behind or away",
    unit: ["second", "seconds"],
    advice:
      "The page Standbys says what is wrong and what to do; see the standby's log too; docs/operations/high-availability.md.",
  },
  replication_slots: {
    label: "Log kept for a standby",
    unit: ["%", "%"],
    advice:
      "Bring the standby back, or let it go with `secureguard standby remove`. At 100 % it has to be made anew.",
  },
  backup_failure: { label: "Backup", advice: "The page Backups says what is wrong and what to do." },
  notification_failure: {
    label: "Notification not delivered",
    advice: "Test the channel; the page Notifications has the receiver's answer.",
  },
};

/** What an alert or its rule is called. */
export function alertLabel(kind: string): string {
  return KINDS[kind]?.label ?? words(kind);
}

/** What to do about an alert of this kind. */
export function alertAdvice(kind: string): string | undefined {
  return KINDS[kind]?.advice;
}

function measured(kind: string, value: number): string {
  const unit = KINDS[kind]?.unit;
  const figure = Number.isInteger(value) ? count(value) : value.toFixed(1);
  if (!unit) return figure;
  if (unit[0] === "%") return `${figure} %`;
  return value === 1 ? `1 ${unit[0]}` : `${figure} ${unit[1]}`;
}

/** `14 attempts, limit 10`; nothing for what has no figure. */
export function alertFigure(alert: Pick<AlertView, "kind" | "last_value" | "threshold">): string | undefined {
  if (!KINDS[alert.kind]?.unit) return undefined;
  return `${measured(alert.kind, alert.last_value)}, limit ${measured(alert.kind, alert.threshold)}`;
}

/** `more than 10 attempts within 60 seconds`. */
export function describeAlertRule(rule: AlertRuleView): string {
  const comparison = rule.comparison === "below" ? "fewer than" : "more than";
  const parts = KINDS[rule.kind]?.unit
    ? [`${comparison} ${measured(rule.kind, rule.threshold)}`]
    : ["as soon as it happens"];
  if (rule.window_seconds > 0 && KINDS[rule.kind]?.unit) parts.push(`within ${period(rule.window_seconds)}`);
  if (rule.for_seconds > 0) parts.push(`for ${period(rule.for_seconds)}`);
  return parts.join(" ");
}

function period(seconds: number): string {
  if (seconds % 3600 === 0) return plural(seconds / 3600, "hour");
  if (seconds % 60 === 0) return plural(seconds / 60, "minute");
  return plural(seconds, "second");
}
