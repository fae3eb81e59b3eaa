import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { waysOut } from "./output/ways-out.ts";

const root = join(import.meta.dirname, "..");
let violations = 0;
for (const file of globSync("src/**/*.ts", { cwd: root }).sort()) {
  for (const { line, text } of waysOut(file, readFileSync(join(root, file), "utf8"))) {
    console.error(
      `${file}:${line}: ${text} writes past src/cli/terminal/output.ts, which makes what it says harmless`,
    );
    violations++;
  }
}
if (violations > 0) process.exitCode = 1;
