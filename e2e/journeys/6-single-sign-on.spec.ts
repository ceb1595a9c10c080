import { join } from "node:path";
import { expectAccessible } from "../support/axe";
import { OpenId } from "../support/openid";
import { expect, test } from "../support/test";
import { App } from "../support/totp";

const SHOTS = join(import.meta.dirname, "../screenshots");

test("an administrator adds an OpenID provider, and somebody new signs in and out by it", async ({
  page,
  stack,
  signIn,
  browser,
}) => {
  const openid = await OpenId.start({
    lise: {
      email: "lise@example.org",
      email_verified: true,
      name: "Lise Meitner",
      preferred_username: "lise",
      groups: ["analysts"],
    },
  });
  await stack.adminApi();
  await signIn(stack.admin);

  await test.step("add and test it", async () => {
    await page.goto("/users/providers");
    await page.getByRole("button", { name: "Add provider" }).first().click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Name").fill("Institute");
    await dialog.getByLabel("Issuer").fill("http://login.example.org");
    await dialog.getByLabel("Client id").fill("guard-public");
    await dialog.getByLabel("Claim with roles").fill("groups");
    await dialog.getByLabel("A role or group there").fill("Analysts");
    await dialog.getByLabel("Show it on the sign-in page").check();
    await dialog.getByLabel("Issuer").fill(openid.issuer);
    await dialog.getByRole("button", { name: "Add provider" }).click();
    await expect(dialog.getByText(/\/api\/v1\/sessions\/oidc\/.*\/callback/)).toBeVisible();
    await dialog.getByRole("button", { name: "Done" }).click();
    await page
      .getByRole("row")
      .filter({ hasText: "Institute" })
      .getByRole("button", { name: "Test" })
      .click();
    await expect(page.getByRole("dialog")).toContainText("people sign in at");
    await page.screenshot({ path: join(SHOTS, "provider-test-light.png") });
    await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
    await page.screenshot({ path: join(SHOTS, "provider-added-light.png") });
  });

  // The provider's own pages are not ours to judge: another window, whose console nobody watches.
  const context = await browser.newContext({ baseURL: stack.url });
  const lise = await context.newPage();
  await test.step("sign in", async () => {
    await lise.goto("/threats");
    await lise.getByRole("link", { name: "Sign in with Institute" }).click();
    await lise.locator("input[name=login]").fill("lise");
    await lise.locator("input[name=password]").fill("any");
    await lise.locator("button[type=submit]").click();
    await lise.getByRole("button", { name: "Continue" }).click();
    await expect(lise.getByRole("heading", { name: "Incidents" })).toBeVisible();
    expect(new URL(lise.url()).pathname).toBe("/threats");
    expect(await lise.evaluate(() => document.cookie), "no script reads the session").toBe("");
  });

  let app: App | undefined;
  await test.step("add an app", async () => {
    await lise.goto("/users/me/security");
    await lise.getByRole("button", { name: "Add an app" }).click();
    const dialog = lise.getByRole("dialog");
    await dialog.getByLabel("Name").fill("Phone");
    await lise.keyboard.press("Enter");
    await dialog.getByText("Cannot scan it?").click();
    app = new App((await dialog.locator("pre").textContent()) ?? "");
    await dialog.getByLabel("Code", { exact: true }).fill(await app.code());
    await lise.keyboard.press("Enter");
    await dialog.getByRole("button", { name: "I have kept them" }).click();
  });

  await test.step("sign out here and there", async () => {
    await lise.getByRole("button", { name: "Sign out" }).click();
    await lise.getByRole("button", { name: /yes/i }).click();
    await expect(lise.getByRole("heading", { name: "Sign in" })).toBeVisible();
    await lise.getByRole("link", { name: "Sign in with Institute" }).click();
    await expect(lise.locator("input[name=login]"), "the provider asks again").toBeVisible();
  });

  await test.step("the provider's word is not enough any more", async () => {
    await lise.locator("input[name=login]").fill("lise");
    await lise.locator("input[name=password]").fill("any");
    await lise.locator("button[type=submit]").click();
    await lise.getByRole("button", { name: "Continue" }).click();
    await expect(lise.getByRole("heading", { name: "Second step" })).toBeVisible();
    expect(new URL(lise.url()).search, "the address does not keep the step").toBe("");
    await expectAccessible(lise, "second step after a provider");
    await lise.screenshot({ path: join(SHOTS, "second-step-after-provider-light.png") });
    await lise.getByLabel("Code", { exact: true }).fill((await app?.code()) ?? "");
    await lise.keyboard.press("Enter");
    await expect(lise.getByRole("navigation", { name: "Main" })).toBeVisible();
    await lise.getByRole("button", { name: "Sign out" }).click();
    await lise.getByRole("button", { name: /yes/i }).click();
    await expect(lise.getByRole("heading", { name: "Sign in" })).toBeVisible();
  });

  await test.step("the operator takes it off the page and puts it back", async () => {
    const button = lise.getByRole("link", { name: "Sign in with Institute" });
    await page.goto("/users/tenants");
    await page.getByRole("button", { name: "Withdraw Institute" }).click();
    await expect(page.getByRole("button", { name: "Publish Institute" })).toBeVisible();
    for (const theme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme: theme });
      await expectAccessible(page, `publications (${theme})`);
      await page.screenshot({ path: join(SHOTS, `publications-${theme}.png`), fullPage: true });
    }
    await lise.goto("/");
    await expect(lise.getByRole("heading", { name: "Sign in" })).toBeVisible();
    await expect(button).toBeHidden();
    await page.getByRole("button", { name: "Publish Institute" }).click();
    await expect(page.getByRole("button", { name: "Publish Institute" })).toBeHidden();
    await lise.goto("/");
    await expect(button).toBeVisible();
  });

  await test.step("a refusal is said in words", async () => {
    await lise.goto("/?sign_in_problem=email_unverified");
    await expect(lise.getByText("did not say that your e-mail address is yours")).toBeVisible();
    await lise.screenshot({ path: join(SHOTS, "sign-in-elsewhere-light.png") });
  });
  await context.close();
  await openid.stop();
});
