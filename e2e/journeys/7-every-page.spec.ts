import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { expectAccessible } from "../support/axe";
import { eventually } from "../support/process";
import { expect, test } from "../support/test";
import { writeEicar } from "../support/threats";

const SHOTS = join(import.meta.dirname, "../screenshots");
const THEMES = ["light", "dark"] as const;

interface Visit {
  name: string;
  path: string;
  /** There when the page has loaded. */
  ready: (page: Page) => Promise<void>;
}

const heading = (name: string | RegExp) => async (page: Page) => {
  await expect(page.getByRole("heading", { name, level: 1 })).toBeVisible();
  await expect(page.getByText("Loading", { exact: true })).toHaveCount(0);
};

test("every page is accessible, fits a narrow screen and keeps the content security policy, in both themes", async ({
  page,
  stack,
  signIn,
}) => {
  test.setTimeout(240_000);
  mkdirSync(SHOTS, { recursive: true });
  const api = await stack.adminApi();
  writeEicar(stack.watched);
  const incident = await eventually("an incident", 15_000, async () => {
    const { body } = await api.must(200, "GET", "/threats/incidents");
    return body.items[0];
  });
  const { items: rules } = (await api.must(200, "GET", "/threats/rules?kind=sigma")).body;
  const visits: Visit[] = [
    { name: "overview", path: "/", ready: heading("Overview") },
    { name: "incidents", path: "/threats", ready: heading("Incidents") },
    { name: "incident", path: `/threats/${incident.threat_id}`, ready: heading(incident.title) },
    { name: "incidents-none", path: "/threats?search=nothing-has-this-name", ready: heading("Incidents") },
    { name: "rules", path: "/threats/rules", ready: heading("Rules") },
    { name: "add-rule", path: "/threats/rules/new", ready: heading("Add a rule") },
    {
      name: "rule",
      path: `/threats/rules/${encodeURIComponent(rules[0].rule_id)}`,
      ready: heading(rules[0].name),
    },
    { name: "exceptions", path: "/threats/exceptions", ready: heading("Exceptions") },
    { name: "placeholders", path: "/threats/rules/placeholders", ready: heading("Placeholders") },
    { name: "commands", path: "/agents/commands", ready: heading("Commands") },
    { name: "endpoints", path: "/agents", ready: heading("Endpoints") },
    { name: "endpoint", path: `/agents/${incident.agent_id}`, ready: heading(incident.hostname) },
    { name: "api-keys", path: "/users/api-keys", ready: heading("API keys") },
    { name: "api-reference", path: "/users/api-keys/reference", ready: heading("API reference") },
    {
      name: "api-operation",
      path: "/users/api-keys/reference?search=patch%20incidents",
      ready: (page: Page) => expect(page.getByRole("heading", { name: "From a terminal" })).toBeVisible(),
    },
    { name: "users", path: "/users", ready: heading("Users") },
    { name: "roles", path: "/users/roles", ready: heading("Roles") },
    { name: "subscription", path: "/users/subscription", ready: heading("Subscription") },
    { name: "password-policy", path: "/users/password-policy", ready: heading("Password policy") },
    { name: "tenants", path: "/users/tenants", ready: heading("Tenants") },
    { name: "providers", path: "/users/providers", ready: heading("Identity providers") },
    { name: "account", path: "/users/me", ready: heading("Your account") },
    { name: "security", path: "/users/me/security", ready: heading("Security") },
    { name: "alerts", path: "/monitoring/alerts", ready: heading("Alerts") },
    { name: "key-figures", path: "/monitoring/kpis", ready: heading("Key figures") },
    {
      name: "key-figures-installation",
      path: "/monitoring/kpis?of=installation",
      ready: heading("Key figures"),
    },
    { name: "reports-none", path: "/monitoring/reports", ready: heading("Reports") },
    { name: "maintenance-none", path: "/monitoring/maintenance", ready: heading("Maintenance") },
    { name: "backups-none", path: "/monitoring/backups", ready: heading("Backups") },
    { name: "standbys-none", path: "/monitoring/standbys", ready: heading("Standbys") },
    { name: "channels-none", path: "/monitoring/channels", ready: heading("Channels") },
    {
      name: "channels-installation-none",
      path: "/monitoring/channels?of=installation",
      ready: heading("Channels"),
    },
    { name: "notifications-none", path: "/monitoring/notifications", ready: heading("Notifications") },
    {
      name: "notifications-installation-none",
      path: "/monitoring/notifications?of=installation",
      ready: heading("Notifications"),
    },
    { name: "audit", path: "/audit", ready: heading("Audit log") },
    { name: "not-found", path: "/nowhere", ready: heading("Page not found") },
  ];

  for (const [name, path] of [
    ["forgot-password", "/forgot-password"],
    ["set-password", "/set-password"],
    ["sign-in", "/"],
  ] as const) {
    await page.goto(path);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    for (const theme of THEMES) {
      await page.emulateMedia({ colorScheme: theme });
      await look(page, name, theme);
    }
  }
  await signIn(stack.admin);
  for (const visit of visits) {
    await page.goto(visit.path);
    await visit.ready(page);
    for (const theme of THEMES) {
      await page.emulateMedia({ colorScheme: theme });
      await look(page, visit.name, theme);
    }
    await page.setViewportSize({ width: 320, height: 640 });
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    expect(overflow, `${visit.name} is wider than 320 pixels`).toBeLessThanOrEqual(0);
    await page.screenshot({ path: join(SHOTS, `${visit.name}-narrow.png`) });
    await page.setViewportSize({ width: 1280, height: 860 });
  }
  const dialogs = [
    { name: "create-key", path: "/users/api-keys", button: "Create key" },
    { name: "create-user", path: "/users", button: "Create user" },
    { name: "create-role", path: "/users/roles", button: "Create role" },
    { name: "give-access", path: "/users", button: "Give access" },
    { name: "create-tenant", path: "/users/tenants", button: "Create tenant" },
  ];
  for (const one of dialogs) {
    await page.goto(one.path);
    await page.getByRole("button", { name: one.button }).first().click();
    await expect(page.getByRole("dialog")).toBeVisible();
    for (const theme of THEMES) {
      await page.emulateMedia({ colorScheme: theme });
      await look(page, one.name, theme);
    }
  }
});

