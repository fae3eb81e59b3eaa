import { isDeepStrictEqual } from "node:util";
import { withoutFullStop } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import type { Json, RunRecord } from "../../store/contract.ts";
import type { Description, Sink, Source } from "../contract.ts";
import { detailsOf } from "./progress.ts";

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
    `${withoutFullStop(difference)}, so the checkpoints of run ${run.id} no longer fit: put the input back as it was, or start over with \`restart: true\`.`,
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
    `${withoutFullStop(difference)}, and run ${run.id} can only be ${what} with the locations that it began with: fix that, or start over with \`restart: true\`.`,
  );
}

/** Whether they are equal after a way through JSON, as a store keeps them. */
function isSameJson(before: Json, now: Json): boolean {
  return isDeepStrictEqual(JSON.parse(JSON.stringify(before)), JSON.parse(JSON.stringify(now)));
}
