import { randomBytes } from "node:crypto";
import { expect, test } from "../support/test";
import { runReverseShellLookalike, writeEicar } from "../support/threats";

const SOON = 10_000;

test("a malware file becomes one incident with two findings, in an open browser within 10 seconds", async ({
  page,
  stack,
  signIn,
}) => {
  await stack.adminApi();
  await signIn(stack.admin);
  await page.goto("/threats");
  await expect(page.getByRole("heading", { name: "Incidents" })).toBeVisible();
  await expect(page.getByText("Live", { exact: true })).toBeVisible();

  const { path, sha256 } = writeEicar(stack.watched);
  const row = page.getByRole("row").filter({ hasText: path });
  await expect(row).toBeVisible({ timeout: SOON });
  await expect(row).toContainText("New");
  await row.getByRole("link").first().click();

  const evidence = page.getByRole("region", { name: "Evidence" });
  await expect(evidence).toContainText(path);
  await expect(evidence).toContainText(sha256);
  const findings = page.getByRole("article");
  await expect(findings).toHaveCount(2, { timeout: SOON });
  await expect(findings.filter({ hasText: "Yara" })).toHaveCount(1);
  await expect(findings.filter({ hasText: "Indicator" })).toHaveCount(1);
  for (const finding of await findings.all()) await expect(finding.locator(".explanation")).not.toBeEmpty();

  await test.step("it can be found by its hash", async () => {
    await page.goto("/threats");
    await page.getByLabel("Search incidents").fill(sha256);
    await expect(page.getByRole("row").filter({ hasText: path })).toBeVisible();
    await expect(page).toHaveURL(new RegExp(`search=${sha256}`));
  });
});

test("a reverse shell's command line becomes an incident within 10 seconds", async ({
  page,
  stack,
  signIn,
}) => {
  await stack.adminApi();
  await signIn(stack.admin);
  const marker = randomBytes(4).toString("hex");
  await page.goto(`/threats?severity=high,critical&search=${marker}`);
  await expect(page.getByText("No incident fits these filters")).toBeVisible();
  await expect(page.getByText("Live", { exact: true })).toBeVisible();

  const ran = runReverseShellLookalike(marker);
  const row = page.getByRole("row").filter({ hasText: "/dev/tcp/127.0.0.1/1" });
  await expect(row).toBeVisible({ timeout: SOON });
  await row.getByRole("link").first().click();
  await ran;

  const evidence = page.getByRole("region", { name: "Evidence" });
  await expect(evidence).toContainText(marker);
  await expect(evidence).toContainText("bash");
  await expect(page.getByRole("article").first()).toContainText("Sigma");
  await expect(page.getByRole("region", { name: "Timeline" }).getByRole("listitem").first()).toBeVisible();
});
