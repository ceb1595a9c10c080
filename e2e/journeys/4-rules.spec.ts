import { spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { Api } from "../support/api";
import { expectAccessible } from "../support/axe";
import { eventually, Program } from "../support/process";
import { expect, test } from "../support/test";

const SHOTS = join(import.meta.dirname, "../screenshots");

/** A rule on programs with `marker` on their command line. */
const rule = (id: string, title: string, marker: string) => `title: ${title}
id: ${id}
level: high
logsource:
    product: linux
    category: process_creation
detection:
    selection:
        CommandLine|contains: '${marker}'
    condition: selection
`;

/** Runs a program that is there for some seconds with `marker` on its command line. */
function run(marker: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn("bash", ["-c", `sleep 3; : ${marker}`], { stdio: "ignore" });
    child.on("error", reject);
    child.on("exit", () => resolve());
  });
}

async function shoot(page: Page, name: string) {
  for (const theme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: theme });
    await expectAccessible(page, `${name} (${theme})`);
    await page.screenshot({ path: join(SHOTS, `${name}-${theme}.png`), fullPage: true });
  }
  await page.emulateMedia({ colorScheme: "light" });
}

test("a rule written in the console fires on this tenant's agent, and another tenant's has none of it", async ({
  page,
  refusals,
  stack,
  signIn,
}) => {
  test.setTimeout(180_000);
  mkdirSync(SHOTS, { recursive: true });
  const api = await stack.adminApi();
  const marker = `odd-${randomBytes(4).toString("hex")}`;
  const [id, title] = [randomUUID(), `Odd program ${marker}`];

  // What was seen before the rule: the trial finds it.
  await run(marker);
  await signIn(stack.admin);

  await test.step("the compiler's word stands at the line", async () => {
    await page.goto("/threats/rules");
    await page.getByRole("button", { name: "Add a rule" }).click();
    const text = page.getByLabel("Rule text", { exact: true });
    await expect(page.getByText("The rule compiles.")).toBeVisible();
    await text.fill(rule(id, title, marker).replace("condition: selection", "condition: selektion"));
    await expect(page.getByText("D011")).toBeVisible();
    await expect(page.getByRole("button", { name: "Add rule", exact: true })).toBeDisabled();
    await shoot(page, "rule-refused");
    await page.getByRole("button", { name: "Line 10" }).click();
    await expect(text).toBeFocused();
    await text.fill(rule(id, title, marker));
    await expect(page.getByText("The rule compiles.")).toBeVisible();
  });

  await test.step("it is tried out before it is saved", async () => {
    await eventually("a match", 20_000, async () => {
      await page.getByRole("button", { name: "Try it out" }).click();
      await expect(page.getByText(/among \d+ event/)).toBeVisible();
      return (await page.getByText("1 match on 1 endpoint").isVisible()) || undefined;
    });
    await expect(page.getByRole("list", { name: "Examples" })).toContainText(marker);
    await shoot(page, "rule-trial");
    await page.getByLabel("Why").fill("Seen on a neighbour's machine.");
    await page.getByRole("button", { name: "Add rule", exact: true }).click();
    await expect(page.getByRole("heading", { name: title, level: 1 })).toBeVisible();
  });

  await test.step("the agent fires", async () => {
    const incident = await eventually("the incident", 40_000, async () => {
      await run(marker);
      const { body } = await api.must(200, "GET", `/threats/incidents?search=${marker}`);
      return body.items.find((one: { title: string }) => one.title.startsWith(title));
    });
    await api.must(200, "PATCH", `/threats/incidents/${incident.threat_id}`, { status: "false_positive" });
  });

  await test.step("another tenant's agent does not have it", async () => {
    const { body: tenant } = await api.must(201, "POST", "/users/tenants", { name: marker, slug: marker });
    const stranger = await stack.makeUser(api, {
      username: `adm-${marker}`,
      role: "admin",
      tenant_id: tenant.tenant_id,
    });
    const theirs = await new Api(stack.url).signIn(stranger.username, stranger.password);
    const { body: key } = await theirs.must(201, "POST", "/users/api-keys", {
      key_name: "enrol",
      scopes: ["enrol"],
    });
    const dir = await stack.enrol(marker, key.key);
    const args = ["run", "--state-dir", dir, "--watch", stack.watched];
    const agent = new Program("secureguard-agent", args, join(stack.dir, `${marker}.log`));
    try {
      const rules = await eventually("their rules", 30_000, async () => {
        const file = join(dir, "rules.json");
        return existsSync(file) ? readFileSync(file, "utf8") : undefined;
      });
      expect(rules).not.toContain(marker);
      await run(marker);
      await theirs.must(404, "GET", `/threats/rules/${id}`);
      expect((await theirs.must(200, "GET", `/threats/incidents?search=${marker}`)).body.items).toEqual([]);
    } finally {
      await agent.stop();
    }
  });

  await test.step("a change is a version that can be compared", async () => {
    await page.reload();
    await page.getByRole("button", { name: "Edit" }).click();
    await page.getByLabel("Rule text", { exact: true }).fill(rule(id, title, `${marker}-more`));
    await page.getByLabel("Why").fill("Too wide.");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("button", { name: "Compare version 2 with the one before" }).click();
    const dialog = page.getByRole("dialog", { name: "What version 2 changed" });
    await expect(dialog).toContainText(`${marker}-more`);
    await shoot(page, "rule-difference");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Switch off" }).click();
    await expect(page.getByRole("row").filter({ hasText: "Switched off" })).toBeVisible();
    await expect(page.getByText("1 false positive")).toBeVisible();
    await shoot(page, "rule");
  });

  await test.step("a placeholder gets its values, and stays while a rule needs it", async () => {
    const name = marker.replace("odd-", "admins_");
    const needing = rule(randomUUID(), `Needs ${name}`, `%${name}%`).replace("|contains:", "|expand:");
    await page.goto("/threats/rules");
    await page.getByRole("button", { name: "Placeholders" }).click();
    await page.getByRole("button", { name: "Add a placeholder" }).click();
    const adding = page.getByRole("dialog", { name: "Add a placeholder" });
    await adding.getByLabel("Name").fill(name);
    await adding.getByLabel("Values").fill("anna\n svc-* \n");
    await adding.getByLabel("Reason (optional)").fill("Those who may.");
    await adding.getByRole("button", { name: "Save placeholder" }).click();
    const row = page.getByRole("row").filter({ hasText: `%${name}%` });
    await expect(row.getByText("svc-*")).toBeVisible();
    await api.must(201, "POST", "/threats/rules", { kind: "sigma", text: needing });
    await page.getByRole("button", { name: `Change ${name}` }).click();
    await page.getByLabel("Values").fill("anna\nbert");
    await shoot(page, "placeholder");
    await page.getByRole("button", { name: "Save placeholder" }).click();
    await expect(row.getByText("bert")).toBeVisible();
    await shoot(page, "placeholders");
    refusals.expect(409);
    await page.getByRole("button", { name: `Remove ${name}` }).click();
    const removing = page.getByRole("dialog", { name: "Remove this placeholder?" });
    await removing.getByRole("button", { name: "Remove placeholder" }).click();
    await expect(removing).toContainText("needs");
    await page.keyboard.press("Escape");
    await expect(row).toBeVisible();
  });

  await test.step("files are imported with a report", async () => {
    await page.goto("/threats/rules");
    await page.getByRole("button", { name: "Import", exact: true }).click();
    const dialog = page.getByRole("dialog", { name: "Import rules" });
    const file = (name: string, text: string) => ({
      name,
      mimeType: "text/plain",
      buffer: Buffer.from(text),
    });
    await dialog
      .getByLabel("Files", { exact: true })
      .setInputFiles([
        file("good.yml", rule(randomUUID(), `Imported ${marker}`, "nothing-has-this")),
        file("broken.yml", rule(randomUUID(), "Broken", "x").replace("contains", "contians")),
        file("bad.csv", "value,type\nevil.example,domain\n"),
      ]);
    await dialog.getByRole("button", { name: "Import 3 files" }).click();
    await expect(dialog.getByRole("status").first()).toContainText("2 imported");
    await expect(dialog).toContainText("D013");
    await shoot(page, "rule-import");
    await page.keyboard.press("Escape");
    await page.getByLabel("Of", { exact: true }).selectOption("tenant");
    await expect(page.getByRole("row").filter({ hasText: `Imported ${marker}` })).toBeVisible();
    await shoot(page, "rules-own");
  });
});
