import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { madeUpCatalog } from "./dev/catalog.ts";

// GATEWAY_URL is a running API, such as http://127.0.0.1:8080; without one, development shows a made-up catalog.
const gateway = process.env["GATEWAY_URL"];

export default defineConfig({
  plugins: [react(), ...(gateway ? [] : [madeUpCatalog()])],
  server: gateway ? { proxy: { "/products": gateway, "/openapi.yaml": gateway } } : {},
  build: {
    // One below what Go embeds, so that emptying it leaves the file by which git keeps that directory.
    outDir: "dist/site",
    emptyOutDir: true,
    // A font in a data: URL would be read before the page's first words.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    license: { fileName: "docs/licenses.md" },
    chunkSizeWarningLimit: 2000,
    rollupOptions: {
      input: { index: "index.html", docs: "docs/index.html" },
      output: {
        entryFileNames: (chunk) => `${directory(chunk.name)}[name]-[hash].js`,
        chunkFileNames: "assets/[name]-[hash].js",
        assetFileNames: (asset) => `${directory(asset.names[0] ?? "")}[name]-[hash][extname]`,
      },
    },
  },
});

// What belongs to the documentation lies with it, so that nobody who looks at a product loads it.
function directory(name: string): string {
  return name.startsWith("docs") ? "docs/assets/" : "assets/";
}
