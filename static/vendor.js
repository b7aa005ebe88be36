// Copies the browser libraries and their licences from node_modules, at the versions that package-lock.json pins.
import { copyFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, "..", "node_modules");

const files = {
  "htmx.org/dist/htmx.min.js": "js/htmx.min.js",
  "htmx.org/LICENSE": "licenses/htmx.txt",
  "basecoat-css/LICENSE.md": "licenses/basecoat.txt",
  "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2": "fonts/inter-latin-wght-normal.woff2",
  "@fontsource-variable/inter/LICENSE": "licenses/inter.txt",
};

for (const [from, to] of Object.entries(files)) {
  mkdirSync(dirname(join(here, to)), { recursive: true });
  copyFileSync(join(modules, from), join(here, to));
}
