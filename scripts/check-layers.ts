import { join } from "node:path";
import { violationsOf } from "./layers/violations.ts";

// With a folder as argument, that checkout is checked instead of this one.
const root = process.argv[2] ?? join(import.meta.dirname, "..");
const violations = violationsOf(root);
for (const violation of violations) console.error(violation);
if (violations.length > 0) {
  console.error(
    `${violations.length} import${violations.length === 1 ? "" : "s"} against the design of the house`,
  );
  process.exitCode = 1;
}
