import { randomBytes } from "node:crypto";
import { Api } from "../support/api";
import { runSql } from "../support/sql";
import { expect, test } from "../support/test";

test("an administrator puts a policy in force by one click, and ends sessions of their own and of others", async ({
  page,
  stack,
  signIn,
  refusals,
}) => {
  // The old session, asked to prove who it is.
  refusals.expect(403);
  const admin = await stack.adminApi();
  const own = await stack.makeUser(admin, {
    username: `po-${randomBytes(3).toString("hex")}`,
    role: "admin",
  });
  const other = await stack.makeUser(admin, {
    username: `se-${randomBytes(3).toString("hex")}`,
    role: "user",
  });
  await signIn(own);

  await test.step("the policy", async () => {
    await page.goto("/users/password-policy");
    await page.getByRole("button", { name: "Use NIST" }).click();
    await expect
      .poll(async () => (await admin.must(200, "GET", "/users/password-policy")).body.profile)
      .toBe("nist");
    await page.getByRole("button", { name: "Use default" }).click();
    await expect
      .poll(async () => (await admin.must(200, "GET", "/users/password-policy")).body.profile)
      .toBe("default");
  });

  await test.step("a session of one's own", async () => {
    const elsewhere = await new Api(stack.url).signIn(own.username, own.password);
    await page.goto("/users/me");
    const of = `(select user_id from users.users where username = '${own.username}')`;
    runSql(
      stack,
      `update users.sessions set created_at = created_at - interval '6 minutes', verified_at = null where user_id = ${of}`,
    );
    const before = await page.context().cookies();
    await page.getByRole("button", { name: "End all other sessions" }).click();
    const asked = page.getByRole("dialog", { name: "Is it you?" });
    await asked.getByLabel("Password").fill(own.password);
    await page.keyboard.press("Enter");
    await expect(asked).toBeHidden();
    await expect.poll(async () => (await elsewhere.call("GET", "/sessions/current")).status).toBe(401);
    await expect(page.getByRole("navigation", { name: "Main" }), "this one goes on").toBeVisible();
    const token = (cookies: typeof before) => cookies.find((one) => one.name.endsWith("sg_session"))?.value;
    expect(token(await page.context().cookies()), "with a new token").not.toBe(token(before));
  });

  await test.step("the sessions of somebody else", async () => {
    const theirs = await new Api(stack.url).signIn(other.username, other.password);
    await page.goto("/users");
    await page.getByRole("button", { name: `End sessions of ${other.username}` }).click();
    await expect.poll(async () => (await theirs.call("GET", "/sessions/current")).status).toBe(401);
    await new Api(stack.url).signIn(other.username, other.password);
  });
});
