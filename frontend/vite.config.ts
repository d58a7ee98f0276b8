import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "fflate";
import { defineConfig } from "vitest/config";
import type { Plugin } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const source = here("./src");
const dist = here("../telehealth/web/static/dist");

/** Every file of these folders is a page asset of its own; names that start with `_` are parts of others. */
const entries = (["styles", "islands", "workers"] as const).flatMap((folder) =>
  readdirSync(join(source, folder), { withFileTypes: true })
    .filter((file) => file.isFile() && !file.name.startsWith("_"))
    .map((file) => join(source, folder, file.name))
    .sort(),
);

/** Lays `name.gz` beside each text asset. A compressor written in JavaScript, so that any Node gives the same bytes. */
function precompress(): Plugin {
  return {
    name: "precompress",
    apply: "build",
    writeBundle() {
      for (const name of readdirSync(dist)) {
        if (!/\.(css|js|svg)$/.test(name)) continue;
        const path = join(dist, name);
        writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9, mtime: 0 }));
      }
    },
  };
}

export default defineConfig({
  root: source,
  base: "./",
  plugins: [precompress()],
  resolve: { alias: { "@nhsuk-images": here("./node_modules/nhsuk-frontend/dist/nhsuk/assets/images") } },
  css: { preprocessorOptions: { scss: { loadPaths: [here("./node_modules/nhsuk-frontend/dist")], quietDeps: true } } },
  build: {
    outDir: dist,
    emptyOutDir: true,
    assetsDir: "",
    assetsInlineLimit: 0,
    manifest: "manifest.json",
    modulePreload: false,
    target: ["chrome87", "firefox78", "safari14"],
    rolldownOptions: { input: entries },
  },
  test: { root: here("."), include: ["test/**/*.test.ts"], environment: "happy-dom" },
});
