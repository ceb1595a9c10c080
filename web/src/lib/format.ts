/** Values as people read them. Times are local; `utcText` is what a title shows beside them. */

const UNITS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

/** `now`, `5 min ago`, `in 3 days`; seconds are rounded down to the larger unit. */
export function relativeTime(at: string | number, now: number): string {
  const seconds = (toMs(at) - now) / 1_000;
  for (const [unit, size] of UNITS) {
    if (Math.abs(seconds) >= size) {
      return new Intl.RelativeTimeFormat("en", { numeric: "always", style: "short" }).format(
        Math.trunc(seconds / size),
        unit,
      );
    }
  }
  return "now";
}

/** `2026-11-23 16:05:09` in local time, or in `timeZone`. */
export function dateTime(at: string | number, timeZone?: string): string {
  const parts = new Intl.DateTimeFormat("en-CA", {
    dateStyle: "short",
    timeStyle: "medium",
    hourCycle: "h23",
    timeZone,
  }).formatToParts(toMs(at));
  const text = new Map(parts.map((part) => [part.type, part.value]));
  const two = (name: Intl.DateTimeFormatPartTypes) => text.get(name)?.padStart(2, "0") ?? "";
  return `${text.get("year")}-${two("month")}-${two("day")} ${two("hour")}:${two("minute")}:${two("second")}`;
}

/** The same instant for a reader elsewhere: `2026-11-23 16:05:09 UTC`. */
export function utcText(at: string | number): string {
  return `${dateTime(at, "UTC")} UTC`;
}

/** `16:05`, for the marks of a chart. */
export function timeOfDay(at: number, timeZone?: string): string {
  return new Intl.DateTimeFormat("en-GB", {
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
    timeZone,
  }).format(at);
}

/** `23 Nov`, for the marks of a chart. */
export function dayOfMonth(at: number, timeZone?: string): string {
  return new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone }).format(at);
}

/** `12.3 %`; a dash when nothing was measured. */
export function percent(value: number | null | undefined, digits = 1): string {
  return value === null || value === undefined ? "–" : `${value.toFixed(digits)} %`;
}

/** A share of 0–1 as a whole percentage. */
export function share(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : percent(value * 100, 0);
}

const SIZES = ["B", "kB", "MB", "GB", "TB"];

/** `1.5 MB`, in powers of 1000. */
export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  let scaled = Math.abs(value);
  let unit = 0;
  while (scaled >= 999.5 && unit < SIZES.length - 1) {
    scaled /= 1_000;
    unit += 1;
  }
  const digits = unit === 0 || scaled >= 99.95 ? 0 : 1;
  return `${value < 0 ? "-" : ""}${scaled.toFixed(digits)} ${SIZES[unit]}`;
}

export function bytesPerSecond(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : `${bytes(value)}/s`;
}

/** `1,234`. */
export function count(value: number): string {
  return new Intl.NumberFormat("en").format(value);
}

/** `false_positive` → `False positive`. */
export function words(value: string): string {
  const text = value.replaceAll("_", " ").replace(/\b(api|yara)\b/g, (name) => name.toUpperCase());
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A message of the server as a sentence: a capital letter first, a full stop last. */
export function sentence(text: string): string {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[\p{L}\p{N}`)"”]$/u.test(whole) ? `${whole}.` : whole;
}

/** `1 finding`, `2 findings`. */
export function plural(number: number, one: string, many = `${one}s`): string {
  return `${count(number)} ${number === 1 ? one : many}`;
}

function toMs(at: string | number): number {
  return typeof at === "number" ? at : Date.parse(at);
}
