import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { compressed } from "./compressed";
import { defineConfig } from "vitest/config";

const server = process.env["RANKLOOP_SERVER"] ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react(), compressed()],
  resolve: {
    alias: {
      // In browsers it parses with DOMParser, where the content security policy objects to KaTeX's style attributes.
      "hast-util-from-html-isomorphic": fileURLToPath(
        new URL("node_modules/hast-util-from-html-isomorphic/index.js", import.meta.url),
      ),
    },
  },
  build: {
    outDir: "dist",
    assetsDir: "assets",
    // Inlined assets become data: addresses, which the content security policy refuses.
    assetsInlineLimit: 0,
  },
  server: { proxy: { "/api": { target: server } } },
  test: { environment: "node", include: ["src/**/*.test.{ts,tsx}"] },
});
