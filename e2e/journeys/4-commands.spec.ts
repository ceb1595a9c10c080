import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expectAccessible } from "../support/axe";
import { Program } from "../support/process";
import type { Account, Stack } from "../support/stack";
import { expect, test } from "../support/test";

const SHOTS = join(import.meta.dirname, "../screenshots");

test("a process is killed from the console, once a second person has signed it", async ({
  page,
  stack,
  signIn,
  refusals,
}) => {
  refusals.expect(422);
  const api = await stack.adminApi();
  const second = await stack.makeUser(api, {
    username: `second-${randomBytes(3).toString("hex")}`,
    role: "manager",
  });
  await run(stack, "secureguard", [
    "approver",
    "init",
    "--root",
    rootFile(stack),
    "--data-dir",
    join(stack.dir, "data"),
  ]);
  await stack.runAgent("agent-with-root", stack.enrolmentKey);
  const { body: endpoints } = await api.must(200, "GET", "/agents/endpoints");
  const endpoint = endpoints.items[0].agent_id;
  await certify(stack, second);
  const victim: ChildProcess = spawn("sleep", ["600"], { stdio: "ignore" });
  const gone = new Promise((resolve) => victim.once("exit", resolve));

  await signIn(stack.admin);
  await test.step("a harmless one runs at once and shows what it printed", async () => {
    await page.goto(`/agents/${endpoint}`);
    await page.getByRole("button", { name: "Run a command" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Why").fill("What runs there?");
    await dialog.getByRole("button", { name: "Run", exact: true }).click();
    await expect(page.getByRole("heading", { name: "List processes", level: 1 })).toBeVisible();
    await expect(page.locator("main header").first()).toContainText("Succeeded", { timeout: 20_000 });
    await expect(page.locator("pre.output")).toContainText("sleep 600");
    await shoot("command-done");
  });

  await test.step("a dangerous one waits", async () => {
    await page.goto(`/agents/${endpoint}`);
    await page.getByRole("button", { name: "Run a command" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Command", { exact: true }).selectOption({ label: "Kill a process" });
    await dialog.getByLabel("Process id").fill("1");
    await dialog.getByLabel("Why").fill("A miner.");
    await shoot("command-form");
    await dialog.getByRole("button", { name: "Ask for approval" }).click();
    await expect(dialog).toContainText("at least 2");
    await dialog.getByLabel("Process id").fill(String(victim.pid));
    await dialog.getByRole("button", { name: "Ask for approval" }).click();
    await expect(page.locator("main header").first()).toContainText("Needs approval");
    await expect(page.getByText("Somebody else has to agree")).toBeVisible();
    await shoot("command-waits");
  });
  const command = new URL(page.url()).pathname.split("/").pop() ?? "";

  await test.step("nobody else's word counts, a second person's does", async () => {
    const refused = await api.call("POST", `/agents/commands/${command}/approval`, {
      certificate: JSON.parse(readFileSync(join(stack.dir, "second", "approver-certificate.json"), "utf8")),
      signature: "AAAA",
    });
    expect([refused.status, refused.body.code]).toEqual([403, "own_approval"]);
    await sgctl(stack, second, ["commands", "approve", command, "--yes"]);
    await expect(page.locator("main header").first()).toContainText("Succeeded", { timeout: 20_000 });
    await expect(page.getByText(`process ${victim.pid} (sleep) is gone`)).toBeVisible();
    await gone;
  });

  await test.step("what was asked of endpoints is a list", async () => {
    await page.goto("/agents/commands");
    await expect(page.getByRole("row").filter({ hasText: "Kill a process" })).toContainText("Succeeded");
    await shoot("commands");
    await page.getByRole("link", { name: "Waiting" }).click();
    await expect(page.getByText("No commands")).toBeVisible();
  });

  await test.step("a command is turned down with a reason", async () => {
    const { body } = await api.must(201, "POST", `/agents/endpoints/${endpoint}/commands`, {
      kind: "restart_agent",
      reason: "Just so.",
    });
    await signIn(second);
    await page.goto(`/agents/commands/${body.command.command_id}`);
    await page.getByRole("button", { name: "Turn down" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Why").fill("There is no need.");
    await dialog.getByRole("button", { name: "Turn down" }).click();
    await expect(page.locator("main header").first()).toContainText("Rejected");
    await expect(page.getByText("There is no need.")).toBeVisible();
  });

  async function shoot(name: string) {
    for (const theme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme: theme });
      await expectAccessible(page, `${name} (${theme})`);
      await page.screenshot({ path: join(SHOTS, `${name}-${theme}.png`), fullPage: true });
    }
  }
});

const rootFile = (stack: Stack) => join(stack.dir, "approver-root.pem");

/** Runs one of the programs to its end. */
async function run(stack: Stack, program: string, args: string[], settings: Record<string, string> = {}) {
  const log = join(stack.dir, `${program}-${randomBytes(4).toString("hex")}.log`);
  const running = new Program(program, args, log, settings);
  const code = await running.exited(30_000);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${code}:\n${running.tail()}`);
  return readFileSync(log, "utf8");
}

async function sgctl(stack: Stack, as: Account, args: string[]) {
  const { token } = await (await stack.adminApi()).signIn(as.username, as.password);
  const settings = { SGCTL_SERVER: stack.url, SGCTL_KEY: token ?? "" };
  return await run(stack, "sgctl", ["--config", join(stack.dir, "second", "config.json"), ...args], settings);
}

/** Gives a person a key and a certificate by the approver root. */
async function certify(stack: Stack, person: Account) {
  const key = JSON.parse(await sgctl(stack, person, ["--json", "approver", "key"]));
  const out = join(stack.dir, "certificate.json");
  const named = ["--user-id", key.user_id, "--username", key.username, "--public-key", key.public_key];
  await run(stack, "secureguard", ["approver", "certify", "--root", rootFile(stack), ...named, "--out", out]);
  await sgctl(stack, person, ["approver", "install", out]);
}
