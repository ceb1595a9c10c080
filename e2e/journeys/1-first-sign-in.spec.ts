import { newPassword } from "../support/stack";
import { expect, signInByForm, test } from "../support/test";

test("the first administrator chooses a password, comes back and signs out", async ({
  page,
  stack,
  refusals,
}) => {
  refusals.expect(401, 422);
  test.skip(!stack.adminIsFresh, "the one-time password was used by an earlier journey");
  const oneTime = stack.admin.password;

  await test.step("a wrong password is refused in words", async () => {
    await signInByForm(page, { ...stack.admin, password: "not the password" });
    await expect(page.getByRole("alert")).toContainText("User name or password is wrong");
    await expect(page.getByLabel("Password")).toBeFocused();
  });

  await test.step("the one-time password leads to the choice of an own one, and nowhere else", async () => {
    await signInByForm(page, stack.admin);
    await expect(page.getByRole("heading", { name: "Choose a new password" })).toBeVisible();
    await page.goto("/threats");
    await expect(page.getByRole("heading", { name: "Choose a new password" })).toBeVisible();
  });

  await test.step("a weak password is refused with its reasons", async () => {
    await choose(oneTime, "short");
    const reasons = page.getByRole("alert").getByRole("listitem");
    await expect(reasons.first()).toBeVisible();
    expect((await reasons.allTextContents()).join(" ")).toMatch(/character|long/i);
  });

  await test.step("a good one opens the console", async () => {
    const fresh = newPassword();
    await choose(oneTime, fresh);
    await expect(page.getByRole("heading", { name: "Incidents", level: 1 })).toBeVisible();
    stack.admin.password = fresh;
    stack.adminIsFresh = false;
  });

  await test.step("a reload keeps the session, signing out ends it", async () => {
    await page.goto("/");
    await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
    await expect(page.getByText("Live", { exact: true })).toBeVisible();
    await page.getByRole("button", { name: "Sign out" }).click();
    await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
    await page.goBack();
    await page.reload();
    await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  });

  await test.step("the one-time password no longer works", async () => {
    await signInByForm(page, { ...stack.admin, password: oneTime });
    await expect(page.getByRole("alert")).toContainText("User name or password is wrong");
  });

  async function choose(current: string, fresh: string) {
    await page.getByLabel("Current password").fill(current);
    await page.getByLabel("New password", { exact: true }).fill(fresh);
    await page.getByLabel("New password again").fill(fresh);
    await page.getByRole("button", { name: "Change password" }).click();
  }
});
