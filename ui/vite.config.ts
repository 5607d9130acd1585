import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [svelte()],
  // Relative addresses, so that the same build runs in the app and from a plain file server.
  base: "./",
  build: {
    // WebKitGTK 2.50, WebView2 and Safari 17 all speak this.
    target: "es2022",
    // A data: font would need `font-src data:` in the content security policy.
    assetsInlineLimit: 0,
  },
  server: { port: 5173, strictPort: true },
  // Svelte has a server build too; component tests need the one for browsers.
  resolve: process.env.VITEST ? { conditions: ["browser"] } : {},
  test: {
    environment: "jsdom",
    include: ["tests/**/*.test.ts"],
    setupFiles: ["tests/setup.ts"],
    testTimeout: 10_000,
  },
});
