import { join } from "node:path";
import type { Page } from "@playwright/test";
import { expectAccessible } from "../support/axe";
import { Program } from "../support/process";
import { runSqlAsSuperuser } from "../support/sql";
import { expect, test } from "../support/test";

const SHOTS = join(import.meta.dirname, "../screenshots");

async function look(page: Page, name: string) {
  for (const theme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: theme });
    await expectAccessible(page, `${name} (${theme})`);
    await page.screenshot({ path: join(SHOTS, `${name}-${theme}.png`), fullPage: true });
  }
  await page.setViewportSize({ width: 320, height: 640 });
  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  expect(overflow, `${name} is wider than 320 pixels`).toBeLessThanOrEqual(0);
  await page.screenshot({ path: join(SHOTS, `${name}-narrow.png`), fullPage: true });
  await page.setViewportSize({ width: 1280, height: 860 });
}

/** Thirty days of figures before today, of every tenant and of the installation, and the report on a week. */
const HISTORY = `
insert into monitoring.kpi_samples (tenant_id, day, measured_at, sign_ins, failed_sign_ins, lockouts, confirmed_incidents, false_incidents, people,
  compliant_people, queries, query_milliseconds, connections, max_connections, index_rows, scanned_rows, database_bytes, disk_used_bytes, disk_total_bytes)
select t.tenant_id, current_date - n, now(), 40 + n % 7, (n * 7) % 11, n % 3, 4, n % 3, 12, 12 - n % 2,
  120000, 80000 + 4000 * (n % 5), 20 + n % 9, 97, 900000 + n, 60000 + 3000 * n, 900000000 - 9000000::bigint * n, 60000000000, 100000000000
from users.tenants t, generate_series(1, 30) n on conflict do nothing;
update monitoring.kpi_samples set database_bytes = 900000000, disk_used_bytes = 84500000000, disk_total_bytes = 100000000000, people = 12, compliant_people = 12
where day = current_date;
insert into monitoring.reports (report_id, tenant_id, kind, from_at, to_at, created_at, finished_at, content)
select gen_random_uuid(), t.tenant_id, 'kpis', date_trunc('week', now()) - interval '7 days', date_trunc('week', now()), now(), now(),
  '{"week": {"sign_ins": 70, "failed_sign_ins": 7, "failed_sign_in_rate": 0.1, "lockouts": 1, "password_compliance": 0.9, "closed_incidents": 8,
    "detection_accuracy": 0.75}, "week_before": {"sign_ins": 60, "failed_sign_ins": 12, "failed_sign_in_rate": 0.2, "lockouts": 3,
    "password_compliance": 0.8, "closed_incidents": 4, "detection_accuracy": 0.5}}'
from users.tenants t`;

test("an administrator follows the figures, runs maintenance, reads its report and asks for the next by mail", async ({
  page,
  stack,
  signIn,
}) => {
  test.setTimeout(180_000);
  await stack.adminApi();
  await signIn(stack.admin);

  await test.step("before anything was done the pages say what will be", async () => {
    await page.goto("/monitoring/reports");
    await expect(page.getByText("No report yet")).toBeVisible();
    await page.goto("/monitoring/maintenance");
    await expect(page.getByText("Nothing yet")).toBeVisible();
  });

  await test.step("maintenance by hand, beside the server", async () => {
    for (const period of ["daily", "weekly", "monthly"]) {
      const log = join(stack.dir, `maintenance-${period}.log`);
      const args = ["maintenance", "run", period, "--data-dir", join(stack.dir, "data")];
      const run = new Program("secureguard", args, log);
      expect(await run.exited(60_000), run.tail()).toBe(0);
    }
    await page.goto("/monitoring/maintenance");
    await expect(page.getByRole("row").filter({ hasText: "Monthly maintenance" })).toContainText("Completed");
    await look(page, "maintenance");
  });

  await test.step("maintenance from the console, with the keyboard", async () => {
    await page.getByLabel("Maintenance to run").selectOption("weekly");
    await page.getByLabel("Maintenance to run").focus();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await expect(page.getByRole("status").filter({ hasText: "Weekly maintenance asked for" })).toHaveCount(1);
    const asked = page.getByRole("row").filter({ hasText: "asked for by admin" });
    await expect(asked).toContainText("Completed", { timeout: 60_000 });
    await expect(asked.getByRole("link", { name: "Weekly maintenance" })).toBeVisible();
    await look(page, "maintenance-asked");
  });

  await test.step("the installation's report says what to do", async () => {
    await page.getByRole("link", { name: "Daily maintenance" }).click();
    await expect(page.getByRole("heading", { name: "Daily maintenance", level: 1 })).toBeVisible();
    await expect(page.getByText("No backups are made.")).toBeVisible();
    await expect(page.getByText("secureguard backup init")).toBeVisible();
    await look(page, "report");
  });

  await test.step("the figures as tiles and lines, of the tenant and of the installation", async () => {
    runSqlAsSuperuser(stack, HISTORY);
    await page.goto("/monitoring/kpis");
    await expect(page.getByRole("img", { name: /^Failed sign-ins\./ })).toBeVisible();
    await expect(page.getByText("Average query")).toHaveCount(0);
    await look(page, "kpis");
    await page.getByLabel("Of", { exact: true }).selectOption({ label: "The installation" });
    await expect(page.getByRole("img", { name: /^Database\./ })).toBeVisible();
    await expect(page.getByText(/its disk is 85 % full on/)).toBeVisible();
    await look(page, "kpis-installation");
  });

  await test.step("the week against the one before", async () => {
    await page.goto("/monitoring/reports");
    await page.getByRole("link", { name: "Figures of the week" }).click();
    const row = page.getByRole("row").filter({ hasText: "Failed sign-ins" });
    await expect(row).toContainText("10.0 % (7 of 70)");
    await expect(row).toContainText("20.0 % (12 of 60)");
    await look(page, "report-week");
  });

  await test.step("what comes by mail is chosen, and kept", async () => {
    await page.goto("/monitoring/reports");
    const choice = page.getByLabel("Figures of the week", { exact: true });
    await expect(choice).toHaveValue("never");
    await choice.selectOption({ label: "Always" });
    await expect(page.getByRole("status").filter({ hasText: "Figures of the week: Always" })).toHaveCount(1);
    await page.reload();
    await expect(choice).toHaveValue("always");
    await look(page, "reports");
  });
});
