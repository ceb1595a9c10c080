import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { Api } from "../support/api";
import { VirtualAuthenticator } from "../support/authenticator";
import { expectAccessible } from "../support/axe";
import { runSql } from "../support/sql";
import { expect, signInByForm, test } from "../support/test";
import { App } from "../support/totp";

const SHOTS = join(import.meta.dirname, "../screenshots");

test("an app is added, asked for at sign-in, replaced by a backup code and removed", async ({
  page,
  stack,
  refusals,
}) => {
  refusals.expect(401);
  const admin = await stack.adminApi();
  const account = await stack.makeUser(admin, {
    username: `fa-${randomBytes(3).toString("hex")}`,
    role: "manager",
  });
  await signInByForm(page, account);
  await expect(page.getByRole("navigation", { name: "Main" })).toBeVisible();
  await page.goto("/users/me");
  await page.getByRole("link", { name: "Second factors and backup codes" }).click();
  await expect(page.getByText("No second factor yet")).toBeVisible();
  await look(page, "security-empty");

  let app: App | undefined;
  let codes: string[] = [];
  await test.step("scan, confirm, keep the backup codes", async () => {
    await page.getByRole("button", { name: "Add an app" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Name").fill("Phone");
    await page.keyboard.press("Enter");
    await expect(dialog.getByRole("img", { name: /QR code/ }).locator("svg")).toBeVisible();
    await look(page, "add-app");
    await dialog.getByText("Cannot scan it?").click();
    app = new App((await dialog.locator("pre").textContent()) ?? "");
    await dialog.getByLabel("Code", { exact: true }).fill(await app.code());
    await page.keyboard.press("Enter");
    await expect(dialog.getByText("Your backup codes")).toBeVisible();
    codes = ((await dialog.locator("pre").textContent()) ?? "").split("\n");
    expect(codes).toHaveLength(10);
    await page.keyboard.press("Escape");
    await expect(dialog, "the codes are not lost by a slip").toBeVisible();
    await dialog.getByRole("button", { name: "I have kept them" }).click();
    await expect(page.getByRole("row").filter({ hasText: "Phone" })).toBeVisible();
    await look(page, "security");
  });

  await test.step("the password alone opens nothing", async () => {
    await page.getByRole("button", { name: "Sign out" }).click();
    await expect(
      page.getByRole("heading", { name: "Sign in" }),
      "before another address is asked for",
    ).toBeVisible();
    await signInByForm(page, account);
    await expect(page.getByRole("heading", { name: "Second step" })).toBeVisible();
    await expect(page.getByLabel("Code", { exact: true })).toBeFocused();
    // What the browser is known by stays from before, and opens nothing.
    const cookies = (await page.context().cookies()).map((cookie) => cookie.name);
    expect(cookies.filter((name) => !name.startsWith("sg_device_"))).toEqual([]);
    await look(page, "second-step");
    await page.getByLabel("Code", { exact: true }).fill("000000");
    await page.keyboard.press("Enter");
    await expect(page.getByRole("alert")).toContainText("not accepted");
    await page.getByLabel("Code", { exact: true }).fill((await app?.code()) ?? "");
    await page.keyboard.press("Enter");
    await expect(page.getByRole("navigation", { name: "Main" })).toBeVisible();
    await expect(page.getByText("“Phone” was added to your account")).toBeVisible();
  });

  await test.step("a backup code signs in once", async () => {
    for (const works of [true, false]) {
      await page.context().clearCookies();
      await signInByForm(page, account);
      await page.getByRole("button", { name: "Use a backup code" }).click();
      await page.getByLabel("Backup code").fill((codes[0] ?? "").toLowerCase());
      await page.getByRole("button", { name: "Sign in", exact: true }).click();
      const known = async () =>
        (await page.context().cookies()).some((cookie) => cookie.name.startsWith("sg_device_"));
      if (works) await expect(page.getByRole("navigation", { name: "Main" })).toBeVisible();
      expect(await known(), "known by its browser after the last factor only").toBe(works);
      if (!works) await expect(page.getByRole("alert")).toContainText("not accepted");
    }
  });

  await test.step("the factor is removed, and the password is enough again", async () => {
    await page.getByRole("button", { name: "Back" }).click();
    await signInByForm(page, account);
    await page.getByRole("button", { name: "Use a backup code" }).click();
    await page.getByLabel("Backup code").fill(codes[1] ?? "");
    await page.keyboard.press("Enter");
    await expect(page.getByText("A backup code was used"), "one for each code").toHaveCount(2);
    await page.getByRole("button", { name: "Dismiss" }).click();
    await expect(page.getByText("A backup code was used")).toHaveCount(0);
    await page.goto("/users/me/security");
    await page.getByRole("button", { name: "Remove Phone" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Remove factor" }).click();
    await expect(page.getByText("No second factor yet")).toBeVisible();
    const again = await new Api(stack.url).call("POST", "/sessions", account);
    expect(again.status).toBe(201);
  });
});

test("a passkey signs in without a password, and a copy of it does not", async ({
  page,
  stack,
  refusals,
}) => {
  refusals.expect(401);
  const admin = await stack.adminApi();
  const account = await stack.makeUser(admin, {
    username: `pk-${randomBytes(3).toString("hex")}`,
    role: "user",
  });
  const authenticator = await VirtualAuthenticator.plugIn(page);
  await signInByForm(page, account);
  await expect(page.getByRole("navigation", { name: "Main" })).toBeVisible();
  await page.goto("/users/me/security");
  await page.getByRole("button", { name: "Add a passkey" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("Laptop");
  await dialog.getByRole("button", { name: "Make a passkey" }).click();
  await dialog.getByRole("button", { name: "I have kept them" }).click();
  await expect(page.getByRole("row").filter({ hasText: "Laptop" })).toContainText("Passkey");

  await test.step("alone", async () => {
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await expect(page.getByRole("navigation", { name: "Main" })).toBeVisible();
  });
  await test.step("as the second step", async () => {
    await page.context().clearCookies();
    await signInByForm(page, account);
    await page.getByRole("button", { name: "Use a passkey" }).click();
    await expect(page.getByRole("navigation", { name: "Main" })).toBeVisible();
  });
  await test.step("not without its owner", async () => {
    await page.context().clearCookies();
    await page.goto("/");
    await authenticator.verifyPerson(false);
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await expect(page.getByRole("alert")).toContainText("No passkey was used");
    await authenticator.verifyPerson(true);
  });
  await test.step("a copy whose counter lags behind is refused", async () => {
    await authenticator.turnCounterTo(0);
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await expect(page.getByRole("alert")).toContainText("not accepted");
    await authenticator.turnCounterTo(1_000);
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await expect(page.getByRole("navigation", { name: "Main" })).toBeVisible();
  });
});

test("who has to have a factor adds one before anything else, and an administrator can reset it", async ({
  page,
  stack,
}) => {
  const admin = await stack.adminApi();
  const username = `rq-${randomBytes(3).toString("hex")}`;
  const account = await stack.makeUser(admin, { username, role: "manager" });
  await admin.must(200, "PATCH", "/users/factor-policy", { roles: ["manager"], grace_days: 0 });
  try {
    await signInByForm(page, account);
    await expect(page.getByRole("heading", { name: "Add a second factor" })).toBeVisible();
    await look(page, "enrolment");
    await page.getByRole("button", { name: "Show the QR code" }).click();
    await page.getByText("Cannot scan it?").click();
    const app = new App((await page.locator("pre").textContent()) ?? "");
    await page.getByLabel("Code", { exact: true }).fill(await app.code());
    await page.getByRole("button", { name: "Confirm" }).click();
    await page.getByRole("button", { name: "I have kept them" }).click();
    await expect(page.getByRole("navigation", { name: "Main" })).toBeVisible();
  } finally {
    await admin.must(200, "PATCH", "/users/factor-policy", { roles: [] });
  }
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  await signInByForm(page, stack.admin);
  await expect(page.getByRole("navigation", { name: "Main" })).toBeVisible();
  await page.goto("/users");
  await page.getByRole("button", { name: `Reset factors of ${username}` }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Reset factors" }).click();
  await expect(page.getByRole("dialog")).toBeHidden();
  expect((await new Api(stack.url).call("POST", "/sessions", account)).status).toBe(201);
});

test("an old session asks who is there before it does something dangerous", async ({
  page,
  stack,
  refusals,
}) => {
  refusals.expect(403);
  const admin = await stack.adminApi();
  const account = await stack.makeUser(admin, {
    username: `su-${randomBytes(3).toString("hex")}`,
    role: "manager",
  });
  await signInByForm(page, account);
  await expect(page.getByRole("navigation", { name: "Main" })).toBeVisible();
  await page.goto("/users/me/security");
  const of = `(select user_id from users.users where username = '${account.username}')`;
  runSql(
    stack,
    `update users.sessions set created_at = created_at - interval '6 minutes', verified_at = null where user_id = ${of}`,
  );
  await page.getByRole("button", { name: "Add an app" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Show the QR code" }).click();
  const asked = page.getByRole("dialog", { name: "Is it you?" });
  await expect(asked).toBeVisible();
  await look(page, "verification");
  await asked.getByLabel("Password").fill("not the password");
  await page.keyboard.press("Enter");
  await expect(asked.getByRole("alert")).toContainText("did not prove");
  await asked.getByLabel("Password").fill(account.password);
  await page.keyboard.press("Enter");
  await expect(asked).toBeHidden();
  await expect(page.getByRole("img", { name: /QR code/ })).toBeVisible();
});

async function look(page: Page, name: string): Promise<void> {
  mkdirSync(SHOTS, { recursive: true });
  for (const theme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: theme });
    await expectAccessible(page, `${name} (${theme})`);
    await page.screenshot({ path: join(SHOTS, `${name}-${theme}.png`), fullPage: true });
  }
}
