import { randomBytes } from "node:crypto";
import { eventually } from "../support/process";
import { expect, test } from "../support/test";
import { writeEicar } from "../support/threats";

test("an analyst takes an incident, resolves it and re-opens it; the audit log shows each step", async ({
  page,
  stack,
  signIn,
}) => {
  const api = await stack.adminApi();
  const analyst = await stack.makeUser(api, {
    username: `ana-${randomBytes(3).toString("hex")}`,
    role: "manager",
  });
  const { path } = writeEicar(stack.watched);
  const incident = await eventually("the incident", 15_000, async () => {
    const { body } = await api.must(200, "GET", `/threats/incidents?search=${encodeURIComponent(path)}`);
    return body.items[0];
  });
  const notes = `Test file, deleted. ${randomBytes(4).toString("hex")}`;

  await signIn(analyst);
  const nav = page.getByRole("navigation", { name: "Main" });
  await test.step("what an analyst may not do is not shown", async () => {
    await expect(nav.getByRole("link", { name: "Incidents" })).toBeVisible();
    for (const name of ["Audit log", "Tenants"]) await expect(nav.getByRole("link", { name })).toHaveCount(0);
    await page.goto("/users");
    await expect(page.getByRole("button", { name: "Create user" })).toHaveCount(0);
    await page.goto("/audit");
    await expect(page.getByText("Your role does not include this page.")).toBeVisible();
  });

  await page.goto(`/threats/${incident.threat_id}`);
  const work = page.getByRole("group", { name: "Work on this incident" });
  const badges = page.locator("main header").first();
  await test.step("assign", async () => {
    await work.getByRole("button", { name: "Assign to me" }).click();
    await expect(work.getByRole("button", { name: "Assign to me" })).toHaveCount(0);
    await expect(work.getByLabel("Assigned to")).toContainText(analyst.username);
  });
  await test.step("investigate and note", async () => {
    await work.getByRole("button", { name: "Start investigating" }).click();
    await expect(badges).toContainText("Investigating");
    await page.getByLabel("Add a note").fill("Asked the owner of the machine.");
    await page.getByRole("button", { name: "Add note" }).click();
    await expect(page.getByRole("region", { name: "Timeline" })).toContainText(
      "Asked the owner of the machine.",
    );
  });
  await test.step("resolve", async () => {
    await work.getByRole("button", { name: "Resolve" }).click();
    const dialog = page.getByRole("dialog", { name: "Resolve this incident" });
    await dialog.getByLabel("What was found out").fill(notes);
    await dialog.getByRole("button", { name: "Resolve" }).click();
    await expect(badges).toContainText("Resolved");
    await expect(page.getByText(notes).first()).toBeVisible();
    await expect(work.getByRole("button")).toHaveText(["Re-open"]);
  });

  await test.step("the audit log says who, when, what, before and after", async () => {
    await signIn(stack.admin);
    await page.goto(`/audit?object_id=${incident.threat_id}`);
    const entry = page.getByRole("article").filter({ hasText: notes });
    await expect(entry).toContainText(analyst.username);
    await expect(entry).toContainText("Success");
    const status = entry.getByRole("row", { name: /^status / });
    await expect(status.getByRole("cell")).toHaveText(["investigating", "resolved"]);
    const at = Date.parse((await entry.getByRole("time").first().getAttribute("datetime")) ?? "");
    expect(Math.abs(Date.now() - at)).toBeLessThan(120_000);
  });

  await test.step("re-open", async () => {
    await signIn(analyst);
    await page.goto(`/threats/${incident.threat_id}`);
    await work.getByRole("button", { name: "Re-open" }).click();
    await expect(badges).toContainText("Investigating");
  });
});
