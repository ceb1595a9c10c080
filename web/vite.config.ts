import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [svelte()],
  build: {
    target: "es2022",
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    // The server's content security policy refuses inline scripts and styles; data: URLs would only hide assets from its cache.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // One style sheet and one chunk of shared parts: a page costs one request more, not ten.
    cssCodeSplit: false,
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: "svelte", test: /node_modules/ },
            { name: "lib", test: /src\/(lib|api)\// },
          ],
        },
      },
    },
  },
  server: {
    port: 5173,
    proxy: { "/api": { target: process.env.SECUREGUARD_API ?? "http://127.0.0.1:8080" } },
  },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
