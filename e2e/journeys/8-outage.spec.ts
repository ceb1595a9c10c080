import { expect, test } from "../support/test";
import { writeEicar } from "../support/threats";

test("an open page says when the server is gone, and shows what happened meanwhile once it is back", async ({
  page,
  stack,
  signIn,
  refusals,
}) => {
  test.setTimeout(180_000);
  refusals.outage = true;
  await stack.adminApi();
  await signIn(stack.admin);
  await page.goto("/threats");
  await expect(page.getByText("Live", { exact: true })).toBeVisible();

  const fetched = () =>
    page.evaluate(() =>
      performance
        .getEntriesByType("resource")
        .map((one) => one.name)
        .join(" "),
    );
  await expect.poll(fetched, "the other pages are fetched ahead").toContain("EndpointList");
  const { restart } = await stack.killServer();
  await expect(page.getByText("Not live")).toBeVisible();
  const { path } = writeEicar(stack.watched);
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Endpoints" }).click();
  await expect(page.getByRole("alert")).toContainText("The server cannot be reached.");
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Incidents" }).click();

  await restart();
  await expect(page.getByText("Live", { exact: true })).toBeVisible({ timeout: 60_000 });
  const row = page.getByRole("row").filter({ hasText: path });
  await expect(row, "what the agent kept while the server was gone, once").toHaveCount(1, {
    timeout: 60_000,
  });
});
