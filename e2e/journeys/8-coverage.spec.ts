import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expectAccessible } from "../support/axe";
import { eventually } from "../support/process";
import { runSql } from "../support/sql";
import { expect, test } from "../support/test";

const SHOTS = join(import.meta.dirname, "../screenshots");

test("an agent that is killed is late, then offline, raises one alert, and when it is back the page says what was missed", async ({
  page,
  stack,
  signIn,
}) => {
  test.setTimeout(240_000);
  mkdirSync(SHOTS, { recursive: true });
  const api = await stack.adminApi();
  await signIn(stack.admin);
  const { items } = (await api.must(200, "GET", "/agents/endpoints?liveness=online")).body;
  const endpoint = items[0];
  const alerts = async (state: string) =>
    (await api.must(200, "GET", `/monitoring/alerts?state=${state}`)).body.items.filter(
      (alert: { kind: string }) => alert.kind === "endpoint_offline",
    );
  // Every few seconds, so that nobody has to wait for minutes.
  runSql(stack, "update agents.endpoints set heartbeat_interval = 8");
  await page.goto(`/agents/${endpoint.agent_id}`);
  const coverage = page.getByRole("region", { name: "Coverage" });
  await expect(coverage).toBeVisible();

  // It hears of that with its next check-in. Killed just after the one that follows, it leaves no records from the time in which it is missed.
  const lastSeen = async () =>
    (await api.must(200, "GET", `/agents/endpoints/${endpoint.agent_id}`)).body.last_seen as string;
  for (const which of ["next", "second"]) {
    const before = await lastSeen();
    await eventually(`the ${which} check-in`, 60_000, async () =>
      (await lastSeen()) === before ? undefined : true,
    );
  }

  const { restart } = await stack.killAgent();
  await expect(coverage.getByText("Nothing has been heard of the endpoint since then.")).toBeVisible({
    timeout: 60_000,
  });
  await expect(page.getByText("Offline", { exact: true }).first()).toBeVisible();
  await expect(coverage).toContainText("goes on");
  const firing = await eventually("the alert", 30_000, async () => {
    const found = await alerts("firing");
    return found.length > 0 ? found : undefined;
  });
  expect(firing).toHaveLength(1);
  expect(firing[0].summary).toContain(`${endpoint.hostname} has not checked in since`);

  await test.step("it is back, and what was missed is told with its cause", async () => {
    restart();
    await expect(coverage.getByText("Agent killed").first()).toBeVisible({ timeout: 60_000 });
    await expect(coverage.getByText("Agent down").first()).toBeVisible();
    await expect(coverage).toContainText(
      "The agent was killed or crashed, and was started again; the machine ran.",
    );
    expect(await alerts("firing")).toHaveLength(0);
    expect(await alerts("resolved")).toHaveLength(1);
  });

  await test.step("in both themes, and on a narrow screen", async () => {
    for (const theme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme: theme });
      await expectAccessible(page, `coverage, ${theme}`);
      await coverage.scrollIntoViewIfNeeded();
      await coverage.screenshot({ path: join(SHOTS, `coverage-${theme}.png`) });
    }
    await page.setViewportSize({ width: 360, height: 800 });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
    expect(wide, "fits a narrow screen").toBe(false);
    await coverage.screenshot({ path: join(SHOTS, "coverage-narrow.png") });
  });
  runSql(stack, "update agents.endpoints set heartbeat_interval = 30");
});
