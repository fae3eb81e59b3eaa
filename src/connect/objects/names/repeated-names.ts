import type { DatabaseSync } from "node:sqlite";
import { foldedName, type NameComparison } from "./case-folding.ts";

/**
 * Of several objects of a stored listing that the target would take for one, all but the first get a problem, so that none is
 * written over another. Names that a transform gives are compared by `NameRegistry`.
 */
export function refuseRepeatedNames(listing: DatabaseSync, comparison: NameComparison): void {
  listing.function("pawl_fold", { deterministic: true }, (key) => foldedName(String(key), comparison));
  const problem =
    comparison === "exact"
      ? "its name is given to another object"
      : "its name differs from that of another only by case";
  listing
    .prepare(
      `UPDATE object SET problem = ? WHERE id IN (
        SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY pawl_fold(key) ORDER BY id) AS nth
          FROM object WHERE problem IS NULL) WHERE nth > 1)`,
    )
    .run(problem);
}