test("the theme follows the system until somebody chooses, and the choice is kept", async ({
  page,
  stack,
  signIn,
}) => {
  await stack.adminApi();
  await page.emulateMedia({ colorScheme: "light" });
  await signIn(stack.admin);
  const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await background();
  await page.emulateMedia({ colorScheme: "dark" });
  const dark = await background();
  expect(dark).not.toBe(light);
  await page.getByRole("button", { name: "Switch to the light theme" }).click();
  expect(await background()).toBe(light);
  await page.reload();
  await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
  expect(await background()).toBe(light);
});

test("the console can be used by keyboard alone", async ({ page, stack, signIn }) => {
  await stack.adminApi();
  await signIn(stack.admin);
  await page.goto("/");
  await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
  await page.keyboard.press("Tab");
  const skip = page.getByRole("link", { name: "Skip to content" });
  for (
    let pressed = 0;
    pressed < 60 && !(await skip.evaluate((link) => link === document.activeElement));
    pressed += 1
  ) {
    await page.keyboard.press("Shift+Tab");
  }
  await expect(skip).toBeFocused();
  await expect(skip).toBeInViewport();
  await page.keyboard.press("Enter");
  await expect(page.locator("main")).toBeFocused();

  const link = page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Endpoints" });
  await link.focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "Endpoints", level: 1 })).toBeFocused();
  await page.goBack();
  await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
});

async function look(page: Page, name: string, theme: string): Promise<void> {
  await expectAccessible(page, `${name} (${theme})`);
  await page.screenshot({ path: join(SHOTS, `${name}-${theme}.png`), fullPage: true });
}
