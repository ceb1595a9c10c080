import { randomBytes } from "node:crypto";
import { Api } from "../support/api";
import { newPassword } from "../support/stack";
import { expect, signInByForm, test } from "../support/test";

test("a key made in the browser enrols an endpoint, which keeps its history, and nothing once it is revoked", async ({
  page,
  stack,
  signIn,
}) => {
  const api = await stack.adminApi();
  await signIn(stack.admin);
  const name = `key-${randomBytes(3).toString("hex")}`;
  await page.goto("/users/api-keys");
  await page.getByRole("button", { name: "Create key" }).first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill(name);
  await expect(dialog.getByLabel("May be used for")).toHaveValue("enrol");
  await dialog.getByRole("button", { name: "Create key" }).click();

  const command = (await dialog.getByText(/secureguard-agent enrol --server/).textContent()) ?? "";
  const words = command.split(" ");
  expect(words[words.indexOf("--server") + 1]).toBe(stack.url);
  const key = words[words.indexOf("--key") + 1] ?? "";
  expect(key).toMatch(/^sg_/);
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await expect(dialog, "the secret is not lost by a slip").toBeVisible();
  await dialog.getByRole("button", { name: "I have copied it" }).click();
  await expect(dialog).toBeHidden();
  await expect(page.getByText(key)).toHaveCount(0);

  const enrolled = new Api(stack.url, key);
  expect((await enrolled.call("GET", "/threats/incidents")).status, "an enrolment key reads nothing").toBe(
    403,
  );
  await test.step("this machine enrols anew and stays the same endpoint", async () => {
    const before = (await api.must(200, "GET", "/agents/endpoints")).body.items;
    await stack.runAgent("second-agent", key);
    await page.goto("/agents");
    const row = page.getByRole("row").filter({ hasText: stack.hostname });
    await expect(row).toHaveCount(1);
    await expect(row).toContainText("Online");
    const after = (await api.must(200, "GET", "/agents/endpoints")).body.items;
    expect(after[0].agent_id).toBe(before[0].agent_id);
  });

  await test.step("revoke", async () => {
    await page.goto("/users/api-keys");
    await page.getByRole("button", { name: `Revoke ${name}` }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Revoke key" }).click();
    await expect(page.getByRole("row").filter({ hasText: name })).toContainText("Revoked");
    await expect(stack.enrol("third-agent", key)).rejects.toThrow();
  });
});

test("a person made in the browser signs in with the one-time password and is deactivated", async ({
  page,
  stack,
  signIn,
  refusals,
}) => {
  refusals.expect(401);
  await stack.adminApi();
  await signIn(stack.admin);
  const username = `bo-${randomBytes(3).toString("hex")}`;
  await page.goto("/users");
  await page.getByRole("button", { name: "Create user" }).first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("User name").fill(username);
  await dialog.getByLabel("E-mail").fill(`${username}@example.org`);
  await dialog.getByLabel("Role").selectOption("user");
  await dialog.getByRole("button", { name: "Create user" }).click();
  const password = (await dialog.locator("pre").textContent()) ?? "";
  await dialog.getByRole("button", { name: "I have copied it" }).click();

  await page.context().clearCookies();
  await signInByForm(page, { username, password });
  await expect(page.getByRole("heading", { name: "Choose a new password" })).toBeVisible();
  const fresh = newPassword();
  await page.getByLabel("Current password").fill(password);
  await page.getByLabel("New password", { exact: true }).fill(fresh);
  await page.getByLabel("New password again").fill(fresh);
  await page.getByRole("button", { name: "Change password" }).click();
  const nav = page.getByRole("navigation", { name: "Main" });
  await expect(nav.getByRole("link", { name: "Endpoints" })).toBeVisible();
  await expect(nav.getByRole("link", { name: "Users" })).toHaveCount(0);
  await page.goto("/agents");
  await expect(page.getByText("No endpoints yet"), "a user sees the endpoints that are theirs").toBeVisible();

  await signIn(stack.admin);
  await page.goto("/users");
  await page.getByRole("button", { name: `Deactivate ${username}` }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Deactivate" }).click();
  await expect(page.getByRole("row").filter({ hasText: username })).toContainText("Deactivated");
  expect((await new Api(stack.url).call("POST", "/sessions", { username, password: fresh })).status).toBe(
    401,
  );
});

test("a tenant made in the browser is on the list, and its short name is taken from then on", async ({
  page,
  stack,
  signIn,
  refusals,
}) => {
  refusals.expect(409);
  await stack.adminApi();
  await signIn(stack.admin);
  const suffix = randomBytes(3).toString("hex");
  await page.goto("/users/tenants");
  await create();
  await expect(page.getByRole("row").filter({ hasText: `norden-${suffix}` })).toContainText("Active");
  await create();
  await expect(page.getByRole("dialog").getByRole("alert")).toBeVisible();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();

  const row = page.getByRole("row").filter({ hasText: `norden-${suffix}` });
  await row.getByRole("button", { name: `Suspend Nörden ${suffix}` }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Suspend" }).click();
  await expect(row).toContainText("Suspended");
  await row.getByRole("button", { name: `Remove Nörden ${suffix}` }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await expect(row).toContainText("erased on");
  await row.getByRole("button", { name: `Resume Nörden ${suffix}` }).click();
  await expect(row).toContainText("Active");
  // Nobody locks themselves out.
  const own = page.getByRole("row").filter({ hasText: "Default" });
  await expect(own.getByRole("button", { name: "Suspend" })).toHaveCount(0);

  async function create() {
    await page.getByRole("button", { name: "Create tenant" }).first().click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Name", { exact: true }).fill(`Nörden ${suffix}`);
    await expect(dialog.getByLabel("Short name")).toHaveValue(`norden-${suffix}`);
    await dialog.getByRole("button", { name: "Create tenant" }).click();
  }
});
