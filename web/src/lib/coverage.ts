/** What an endpoint was not watched for, as a timeline shows it. */
import type { CoverageGapView } from "../api/types";
import type { Tone } from "./Badge.svelte";
import { words } from "./format";

interface Kind {
  label: string;
  tone: Tone;
  /** Nothing was seen meanwhile. */
  blind: boolean;
}

const KINDS: Record<string, Kind> = {
  agent_killed: { label: "Agent killed", tone: "critical", blind: true },
  agent_stopped: { label: "Agent stopped", tone: "high", blind: true },
  agent_halted: { label: "Agent halted", tone: "critical", blind: true },
  host_down: { label: "Machine down", tone: "low", blind: true },
  host_asleep: { label: "Machine asleep", tone: "low", blind: true },
  spool_full: { label: "Dropped beyond the cap", tone: "high", blind: false },
  weaker_source: { label: "Weaker source", tone: "medium", blind: false },
  collector_off: { label: "Not watched", tone: "high", blind: false },
  clock_skew: { label: "Clock is wrong", tone: "medium", blind: false },
  records_missing: { label: "Numbers missing", tone: "high", blind: false },
  more_gaps: { label: "Many gaps", tone: "high", blind: false },
};
const OFFLINE: Record<string, Kind> = {
  host: { label: "Machine down", tone: "low", blind: true },
  agent: { label: "Agent down", tone: "critical", blind: true },
  network: { label: "Network down", tone: "medium", blind: false },
  unknown: { label: "Was offline", tone: "high", blind: true },
};

export function kindOf(gap: CoverageGapView): Kind {
  if (gap.reason === "offline") {
    if (gap.cause) return OFFLINE[gap.cause] ?? { label: "Was offline", tone: "high", blind: true };
    return { label: gap.to_at ? "Was offline" : "Offline", tone: "danger", blind: true };
  }
  const kind = KINDS[gap.reason] ?? { label: words(gap.reason), tone: "medium", blind: false };
  return gap.area ? { ...kind, label: `${kind.label}: ${gap.area}` } : kind;
}

export interface Span {
  gap: CoverageGapView;
  /** Begin and length in per cent of the range; at least wide enough to be seen. */
  left: number;
  width: number;
}

const NARROWEST = 0.4;

/** Where the gaps lie in a range, each in the row of its kind. */
export function spansOf(
  gaps: readonly CoverageGapView[],
  from: number,
  to: number,
): { label: string; tone: Tone; spans: Span[] }[] {
  const rows = new Map<string, { label: string; tone: Tone; spans: Span[] }>();
  for (const gap of gaps) {
    const begin = Math.max(Date.parse(gap.from_at), from);
    const end = Math.min(gap.to_at ? Date.parse(gap.to_at) : to, to);
    if (end < from || begin > to) continue;
    const { label, tone } = kindOf(gap);
    const row = rows.get(label) ?? { label, tone, spans: [] };
    const width = Math.max(((end - begin) / (to - from)) * 100, NARROWEST);
    const left = Math.min(((begin - from) / (to - from)) * 100, 100 - width);
    row.spans.push({ gap, left, width });
    rows.set(label, row);
  }
  return [...rows.values()];
}

/** The share of a range (0–1) in which the endpoint was watched: what several gaps cover counts once. */
export function watchedShare(gaps: readonly CoverageGapView[], from: number, to: number): number {
  const blind = gaps
    .filter((gap) => kindOf(gap).blind)
    .map((gap) => [
      Math.max(Date.parse(gap.from_at), from),
      Math.min(gap.to_at ? Date.parse(gap.to_at) : to, to),
    ])
    .filter((span): span is [number, number] => (span[1] ?? 0) > (span[0] ?? 0))
    .sort((a, b) => a[0] - b[0]);
  let lost = 0;
  let reached = from;
  for (const [begin, end] of blind) {
    lost += Math.max(0, end - Math.max(begin, reached));
    reached = Math.max(reached, end);
  }
  return to > from ? 1 - lost / (to - from) : 1;
}

/** `3 min`, `2 h 5 min`, `4 d 3 h`. */
export function lengthOf(gap: CoverageGapView, now: number): string {
  const seconds = Math.max(
    0,
    Math.round(((gap.to_at ? Date.parse(gap.to_at) : now) - Date.parse(gap.from_at)) / 1_000),
  );
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return hours % 24 === 0 ? `${hours / 24} d` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
