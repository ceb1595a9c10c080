import { randomBytes } from "node:crypto";
import { Api } from "../support/api";
import { expect, test } from "../support/test";

test("a customer's administrator lets a provider's analyst in and out again, by a role of their own", async ({
  page,
  stack,
  signIn,
  refusals,
}) => {
  refusals.expect(404);
  const api = await stack.adminApi();
  const suffix = randomBytes(3).toString("hex");
  const name = `customer-${suffix}`;
  const { body: tenant } = await api.must(201, "POST", "/users/tenants", { name, slug: name });
  const admin = await stack.makeUser(api, {
    username: `adm-${suffix}`,
    role: "admin",
    tenant_id: tenant.tenant_id,
  });
  const analyst = await stack.makeUser(api, { username: `ana-${suffix}`, role: "manager" });

  await test.step("a role for it", async () => {
    await signIn(admin);
    await page.goto("/users/roles");
    await page.getByRole("button", { name: "Create role" }).first().click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Name", { exact: true }).fill("night_shift");
    await dialog.getByLabel("See incidents with their evidence.").check();
    await dialog.getByLabel("See endpoints, their metrics and events.").check();
    await dialog.getByRole("button", { name: "Save role" }).click();
    await expect(page.getByRole("row").filter({ hasText: "Night shift" })).toContainText("Within");
  });

  await test.step("access by it", async () => {
    await page.goto("/users");
    await page.getByRole("button", { name: "Give access" }).first().click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("User name").fill(analyst.username);
    await dialog.getByLabel("Role").selectOption("night_shift");
    await dialog.getByLabel("Why").fill("contract 7");
    await dialog.getByRole("button", { name: "Give access" }).click();
    await expect(page.getByRole("button", { name: `End access of ${analyst.username}` })).toBeVisible();
  });

  await test.step("the analyst works there", async () => {
    await signIn(analyst);
    await page.goto("/");
    await page.getByLabel("Tenant", { exact: true }).selectOption({ label: name });
    await expect(page.getByText("Night shift")).toBeVisible();
    await page.goto("/threats");
    await expect(page.getByText("No incidents", { exact: true })).toBeVisible();
    const nav = page.getByRole("navigation", { name: "Main" });
    await expect(nav.getByRole("link", { name: "Users" })).toHaveCount(0);
  });

  await test.step("until it ends", async () => {
    const theirs = await new Api(stack.url).signIn(admin.username, admin.password);
    const { body: people } = await theirs.must(200, "GET", "/users/memberships");
    await theirs.must(204, "DELETE", `/users/memberships/${people.items[0].user_id}`);
    await page.reload();
    await expect(page.getByLabel("Tenant", { exact: true })).toHaveCount(0);
    await expect(page.getByText("Night shift")).toHaveCount(0);
  });

  await test.step("and the subscription is shown", async () => {
    await signIn(admin);
    await page.goto("/users/subscription");
    await expect(page.getByText("0, no limit")).toBeVisible();
    await expect(page.getByRole("cell", { name: "unlimited" })).toBeVisible();
  });
});
