import { defineConfig } from "@playwright/test";

// One worker: the journeys share one real server, database and agent, as one installation's people do.
export default defineConfig({
  testDir: "journeys",
  workers: 1,
  fullyParallel: false,
  retries: 0,
  // A journey takes seconds on an idle machine; these bounds only end one that hangs.
  timeout: 240_000,
  expect: { timeout: 30_000 },
  reporter: [["list"]],
  forbidOnly: Boolean(process.env.CI),
  use: {
    browserName: "chromium",
    viewport: { width: 1280, height: 860 },
    locale: "en-GB",
    trace: "retain-on-failure",
    launchOptions: {
      executablePath: process.env.SECUREGUARD_CHROMIUM ?? "/usr/bin/chromium",
      args: [
        "--headless",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
});
