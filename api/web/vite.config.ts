import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";
import { madeUpCatalog } from "./dev/catalog.ts";

// A policy in the page, so that it holds whoever serves the page. The development server needs inline scripts.
const policies: Record<string, string> = {
  // Photos lie wherever the catalog's rows say.
  "/index.html": "default-src 'self'; img-src * data:; object-src 'none'; base-uri 'none'; form-action 'self'",
  // Swagger UI writes style attributes.
  "/docs/index.html": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'none'",
};

const contentSecurityPolicy: Plugin = {
  name: "content-security-policy",
  apply: "build",
  transformIndexHtml: {
    order: "post",
    handler: (_html, { path }) => [
      { tag: "meta", injectTo: "head-prepend", attrs: { "http-equiv": "Content-Security-Policy", content: policies[path] ?? "default-src 'none'" } },
    ],
  },
};

// GATEWAY_URL is a running API, such as http://127.0.0.1:8080; without one, development shows a made-up catalog.
const gateway = process.env["GATEWAY_URL"];

export default defineConfig({
  plugins: [react(), contentSecurityPolicy, ...(gateway ? [] : [madeUpCatalog()])],
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
