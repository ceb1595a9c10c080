import { expect, test } from "../support/test";

test("a decommissioned endpoint is refused at once and keeps its history", async ({
  page,
  stack,
  signIn,
}) => {
  const api = await stack.adminApi();
  const { body } = await api.must(200, "GET", "/agents/endpoints?status=active");
  const endpoint = body.items[0];
  await signIn(stack.admin);
  await page.goto(`/agents/${endpoint.agent_id}`);
  await page.getByRole("button", { name: "Decommission" }).click();
  const dialog = page.getByRole("dialog", { name: "Decommission this endpoint?" });
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await expect(dialog).toBeHidden();
  await page.getByRole("button", { name: "Decommission" }).click();
  await dialog.getByRole("button", { name: "Decommission" }).click();
  await expect(page.locator("main header").first()).toContainText("Decommissioned");
  await expect(page.getByRole("button", { name: "Decommission" })).toHaveCount(0);
  await expect(page.getByRole("img", { name: /^CPU\. CPU: last/ })).toBeVisible();

  const { body: now } = await api.must(200, "GET", `/agents/endpoints/${endpoint.agent_id}`);
  expect(now.status).toBe("decommissioned");
});
