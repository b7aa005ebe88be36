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
  "@fontsource/space-grotesk/files/space-grotesk-latin-700-normal.woff2": ["fonts/space-grotesk.woff2", "../services/sandbox/appearance/space-grotesk.woff2"],
  "@fontsource/space-grotesk/LICENSE": "licenses/space-grotesk.txt",
};

for (const [from, targets] of Object.entries(files)) {
  for (const to of [targets].flat()) {
    mkdirSync(dirname(join(here, to)), { recursive: true });
    copyFileSync(join(modules, from), join(here, to));
  }
}
