/** What every journey gets: the installation, a page that must not complain, and people who are signed in. */

import { basename } from "node:path";
import { test as base, type ConsoleMessage, expect, type Page } from "@playwright/test";
import { type Account, Stack } from "./stack";

export { expect };

/** Refused requests that a journey provokes on purpose: the browser reports each on its console. */
class Refusals {
  readonly statuses = new Set<number>();
  /** Whether the server is down for a while. */
  outage = false;

  expect(...statuses: number[]): void {
    for (const status of statuses) this.statuses.add(status);
  }
}

interface Fixtures {
  refusals: Refusals;
  signIn: (account: Account) => Promise<void>;
}

export const test = base.extend<Fixtures, { stack: Stack }>({
  stack: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads a fixture's needs from this pattern
    async ({}, use) => {
      const stack = await Stack.start();
      await use(stack);
      await stack.stop();
    },
    { scope: "worker", timeout: 150_000 },
  ],

  baseURL: async ({ stack }, use) => use(stack.url),

  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads a fixture's needs from this pattern
  refusals: async ({}, use) => use(new Refusals()),

  page: async ({ page, refusals, stack }, use, testInfo) => {
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(`page error: ${error.stack ?? error}`));
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type()) && !isExpected(message, refusals)) {
        complaints.push(`${message.type()}: ${message.text()} (${message.location().url})`);
      }
    });
    await use(page);
    if (testInfo.status !== testInfo.expectedStatus) {
      for (const log of stack.logs())
        await testInfo.attach(basename(log), { path: log, contentType: "text/plain" });
    }
    expect(complaints, "console errors, page errors and violations of the content security policy").toEqual(
      [],
    );
  },

  signIn: async ({ page, stack }, use) => {
    await use(async (account) => {
      const known = sessions.get(stack)?.get(account.username);
      await page.context().clearCookies();
      if (known) {
        await page.context().addCookies(known);
        await page.goto("/");
      } else {
        await signInByForm(page, account);
        await expect(page.getByRole("navigation", { name: "Main" })).toBeVisible();
        const cookies = await page.context().cookies();
        if (!sessions.has(stack)) sessions.set(stack, new Map());
        sessions.get(stack)?.set(account.username, cookies);
      }
      await expect(page.getByRole("navigation", { name: "Main" })).toBeVisible();
    });
  },
});

/** Sessions that were opened by the form already: signing in anew for every journey would run into the rate limit. */
const sessions = new WeakMap<
  Stack,
  Map<string, Awaited<ReturnType<ReturnType<Page["context"]>["cookies"]>>>
>();

/** Forgets a session that a journey has ended. */
export function forgetSession(stack: Stack, account: Account): void {
  sessions.get(stack)?.delete(account.username);
}

export async function signInByForm(page: Page, account: Account): Promise<void> {
  await page.goto("/");
  await page.getByLabel("User name").fill(account.username);
  await page.getByLabel("Password").fill(account.password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
}

function isExpected(message: ConsoleMessage, refusals: Refusals): boolean {
  if (refusals.outage && /net::ERR_/.test(message.text())) return true;
  const status = /^Failed to load resource: the server responded with a status of (\d+)/.exec(
    message.text(),
  )?.[1];
  if (status === undefined) return false;
  const path = new URL(message.location().url).pathname;
  // The console asks who is signed in before it shows the sign-in page.
  return (status === "401" && path === "/api/v1/sessions/current") || refusals.statuses.has(Number(status));
}
