import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expectAccessible } from "../support/axe";
import { eventually } from "../support/process";
import { expect, test } from "../support/test";
import { eicarText, writeEicar } from "../support/threats";

const SHOTS = join(import.meta.dirname, "../screenshots");

test("an analyst makes an exception from an incident, and what it hides opens none any more", async ({
  page,
  stack,
  signIn,
}) => {
  const api = await stack.adminApi();
  const { path } = writeEicar(stack.watched);
  const search = `/threats/incidents?search=${encodeURIComponent(path)}`;
  const incident = await eventually("the incident", 15_000, async () => {
    const { body } = await api.must(200, "GET", search);
    return body.items[0]?.finding_count === 2 ? body.items[0] : undefined;
  });
  await signIn(stack.admin);
  await page.goto(`/threats/${incident.threat_id}`);

  await test.step("two clicks, with what it would have hidden", async () => {
    await page
      .getByRole("button", { name: /^Make an exception/ })
      .first()
      .click();
    const dialog = page.getByRole("dialog", { name: "Make an exception" });
    await expect(dialog.getByRole("status")).toContainText("would have hidden 1 match on 1 endpoint");
    await dialog.getByLabel("Why it is harmless").fill("Our own test file.");
    await dialog.getByRole("checkbox", { name: /Only the rule/ }).uncheck();
    await expect(dialog.getByRole("status")).toContainText("2 matches");
    await expect(dialog.getByRole("status")).toContainText("1 incident would not have been opened");
    for (const theme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme: theme });
      await expectAccessible(page, `exception (${theme})`);
      await page.screenshot({ path: join(SHOTS, `exception-${theme}.png`) });
    }
    await dialog.getByRole("checkbox", { name: "File", exact: true }).uncheck();
    await expect(dialog.getByRole("button", { name: "Make exception" })).toBeDisabled();
    await dialog.getByRole("checkbox", { name: "File", exact: true }).check();
    await dialog.getByLabel("How File compares").selectOption("begins with");
    await dialog.getByRole("button", { name: "Make exception" }).click();
    await expect(dialog).toBeHidden();
    await expect(page.locator("main header").first()).toContainText("False positive");
  });

  await test.step("the next one is hidden and counted", async () => {
    writeFileSync(`${path}.again`, eicarText());
    await page.goto("/threats/exceptions");
    const row = page.getByRole("row").filter({ hasText: "Our own test file." });
    await expect(row).toContainText("In force");
    await eventually("both findings", 15_000, async () => {
      const { body } = await api.must(200, "GET", "/threats/exceptions");
      return body.items[0].hidden_count >= 2 ? true : undefined;
    });
    const { body } = await api.must(200, "GET", search);
    expect(body.items).toHaveLength(1);
    await page.reload();
    await row.getByRole("button", { name: /^Show/ }).click();
    await expect(page.getByRole("dialog")).toContainText(path);
    await page.screenshot({ path: join(SHOTS, "exception-hidden-light.png") });
    await page.keyboard.press("Escape");
    for (const theme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme: theme });
      await page.screenshot({ path: join(SHOTS, `exceptions-${theme}.png`), fullPage: true });
    }
  });

  await test.step("ended, it hides nothing more", async () => {
    await page.getByRole("button", { name: /^End / }).click();
    await page.getByRole("dialog").getByRole("button", { name: "End exception" }).click();
    await expect(page.getByRole("row").filter({ hasText: "Our own test file." })).toContainText("Ended");
    writeFileSync(`${path}.later`, eicarText());
    await eventually("a new incident", 15_000, async () => {
      const { body } = await api.must(200, "GET", search);
      return body.items.length === 2 ? true : undefined;
    });
  });
});
