/** Starting real programs and ending exactly those. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";

const BIN_DIR = process.env.SECUREGUARD_BIN_DIR ?? join(import.meta.dirname, "../../target/debug");

export class Program {
  readonly #child: ChildProcess;
  readonly log: string;

  /** Starts one of the project's programs with `settings` in its environment; what it says goes to the file `log`. */
  constructor(name: string, args: readonly string[], log: string, settings: Record<string, string> = {}) {
    this.log = log;
    const out = openSync(log, "a");
    this.#child = spawn(join(BIN_DIR, name), args, {
      stdio: ["ignore", out, out],
      env: { ...process.env, ...settings },
    });
    closeSync(out);
    // However the test run ends, nothing that it started is left.
    process.once("exit", () => this.#child.kill("SIGKILL"));
    // Without a listener a missing binary would end the whole test run; `exited` tells it.
    this.#child.on("error", (error) => {
      this.#failure = error;
    });
  }
  #failure: Error | undefined;

  get running(): boolean {
    return this.#failure === undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What it said last, for the message of a failure. */
  tail(): string {
    const text = readFileSync(this.log, "utf8");
    return `${this.#failure?.message ?? ""}\n${text.slice(-4_000)}`;
  }

  /** Waits for the end and gives the exit code. */
  async exited(withinMs: number): Promise<number> {
    const end = Date.now() + withinMs;
    while (this.running) {
      if (Date.now() > end) throw new Error(`still running after ${withinMs} ms:\n${this.tail()}`);
      await sleep(20);
    }
    if (this.#failure) throw this.#failure;
    return this.#child.exitCode ?? -1;
  }

  /** Ends it without warning. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.exited(5_000);
  }

  /** Asks it to end, and ends it when it does not. */
  async stop(withinMs = 20_000): Promise<void> {
    if (!this.running) return;
    this.#child.kill("SIGTERM");
    try {
      await this.exited(withinMs);
    } catch {
      await this.kill();
    }
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Tries until there is an answer; throws the last reason when the time is up. */
export async function eventually<T>(
  what: string,
  withinMs: number,
  attempt: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const end = Date.now() + withinMs;
  let reason: unknown;
  do {
    try {
      const found = await attempt();
      if (found !== undefined) return found;
    } catch (error) {
      reason = error;
    }
    await sleep(100);
  } while (Date.now() < end);
  throw new Error(`${what} did not come within ${withinMs} ms${reason ? `: ${reason}` : ""}`);
}
