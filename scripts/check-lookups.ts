import { join } from "node:path";
import { lookupViolations } from "./lookups/violations.ts";

const violations = lookupViolations(join(import.meta.dirname, ".."), ["src", "recipes"]);
for (const violation of violations) console.error(violation);
if (violations.length > 0) {
  console.error(
    `${violations.length} ${violations.length === 1 ? "place" : "places"} where content may choose what is found on an object`,
  );
  process.exitCode = 1;
}
