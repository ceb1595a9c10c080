import { randomBytes } from "node:crypto";
import { Api } from "../support/api";
import { eventually } from "../support/process";
import { expect, test } from "../support/test";
import { writeEicar } from "../support/threats";

test("a second tenant's administrator sees none of the first, by console or API", async ({
  page,
  stack,
  signIn,
  refusals,
}) => {
  refusals.expect(404);
  const api = await stack.adminApi();
  const name = `other-${randomBytes(3).toString("hex")}`;
  const { path } = writeEicar(stack.watched);
  const incident = await eventually("the incident", 15_000, async () => {
    const { body } = await api.must(200, "GET", `/threats/incidents?search=${encodeURIComponent(path)}`);
    return body.items[0];
  });
  const { body: tenant } = await api.must(201, "POST", "/users/tenants", { name, slug: name });
  const stranger = await stack.makeUser(api, {
    username: `adm-${name}`,
    role: "admin",
    tenant_id: tenant.tenant_id,
  });

  await test.step("by API", async () => {
    const theirs = await new Api(stack.url).signIn(stranger.username, stranger.password);
    for (const list of ["/agents/endpoints", "/threats/incidents", "/users/api-keys"]) {
      expect((await theirs.must(200, "GET", list)).body.items, list).toEqual([]);
    }
    const people = (await theirs.must(200, "GET", "/users")).body.items;
    expect(people.map((user: { username: string }) => user.username)).toEqual([stranger.username]);
    for (const one of [
      `/threats/incidents/${incident.threat_id}`,
      `/agents/endpoints/${incident.agent_id}`,
      `/agents/endpoints/${incident.agent_id}/metrics`,
      `/agents/endpoints/${incident.agent_id}/events`,
    ]) {
      await theirs.must(404, "GET", one);
    }
    await theirs.must(404, "PATCH", `/threats/incidents/${incident.threat_id}`, { status: "resolved" });
    await theirs.must(404, "POST", `/agents/endpoints/${incident.agent_id}/decommission`);
    const audit = (await theirs.must(200, "GET", "/audit/events?limit=500")).body.items;
    expect(JSON.stringify(audit)).not.toContain(incident.threat_id);
  });

  await test.step("by console", async () => {
    await signIn(stranger);
    await expect(page.getByText("Enrol the first endpoint")).toBeVisible();
    await page.goto("/agents");
    await expect(page.getByText("No endpoints yet")).toBeVisible();
    await page.goto("/threats");
    await expect(page.getByText("No incidents", { exact: true })).toBeVisible();
    await page.goto(`/threats/${incident.threat_id}`);
    await expect(page.getByText("There is no such incident in this tenant.")).toBeVisible();
    await page.goto(`/agents/${incident.agent_id}`);
    await expect(page.getByText("There is no such endpoint in this tenant.")).toBeVisible();
    await page.goto("/audit");
    await expect(page.getByRole("article").first()).toBeVisible();
    await expect(page.getByText(incident.threat_id)).toHaveCount(0);
    await page.goto("/users/tenants");
    await expect(page.getByText("Your role does not include this page.")).toBeVisible();
  });
});
