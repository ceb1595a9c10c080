import { expect, type Page } from "@playwright/test";
import axe from "axe-core";

/** Fails on every violation that axe calls serious or critical. */
export async function expectAccessible(page: Page, what: string): Promise<void> {
  // Colours on their way from one to another are neither. What turns for ever is not waited for.
  await page.evaluate(async () => {
    const ending = document
      .getAnimations()
      .filter((animation) => animation.effect?.getComputedTiming().endTime !== Number.POSITIVE_INFINITY);
    await Promise.allSettled(ending.map((animation) => animation.finished));
  });
  await page.evaluate(axe.source);
  const violations = await page.evaluate(async () => {
    const run = (globalThis as unknown as { axe: typeof import("axe-core") }).axe;
    const result = await run.run(document, { resultTypes: ["violations"] });
    return result.violations
      .filter((violation) => violation.impact === "serious" || violation.impact === "critical")
      .map((violation) => ({
        rule: violation.id,
        help: violation.help,
        nodes: violation.nodes.map((node) => `${node.target.join(" ")}: ${node.failureSummary}`),
      }));
  });
  expect(violations, `accessibility of ${what}`).toEqual([]);
}
