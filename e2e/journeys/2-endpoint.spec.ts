import { expect, test } from "../support/test";

test("this machine is on the list, with its processor and memory on the chart within a minute of the start", async ({
  page,
  stack,
  signIn,
}) => {
  await stack.adminApi();
  await signIn(stack.admin);
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Endpoints" }).click();
  const row = page.getByRole("row", { name: stack.hostname });
  await expect(row).toContainText("Online");
  await row.getByRole("link", { name: stack.hostname }).click();
  await expect(page.getByRole("heading", { name: stack.hostname, level: 1 })).toBeVisible();

  const left = stack.startedAt + 60_000 - Date.now();
  for (const chart of ["CPU", "Memory"]) {
    await expect(
      page.getByRole("img", { name: new RegExp(`^${chart}\\. ${chart}: last \\d+(\\.\\d+)? %`) }),
    ).toBeVisible({
      timeout: Math.max(left, 5_000),
    });
  }
  await expect(page.getByRole("img", { name: /^Network\. In: last .*\/s.*Out: last/ })).toBeVisible();

  await test.step("what the agent sees, and what it does not, is said", async () => {
    const sources = page.getByRole("region", { name: "Telemetry sources" });
    await expect(sources.getByText("Process", { exact: true })).toBeVisible();
    await expect(sources.getByText("File", { exact: true })).toBeVisible();
  });

  await test.step("another range is remembered in the address", async () => {
    await page.getByRole("button", { name: "24 h" }).click();
    await expect(page).toHaveURL(/range=24h/);
    await expect(page.getByRole("button", { name: "24 h" })).toHaveAttribute("aria-pressed", "true");
    await expect(page.getByRole("img", { name: /^CPU\. CPU: last/ })).toBeVisible();
  });

  await test.step("the list can be searched and filtered", async () => {
    await page.goto("/agents");
    await page.getByLabel("Search endpoints").fill("no-such-machine");
    await expect(page.getByText("No endpoint fits these filters")).toBeVisible();
    await page.getByRole("link", { name: "Show all endpoints" }).click();
    await page.getByLabel("State").selectOption("offline");
    await expect(page.getByText("No endpoint fits these filters")).toBeVisible();
    await page.getByLabel("State").selectOption("online");
    await expect(page.getByRole("row", { name: stack.hostname })).toBeVisible();
  });
});
