import { randomBytes } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { PawlError } from "../errors.ts";
import type { Json, RunRecord, Store } from "../store/contract.ts";

const ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789";

/** A new run's id: ten characters that are easy to read and to type. */
export function newRunId(): string {
  return Array.from(randomBytes(10), (byte) => ALPHABET[byte % ALPHABET.length]).join("");
}

/** Whether the source is what it was when the run began. */
export function sameSource(run: RunRecord, identity: Json): boolean {
  return isDeepStrictEqual(JSON.parse(JSON.stringify(run.identity)), JSON.parse(JSON.stringify(identity)));
}

/** Refuses to resume on a source that is not what it was when the run began. */
export function assertSameSource(
  run: RunRecord,
  identity: Json,
  name: string,
  difference: string | null,
): void {
  if (sameSource(run, identity)) return;
  const what = difference?.replace(/\.$/, "") ?? `${name} has changed since run ${run.id} began`;
  throw new PawlError(
    "run.source-changed",
    `${what}, so the checkpoints of run ${run.id} no longer fit: put the input back as it was, or begin anew with --restart.`,
  );
}

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
