/** The commands that put an agent on an endpoint. */
const STATE_DIR = "/var/lib/secureguard-agent";

/** Registers the endpoint; to be pasted into a root shell there. */
export function enrolCommand(origin: string, key: string): string {
  return `secureguard-agent enrol --server ${origin} --key ${key} --state-dir ${STATE_DIR}`;
}

/** Starts the agent that was enrolled. */
export function runCommand(): string {
  return `secureguard-agent run --state-dir ${STATE_DIR}`;
}

/** The instant that many days from now, as the API wants it; undefined for "never". */
export function expiryAfter(days: string, now: number): string | undefined {
  return days === "" ? undefined : new Date(now + Number(days) * 86_400_000).toISOString();
}
