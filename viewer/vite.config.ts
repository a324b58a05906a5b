import { defineConfig } from "vite";

// One script and one style sheet, which the Python side puts into the page.
export default defineConfig({
  build: {
    outDir: "../src/clearhead/views/bundle",
    emptyOutDir: true,
    lib: { entry: { viewer: "src/host/viewer.ts" }, formats: ["es"], cssFileName: "viewer" },
    cssCodeSplit: false,
    target: "es2022",
    modulePreload: false,
  },
  define: { "process.env.NODE_ENV": '"production"' },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
});
