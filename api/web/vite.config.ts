import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { madeUpCatalog } from "./dev/catalog.ts";

// GATEWAY_URL is a running API, such as http://127.0.0.1:8080. Without it, development uses a generated catalog.
const gateway = process.env.GATEWAY_URL;

export default defineConfig({
  plugins: [react(), ...(gateway ? [] : [madeUpCatalog()])],
  server: gateway ? { proxy: { "/products": gateway, "/openapi.yaml": gateway } } : {},
  build: {
    // A subdirectory of the embedded directory, so that emptying it keeps the file that keeps dist in git.
    outDir: "dist/site",
    emptyOutDir: true,
    // A font in a data: URL would delay the first paint.
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

// directory puts the files of the documentation into a separate directory.
function directory(name: string): string {
  return name.startsWith("docs") ? "docs/assets/" : "assets/";
}
