import { createHmac } from "node:crypto";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { expectAccessible } from "../support/axe";
import { eventually, Program } from "../support/process";
import { Receiver } from "../support/receiver";
import { expect, test } from "../support/test";
import { writeEicar } from "../support/threats";

const SHOTS = join(import.meta.dirname, "../screenshots");

async function look(page: Page, name: string) {
  for (const theme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: theme });
    await expectAccessible(page, `${name} (${theme})`);
    await page.screenshot({ path: join(SHOTS, `${name}-${theme}.png`), fullPage: true });
  }
}

test("an administrator has incidents told to a webhook and to Slack, sees what became of them, and mutes some", async ({
  page,
  stack,
  signIn,
}) => {
  const receiver = await Receiver.start();
  const api = await stack.adminApi();
  await signIn(stack.admin);
  await page.goto("/monitoring/channels");
  await expect(page.getByText("Nobody is told")).toBeVisible();
  let secret = "";

  await test.step("the first channel is a signed webhook, and its secret is shown once", async () => {
    await page.getByRole("button", { name: "Add channel" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Kind").selectOption({ label: "Webhook, signed" });
    await dialog.getByLabel("Name").fill("On call");
    await dialog.getByLabel("Address").fill(receiver.url("/hook?token=secret"));
    await look(page, "channel-add");
    await dialog.getByRole("button", { name: "Add channel" }).click();
    await expect(dialog.getByText("shown this once")).toBeVisible();
    secret = (await dialog.locator("pre").first().innerText()).trim();
    expect(secret).toMatch(/^whsec_/);
    await dialog.getByRole("button", { name: "Done" }).click();
    const row = page.getByRole("row").filter({ hasText: "On call" }).first();
    await expect(row).toContainText("127.0.0.1");
    await expect(page.getByText("token=secret")).toHaveCount(0);
    await expect(page.getByRole("row").filter({ hasText: "High and critical incidents" })).toBeVisible();
  });

  await test.step("a test says what the receiver said", async () => {
    receiver.status = 403;
    await page.getByRole("button", { name: "Test On call" }).click();
    await expect(page.getByText("not delivered – the receiver answered 403")).toBeVisible();
    receiver.status = 200;
    await page.getByRole("button", { name: "Test On call" }).click();
    await expect(page.getByText("delivered – answered 200")).toBeVisible();
    await expect(page.getByRole("row").filter({ hasText: "On call" }).first()).toContainText("Delivered");
    expect(receiver.posted.map((one) => one.body.type)).toEqual(["test", "test"]);
  });

  await test.step("a second channel with a route and an escalation", async () => {
    await page.getByRole("button", { name: "Add channel" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Kind").selectOption({ label: "Slack or compatible" });
    await dialog.getByLabel("Name").fill("Team");
    await dialog.getByLabel("Address").fill(receiver.url("/slack"));
    await dialog.getByRole("button", { name: "Add channel" }).click();
    await expect(dialog).toBeHidden();
    await page.getByRole("button", { name: "Add route" }).click();
    await dialog.getByLabel("Name").fill("Everything to the team");
    await dialog.getByLabel("From which severity on").selectOption("low");
    await dialog.getByLabel("To which channel").selectOption({ label: "Team" });
    await dialog.getByLabel("If nobody takes it up, also tell").selectOption({ label: "On call" });
    await dialog.getByLabel("After how many minutes").fill("30");
    await look(page, "route-add");
    await dialog.getByRole("button", { name: "Add route" }).click();
    await expect(dialog).toBeHidden();
    await expect(page.getByRole("row").filter({ hasText: "Everything to the team" })).toContainText("30 min");
    await look(page, "channels");
  });

  await test.step("an incident reaches both within seconds", async () => {
    receiver.posted.length = 0;
    const { path } = writeEicar(stack.watched);
    await eventually("both messages", 20_000, async () =>
      receiver.posted.some((one) => one.path.startsWith("/hook")) &&
      receiver.posted.some((one) => one.path === "/slack")
        ? true
        : undefined,
    );
    const hook = receiver.posted.find((one) => one.path.startsWith("/hook"));
    expect(hook?.body.data.incident.title).toContain(path);
    const signed = `${hook?.headers["webhook-id"]}.${hook?.headers["webhook-timestamp"]}.${JSON.stringify(hook?.body)}`;
    const key = Buffer.from(secret.slice("whsec_".length), "base64");
    expect(hook?.headers["webhook-signature"]).toBe(
      `v1,${createHmac("sha256", key).update(signed).digest("base64")}`,
    );
    const slack = receiver.posted.find((one) => one.path === "/slack");
    expect(slack?.body.text).toContain(`<${stack.url}/threats/`);
    await page.goto("/monitoring/notifications");
    await expect(page.getByRole("row").filter({ hasText: path }).first()).toContainText("Sent");
    await page.goto(hook?.body.data.url);
    await expect(page.getByRole("heading", { level: 1 })).toContainText("invoice-");
  });

  await test.step("what is muted is in the log and told to nobody", async () => {
    await page.goto("/monitoring/notifications");
    await page.getByRole("button", { name: "Add silence" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Why").fill("We are testing.");
    await dialog.getByLabel("Only this endpoint").fill(stack.hostname);
    await look(page, "silence-add");
    await dialog.getByRole("button", { name: "Add silence" }).click();
    await expect(dialog).toBeHidden();
    await expect(page.getByRole("row").filter({ hasText: "We are testing." })).toContainText("In force");
    const { path } = writeEicar(stack.watched);
    const row = page.getByRole("row").filter({ hasText: path }).first();
    await eventually("the muted notification", 20_000, async () => {
      await page.getByRole("button", { name: "Reload" }).click();
      return (await row.count()) > 0 ? true : undefined;
    });
    await expect(row).toContainText("Muted");
    expect(receiver.posted.some((one) => JSON.stringify(one.body).includes(path))).toBe(false);
    await look(page, "notifications");
    await page
      .getByRole("button", { name: /^1 attempt: Incident opened/ })
      .first()
      .click();
    await expect(page.getByRole("dialog")).toContainText("answered 200");
    await page.screenshot({ path: join(SHOTS, "notification-attempts-dark.png") });
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: /^End the silence/ }).click();
    await expect(page.getByRole("row").filter({ hasText: "We are testing." })).toContainText("Ended");
  });

  await test.step("removed, a channel is told nothing more", async () => {
    const { body } = await api.must(201, "POST", "/users/api-keys", { key_name: "sgctl", scopes: ["api"] });
    const settings = { SGCTL_CONFIG: join(stack.dir, "sgctl.json"), SGCTL_KEY: body.key };
    const sgctl = async (...args: string[]) => {
      const program = new Program("sgctl", args, join(stack.dir, "sgctl.log"), settings);
      expect(await program.exited(30_000), program.tail()).toBe(0);
    };
    await sgctl("login", "--server", stack.url);
    await sgctl("monitoring", "test", "Team");
    expect(receiver.posted.at(-1)?.body.text).toContain("test message");
    await sgctl("monitoring", "channels", "delete", "team");
    await page.goto("/monitoring/channels");
    await expect(page.getByRole("row").filter({ hasText: "Everything to the team" })).toHaveCount(0);
    await page.getByRole("button", { name: "Remove On call" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Remove channel" }).click();
    await expect(page.getByRole("dialog")).toBeHidden();
    await expect(page.getByText("Nobody is told")).toBeVisible();
  });
  receiver.stop();
});

test("those who run the installation are told of its alerts on channels of their own, in their own words", async ({
  page,
  stack,
  signIn,
  refusals,
}) => {
  // The text with a fault.
  refusals.expect(422);
  const receiver = await Receiver.start();
  await signIn(stack.admin);
  await page.goto("/monitoring/alerts?of=installation");
  await test.step("an alert that follows from another one is to be kept quiet by it", async () => {
    await page.getByRole("button", { name: "Change Certificate ends soon" }).click();
    const rule = page.getByRole("dialog");
    await rule.getByLabel("Disk filling up").check();
    await look(page, "alert-rule");
    await rule.getByRole("button", { name: "Save" }).click();
    await expect(rule).toBeHidden();
    await expect(page.getByRole("row").filter({ hasText: "Certificate ends soon" })).toContainText(
      "quiet while this goes on: Disk filling up",
    );
  });
  await page.getByRole("main").getByRole("link", { name: "Channels" }).click();
  await expect(page.getByText("Alerts of the installation show up")).toBeVisible();
  const dialog = page.getByRole("dialog");

  await test.step("the first channel is told of every alert", async () => {
    await page.getByRole("button", { name: "Add channel" }).click();
    await dialog.getByLabel("Kind").selectOption({ label: "Slack or compatible" });
    await dialog.getByLabel("Name").fill("Operators");
    await dialog.getByLabel("Address").fill(receiver.url("/slack"));
    await dialog.getByRole("button", { name: "Add channel" }).click();
    await expect(dialog).toBeHidden();
    const route = page.getByRole("row").filter({ hasText: "Alerts, low or worse" });
    await expect(route).toContainText("Operators");
    await page.getByRole("button", { name: "Add route" }).click();
    await expect(dialog.getByLabel("What", { exact: true })).toHaveCount(0);
    await dialog.getByLabel("Name").fill("Nights");
    await dialog.getByLabel("If it goes on, also tell").selectOption({ label: "Operators" });
    await dialog.getByLabel("After how many minutes").fill("15");
    await dialog.getByRole("button", { name: "Add route" }).click();
    await expect(dialog).toBeHidden();
    await expect(page.getByRole("row").filter({ hasText: "Nights" })).toContainText(
      "if it goes on for 15 min",
    );
  });

  await test.step("a fault in a text is shown with its line, and a good one is tried at once", async () => {
    await page.getByRole("button", { name: "Texts of Operators" }).click();
    await dialog.getByLabel("Text (optional)").fill("*{{ severity }}*\n{{ alert.nothing }}");
    await dialog.getByRole("button", { name: "Save texts" }).click();
    await expect(dialog.getByText("line 2")).toBeVisible();
    await look(page, "channel-texts-fault");
    await dialog
      .getByLabel("Text (optional)")
      .fill("*{{ severity }}* {% if alert %}{{ alert.kind }}{% else %}{{ title }}{% endif %}");
    await dialog.getByRole("button", { name: "Save and send a test" }).click();
    await expect(dialog.getByText("Delivered – answered 200.")).toBeVisible();
    expect(receiver.posted.at(-1)?.body.text).toBe("*medium* `failed_sign_ins`");
    await look(page, "channel-texts");
    await dialog.getByRole("button", { name: "Save texts" }).click();
    await expect(dialog).toBeHidden();
    await expect(page.getByRole("row").filter({ hasText: "Operators" }).first()).toContainText(
      "in your own words",
    );
    await look(page, "channels-installation");
  });

  await test.step("its log and its silences are apart from the tenant's", async () => {
    await page.goto("/monitoring/notifications?of=installation");
    await expect(page.getByRole("row").filter({ hasText: "Operators" })).toHaveCount(1);
    await page.getByRole("button", { name: "Add silence" }).click();
    await expect(dialog.getByLabel("Only this endpoint")).toHaveCount(0);
    await dialog.getByLabel("Why").fill("The standby is moved.");
    await dialog.getByLabel("Only this rule").fill("standby_lag");
    await dialog.getByRole("button", { name: "Add silence" }).click();
    await expect(page.getByRole("row").filter({ hasText: "The standby is moved." })).toContainText(
      "In force",
    );
    await look(page, "notifications-installation");
    await page.getByLabel("Of", { exact: true }).selectOption("");
    await expect(page.getByRole("row").filter({ hasText: "The standby is moved." })).toHaveCount(0);
    await expect(page.getByRole("row").filter({ hasText: "Operators" })).toHaveCount(0);
  });

  await test.step("removed again", async () => {
    await page.goto("/monitoring/channels?of=installation");
    await page.getByRole("button", { name: "Remove Operators" }).click();
    await dialog.getByRole("button", { name: "Remove channel" }).click();
    await expect(page.getByText("Nobody is told")).toBeVisible();
  });
  receiver.stop();
});
