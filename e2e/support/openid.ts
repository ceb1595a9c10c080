/** An OpenID provider that is not ours, as a process of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

export class OpenId {
  private constructor(
    readonly issuer: string,
    readonly child: ChildProcess,
  ) {}

  /** Starts one with these accounts; any password signs in. It ends with the test run: its standard input ends then. */
  static async start(accounts: Record<string, Record<string, unknown>>): Promise<OpenId> {
    const script = join(import.meta.dirname, "../providers/openid.mjs");
    const child = spawn(process.execPath, [script, JSON.stringify({ accounts })], {
      stdio: ["pipe", "pipe", "ignore"],
    });
    const [line] = await once(createInterface({ input: child.stdout }), "line");
    return new OpenId(JSON.parse(line).issuer, child);
  }

  async stop(): Promise<void> {
    this.child.stdin?.end();
    await once(this.child, "exit");
  }
}
