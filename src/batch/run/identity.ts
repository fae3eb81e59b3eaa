import { randomBytes } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { PawlError } from "../../errors.ts";
import type { Json, RunRecord, Store } from "../../store/contract.ts";
import type { Description, Sink, Source } from "../contract.ts";
import { detailsOf } from "./progress.ts";

const ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789";

/** A new run's id: ten characters that are easy to read and to type. */
export function newRunId(): string {
  return Array.from(randomBytes(10), (byte) => ALPHABET[byte % ALPHABET.length]).join("");
}

/** What differs between the source and what it was when the run began, in one sentence; null when nothing that matters does. */
export function sourceDifference(
  run: RunRecord,
  { identity, name }: Description,
  source: Source<unknown>,
): string | null {
  if (isSameJson(run.identity, identity)) return null;
  if (source.difference) return source.difference(run.identity, identity);
  return `${name} has changed since run ${run.id} began`;
}

/** Refuses to resume on a source that is not what it was when the run began. */
export function assertSameSource(run: RunRecord, difference: string | null): void {
  if (difference === null) return;
  throw new PawlError(
    "run.source-changed",
    `${withoutStop(difference)}, so the checkpoints of run ${run.id} no longer fit: put the input back as it was, or start over with --restart.`,
  );
}

/**
 * What differs between the locations of a sink and those with which the run began, in one sentence; null if nothing that
 * matters does, or if the sink has no identity.
 */
export async function locationDifference(run: RunRecord, sink: Sink<unknown>): Promise<string | null> {
  const { sinkIdentity } = detailsOf(run);
  if (sinkIdentity === undefined || sink.identity === undefined) return null;
  const now = await sink.identity();
  if (isSameJson(sinkIdentity, now)) return null;
  if (sink.difference) return sink.difference(sinkIdentity, now);
  return "It is written to another location than when the run began";
}

/** Refuses to work on a run with other locations: what was written to one is missing in another one. */
export function assertSameLocations(
  run: RunRecord,
  difference: string | null,
  what: "resumed" | "replayed",
): void {
  if (difference === null) return;
  throw new PawlError(
    "run.other-location",
    `${withoutStop(difference)}, and run ${run.id} can only be ${what} with the locations that it began with: fix that, or start over with --restart.`,
  );
}

function withoutStop(sentence: string): string {
  return sentence.replace(/\.$/, "");
}

/** Whether they are equal after a way through JSON, as a store keeps them. */
function isSameJson(before: Json, now: Json): boolean {
  return isDeepStrictEqual(JSON.parse(JSON.stringify(before)), JSON.parse(JSON.stringify(now)));
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
