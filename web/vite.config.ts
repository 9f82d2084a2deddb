import { fileURLToPath } from "node:url";
import { tanstackRouter } from "@tanstack/router-plugin/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { precompress } from "./vite/precompress.ts";

const source = fileURLToPath(new URL("src", import.meta.url));
const built = fileURLToPath(new URL("../gateway/src/annotateforge/gateway/static", import.meta.url));
// `npm run dev` shows the sources as they are, over the API of a running `annotateforge up`.
const gateway = process.env.ANNOTATEFORGE_SERVER ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [tanstackRouter({ target: "react" }), react(), precompress()],
  resolve: { alias: { "@": source } },
  html: { cspNonce: "__CSP_NONCE__" },
  build: {
    outDir: built,
    emptyOutDir: true,
    target: "es2023",
    // Browsers that know light-dark(): what would take its place does not see the library's colour scheme.
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    // An inlined file would need a policy that allows data: addresses.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    // What a first load may take over the network is tested.
    chunkSizeWarningLimit: 700,
    rolldownOptions: {
      output: {
        // Chunks are named after all pages that share them.
        chunkFileNames: ({ name }) => `assets/${name.split("~", 1)[0]}-[hash].js`,
        // Each file is a request: what belongs together comes together, and what few pages need beside it.
        codeSplitting: {
          groups: [
            { name: "first", tags: ["$initial"] },
            { name: "shared", minShareCount: 4 },
            { name: "beside", minShareCount: 2, entriesAware: true, entriesAwareMergeThreshold: 4_000 },
          ],
        },
      },
    },
  },
  server: { proxy: { "/api": { target: gateway, ws: true } } },
  test: { include: ["src/**/*.test.{ts,tsx}"], restoreMocks: true },
});
