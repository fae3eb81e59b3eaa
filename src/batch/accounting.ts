/**
 * Success is proven: what must be true of a chunk before its commit, of a shard before its end is committed, and of a run
 * before it may be called succeeded. All these checks are here.
 */
import { PawlError } from "../errors.ts";
import type { TaskRecord } from "../store/contract.ts";
import type { Chunk, Counts, Shard, WriteOutcome } from "./contract.ts";
import { checkpointOf, type RunPlan, type ShardPayload, sumCounts } from "./run/progress.ts";

const DEFECT = "this is a defect of Pawl or of a sink, please report it";

/** Refuses what a sink says of a chunk when it does not account for each item of it, once. */
export function assertOutcome(chunk: Chunk<unknown>, outcome: WriteOutcome): void {
  const { written, unchanged, skipped, duplicates, failures } = outcome;
  const counts = { written, unchanged, skipped, failed: failures.length };
  const wrong = miscounted({ ...counts, duplicates });
  const sum = written + unchanged + skipped + failures.length;
  if (wrong === null && sum === chunk.items) {
    const indices = new Set(failures.map(({ index }) => index));
    const isOdd = (index: number) => !Number.isInteger(index) || index < 0 || index >= chunk.items;
    if (indices.size === failures.length && !failures.some(({ index }) => isOdd(index))) return;
    throw new PawlError(
      "sink.miscounted",
      `The sink named a failed item twice, or one that its chunk does not have, so nothing of the chunk was committed; ${DEFECT}.`,
    );
  }
  const said = Object.entries(counts).map(([what, count]) => `${count} ${what}`);
  throw new PawlError(
    "sink.miscounted",
    `The sink was given ${chunk.items} items and says ${said.join(", ")}${wrong === null ? "" : ` (${wrong})`}, so nothing of the chunk was committed; ${DEFECT}.`,
  );
}

/** Refuses counts that do not add up, or are not whole numbers of 0 or more. */
export function assertAccounted(counts: Counts, what: string): void {
  const { read, added, written, unchanged, skipped, quarantined } = counts;
  const wrong = miscounted(counts);
  if (wrong === null && read + added === written + unchanged + skipped + quarantined) return;
  throw new PawlError(
    "run.unaccounted",
    `${what} does not add up: ${read} read + ${added} added by the transform is not ${written} written + ` +
      `${unchanged} unchanged + ${skipped} skipped + ${quarantined} quarantined${wrong === null ? "" : ` (${wrong})`}; ${DEFECT}.`,
  );
}

/** Refuses the end of a shard of which not everything was read, or not everything is accounted for. */
export function assertShardComplete(shard: Shard, counts: Counts, what: string, unit: string): void {
  assertAccounted(counts, what);
  if (shard.items === null || shard.items === counts.read) return;
  throw new PawlError(
    "run.incomplete",
    `${what} read ${counts.read} ${unit} where the plan counted ${shard.items}: did the source change while it was read? Run it again with \`restart: true\`.`,
  );
}

/** Refuses to call a run succeeded of which a shard is missing, came twice or did not end, or that does not add up. */
export function assertRunComplete(
  run: string,
  plan: RunPlan,
  tasks: readonly TaskRecord[],
  unit: string,
  quarantined: number,
): void {
  const numbers = new Set<number>();
  const all: Counts[] = [];
  for (const task of tasks) {
    const { number, shard } = task.payload as unknown as ShardPayload;
    const what = `Shard ${number} of run ${run}`;
    const checkpoint = checkpointOf(task);
    if (checkpoint?.done !== true) {
      throw new PawlError("run.incomplete", `${what} ended before its source did; ${DEFECT}.`);
    }
    assertShardComplete(shard, checkpoint.counts, what, unit);
    numbers.add(number);
    all.push(checkpoint.counts);
  }
  if (tasks.length !== plan.shards || numbers.size !== plan.shards) {
    throw new PawlError(
      "run.incomplete",
      `Run ${run} was cut into ${plan.shards} shards, of which ${numbers.size} ended; ${DEFECT}.`,
    );
  }
  const counts = sumCounts(all);
  assertAccounted(counts, `Run ${run}`);
  if (plan.items !== null && plan.items !== counts.read) {
    throw new PawlError(
      "run.incomplete",
      `Run ${run} read ${counts.read} ${unit} where its plan counted ${plan.items}; ${DEFECT}.`,
    );
  }
  if (quarantined === counts.quarantined) return;
  throw new PawlError(
    "run.unaccounted",
    `Run ${run} counted ${counts.quarantined} quarantined items but keeps ${quarantined}; ${DEFECT}.`,
  );
}

/** Which of the counts is not a whole number of 0 or more, in words; null if all are. */
function miscounted(counts: object): string | null {
  for (const [what, count] of Object.entries(counts)) {
    if (!Number.isSafeInteger(count) || count < 0) return `${what} cannot be ${count}`;
  }
  return null;
}
