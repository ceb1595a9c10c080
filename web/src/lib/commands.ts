/** Remote commands: their kinds and states in words, and what each kind has to be told. */
import type { CommandKind, CommandState, CommandView } from "../api/types";
import type { Tone } from "./Badge.svelte";

/** What a form asks for. */
export interface ArgumentField {
  name: string;
  label: string;
  hint?: string;
  form: "text" | "number" | "lines";
  optional?: boolean;
  initial?: string;
}

export interface KindWords {
  label: string;
  help: string;
  fields: readonly ArgumentField[];
  /** Whether a second person signs it. */
  dangerous: boolean;
}

const PATH: ArgumentField = { name: "path", label: "Path", hint: "absolute, without . and ..", form: "text" };

export const KINDS: Record<CommandKind, KindWords> = {
  list_processes: {
    label: "List processes",
    help: "Every process with its parent, user and command line.",
    fields: [],
    dangerous: false,
  },
  collect_diagnostics: {
    label: "Collect diagnostics",
    help: "System, users, scheduled jobs, services, sockets and processes.",
    fields: [],
    dangerous: false,
  },
  scan_path: {
    label: "Scan a path",
    help: "A file or folder, with the rules in force. Findings become incidents.",
    fields: [PATH],
    dangerous: false,
  },
  refresh_rules: {
    label: "Refresh rules",
    help: "Checks in at once and tells which rules are in force.",
    fields: [],
    dangerous: false,
  },
  collect_file: {
    label: "Collect a file",
    help: "One file up to 512 KiB, in base64.",
    fields: [PATH],
    dangerous: true,
  },
  kill_process: {
    label: "Kill a process",
    help: "Ends one process and looks whether it is gone.",
    fields: [
      { name: "pid", label: "Process id", form: "number" },
      {
        name: "key",
        label: "Key",
        hint: "from the list of processes: no other process that got the id meanwhile",
        form: "text",
        optional: true,
      },
    ],
    dangerous: true,
  },
  quarantine_file: {
    label: "Quarantine a file",
    help: "Takes the file away and keeps it.",
    fields: [
      PATH,
      { name: "sha256", label: "SHA-256", hint: "only if this is its content", form: "text", optional: true },
    ],
    dangerous: true,
  },
  restore_file: {
    label: "Restore a file",
    help: "Brings a file back from quarantine.",
    fields: [
      {
        name: "quarantined_by",
        label: "Command",
        hint: "the id of the command that took it away",
        form: "text",
      },
    ],
    dangerous: true,
  },
  isolate_network: {
    label: "Isolate from the network",
    help: "Nothing but this server is reached, until it is released.",
    fields: [],
    dangerous: true,
  },
  release_network: {
    label: "End the isolation",
    help: "The network is reached again.",
    fields: [],
    dangerous: true,
  },
  restart_agent: {
    label: "Restart the agent",
    help: "Starts the agent's program anew.",
    fields: [],
    dangerous: true,
  },
  run_script: {
    label: "Run a script",
    help: "For /bin/sh, with the agent's rights.",
    fields: [
      { name: "script", label: "Script", form: "lines" },
      { name: "timeout_seconds", label: "Seconds until it is killed", form: "number", initial: "60" },
    ],
    dangerous: true,
  },
};

/** The kinds in the order in which they are offered. */
export const KIND_NAMES = Object.keys(KINDS) as CommandKind[];

export function kindLabel(kind: string): string {
  return (KINDS as Record<string, KindWords | undefined>)[kind]?.label ?? kind;
}

const STATES: Record<CommandState, { word: string; tone: Tone }> = {
  pending: { word: "Pending", tone: "info" },
  approved: { word: "Approved", tone: "info" },
  sent: { word: "Sent", tone: "info" },
  running: { word: "Running", tone: "violet" },
  succeeded: { word: "Succeeded", tone: "ok" },
  failed: { word: "Failed", tone: "high" },
  expired: { word: "Expired", tone: "low" },
  cancelled: { word: "Cancelled", tone: "low" },
  rejected: { word: "Rejected", tone: "danger" },
};

/** Where a command stands, in words. */
export function standing(command: Pick<CommandView, "state" | "dangerous">): { word: string; tone: Tone } {
  if (command.state === "pending" && command.dangerous) return { word: "Needs approval", tone: "medium" };
  return STATES[command.state];
}

/** Whether nothing follows any more. */
export function isOver(state: CommandState): boolean {
  return ["succeeded", "failed", "expired", "cancelled", "rejected"].includes(state);
}

/** Whether it can still be taken back. */
export function isWaiting(state: CommandState): boolean {
  return state === "pending" || state === "approved";
}

/** The arguments as the API takes them; fields that are left empty are left out. */
export function toArguments(
  kind: CommandKind,
  values: Record<string, string>,
): Record<string, string | number> {
  const given = KINDS[kind].fields.filter((field) => (values[field.name] ?? "").trim() !== "");
  return Object.fromEntries(
    given.map((field) => {
      const text = values[field.name] ?? "";
      if (field.form === "number") return [field.name, Number(text)];
      return [field.name, field.form === "lines" ? text : text.trim()];
    }),
  );
}

/** Arguments in lines to read. */
export function describeArguments(args: unknown): string[] {
  return Object.entries(args as Record<string, unknown>).map(([name, value]) => `${name}: ${String(value)}`);
}
