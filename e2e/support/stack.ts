/** One real installation: the server with its own PostgreSQL, and an agent that watches a folder of this machine. */
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { Api } from "./api";
import { eventually, Program } from "./process";

export interface Account {
  username: string;
  password: string;
}

interface Ready {
  url: string;
  admin: { username: string; password: string | null };
  enrolment_key: string | null;
}

const START_MS = 60_000;

/** Everybody in the journeys comes from one address, and the first administrator in each, one right after the other. */
const SETTINGS = {
  SECUREGUARD_RATE_LIMITS__SIGN_IN_PER_ADDRESS_PER_MINUTE: "1000",
  SECUREGUARD_RATE_LIMITS__SIGN_IN_PER_ADDRESS_BURST: "1000",
  SECUREGUARD_RATE_LIMITS__SIGN_IN_PER_USER_PER_MINUTE: "1000",
  SECUREGUARD_RATE_LIMITS__SIGN_IN_PER_USER_BURST: "1000",
};

export class Stack {
  readonly dir: string;
  /** The folder that the agent watches. */
  readonly watched: string;
  readonly startedAt: number;
  readonly hostname = hostname();
  url = "";
  /** The first administrator; the password is the one-time one until somebody changes it. */
  admin: Account = { username: "", password: "" };
  adminIsFresh = true;
  enrolmentKey = "";
  #server: Program | undefined;
  #agent: Program | undefined;
  #startAgent: (() => Program) | undefined;

  private constructor() {
    this.dir = mkdtempSync(join(tmpdir(), "secureguard-e2e-"));
    // PostgreSQL runs as another user when the tests run as root: it has to get through to its own folder.
    chmodSync(this.dir, 0o755);
    this.watched = join(this.dir, "watched");
    mkdirSync(this.watched);
    this.startedAt = Date.now();
  }

  static async start(): Promise<Stack> {
    const stack = new Stack();
    try {
      await stack.#firstStart();
      await stack.runAgent("agent", stack.enrolmentKey);
    } catch (error) {
      await stack.stop();
      throw error;
    }
    return stack;
  }

  async stop(): Promise<void> {
    await this.#agent?.stop();
    await this.#server?.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** Enrols this machine with an agent state of its own; fails when the server refuses. */
  async enrol(name: string, key: string): Promise<string> {
    const state = join(this.dir, name);
    const args = ["enrol", "--server", this.url, "--key", key, "--state-dir", state];
    const enrol = new Program("secureguard-agent", args, join(this.dir, `${name}-enrol.log`));
    const code = await enrol.exited(30_000);
    if (code !== 0) throw new Error(`enrolling ended with ${code}:\n${enrol.tail()}`);
    return state;
  }

  /** Enrols this machine and runs its agent, in place of the one that ran before. */
  async runAgent(name: string, key: string): Promise<void> {
    await this.#agent?.stop();
    const args = ["run", "--state-dir", await this.enrol(name, key), "--watch", this.watched];
    this.#startAgent = () => new Program("secureguard-agent", args, join(this.dir, `${name}.log`));
    this.#agent = this.#startAgent();
  }

  /** Kills the agent without warning and starts it again on the same state. */
  async killAgent(): Promise<{ restart: () => void }> {
    await this.#agent?.kill();
    return {
      restart: () => {
        this.#agent = this.#startAgent?.();
      },
    };
  }

  /** The API as the first administrator, whose one-time password is changed on the way if that has not happened yet. */
  async adminApi(): Promise<Api> {
    if (this.adminIsFresh) await this.changePassword(this.admin, () => (this.adminIsFresh = false));
    return new Api(this.url).signIn(this.admin.username, this.admin.password);
  }

  /** Makes a user and gives them a password of their own, so that signing in leads straight to the console. */
  async makeUser(api: Api, user: { username: string; role: string; tenant_id?: string }): Promise<Account> {
    const { body } = await api.must(201, "POST", "/users", {
      email: `${user.username}@example.org`,
      ...user,
    });
    const account = { username: user.username, password: body.initial_password };
    await this.changePassword(account, () => {});
    return account;
  }

  async changePassword(account: Account, done: () => void): Promise<void> {
    const fresh = newPassword();
    const own = await new Api(this.url).signIn(account.username, account.password);
    await own.must(204, "POST", "/users/me/password", {
      current_password: account.password,
      new_password: fresh,
    });
    account.password = fresh;
    done();
  }

  /** What the programs have said so far. */
  logs(): string[] {
    return readdirSync(this.dir)
      .filter((name) => name.endsWith(".log"))
      .map((name) => join(this.dir, name));
  }

  /** Kills the server without warning and starts it again on the same data and port. */
  async killServer(): Promise<{ restart: () => Promise<void> }> {
    await this.#server?.kill();
    return {
      restart: async () => {
        await this.#startServer(new URL(this.url).port);
      },
    };
  }

  async #startServer(port = "0"): Promise<Ready> {
    const readyFile = join(this.dir, "ready.json");
    rmSync(readyFile, { force: true });
    const listen = `127.0.0.1:${port}`;
    const args = ["up", "--data-dir", join(this.dir, "data"), "--listen", listen, "--ready-file", readyFile];
    const server = new Program("secureguard", args, join(this.dir, "server.log"), SETTINGS);
    this.#server = server;
    return await eventually<Ready>("the ready file", START_MS, () => {
      if (!server.running) throw new Error(`the server ended:\n${server.tail()}`);
      return existsSync(readyFile) ? JSON.parse(readFileSync(readyFile, "utf8")) : undefined;
    });
  }

  async #firstStart(): Promise<void> {
    const ready = await this.#startServer();
    if (ready.admin.password === null || ready.enrolment_key === null) {
      throw new Error("the data directory is not new");
    }
    this.url = ready.url;
    this.admin = { username: ready.admin.username, password: ready.admin.password };
    this.enrolmentKey = ready.enrolment_key;
  }
}

/** A password that every policy takes. */
export function newPassword(): string {
  return `Aa1!-${randomBytes(15).toString("base64url")}`;
}
