import { PawlError } from "../../errors.ts";
import type { RunRecord, Store } from "../../store/contract.ts";

/**
 * The run that is meant by `last`, an id, or the beginning of one. Throws one sentence when there is none or when
 * several begin so.
 */
export async function findRun(store: Store, reference: string): Promise<RunRecord> {
  if (reference === "last") {
    const [run] = await store.runs({ limit: 1 });
    if (run) return run;
    throw new PawlError("run.none", `There is no run yet in ${store.location}.`);
  }
  const runs = await store.runs({ idPrefix: reference, limit: 10 });
  const exact = runs.find((run) => run.id === reference);
  if (exact) return exact;
  const [run] = runs;
  if (run === undefined) {
    throw new PawlError(
      "run.unknown",
      `No run begins with "${reference}" in ${store.location}; pawl status lists them.`,
    );
  }
  if (runs.length > 1) {
    const ids = runs.map((one) => one.id).join(", ");
    throw new PawlError(
      "run.ambiguous",
      `Several runs begin with "${reference}": ${ids}; give more of the id.`,
    );
  }
  return run;
}
