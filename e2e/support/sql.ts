/** SQL as the administrator at the prompt: for what takes minutes in life, such as a session that grows old. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Stack } from "./stack";

export function runSql(stack: Stack, statement: string): string {
  const { database_url } = JSON.parse(readFileSync(join(stack.dir, "ready.json"), "utf8"));
  return execFileSync(psql(), [database_url, "-v", "ON_ERROR_STOP=1", "-qAtc", statement], {
    encoding: "utf8",
  });
}

/** As the superuser, for tables that not even an administrator writes. */
export function runSqlAsSuperuser(stack: Stack, statement: string): string {
  const data = join(stack.dir, "data");
  const read = (name: string) => readFileSync(join(data, "secrets", name), "utf8").trim();
  const settings = { PGUSER: "postgres", PGPASSWORD: read("postgres-superuser"), PGDATABASE: "secureguard" };
  const [socket] = read("socket").split("\n");
  return execFileSync(psql(), ["-h", socket ?? "", "-v", "ON_ERROR_STOP=1", "-qAtc", statement], {
    encoding: "utf8",
    env: { ...process.env, ...settings },
  });
}

function psql(): string {
  if (process.env.PG_BIN) return join(process.env.PG_BIN, "psql");
  const all = "/usr/lib/postgresql";
  const versions = existsSync(all) ? readdirSync(all).sort() : [];
  return versions.length > 0 ? join(all, versions.at(-1) ?? "", "bin/psql") : "psql";
}
