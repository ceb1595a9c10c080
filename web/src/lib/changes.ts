/** A row's change, column by column. */
export interface ColumnChange {
  column: string;
  before: string | undefined;
  after: string | undefined;
}

/** Every column of either side in alphabetical order; undefined where a side has no such column. */
export function columnChanges(before: unknown, after: unknown): ColumnChange[] {
  const old = asRecord(before);
  const fresh = asRecord(after);
  const columns = [...new Set([...Object.keys(old), ...Object.keys(fresh)])].sort();
  return columns
    .map((column) => ({ column, before: valueText(old[column]), after: valueText(fresh[column]) }))
    .filter((change) => change.before !== change.after);
}

export function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

/** A JSON value in one line; undefined when there is none. */
export function valueText(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (value === null) return "null";
  return typeof value === "string" ? value : JSON.stringify(value);
}
