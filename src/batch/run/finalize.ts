import { PawlError } from "../../errors.ts";
import type { Json, RunRecord, Store, TaskRecord } from "../../store/contract.ts";
import { assertRunComplete } from "../accounting.ts";
import type { FinalizedSink, OpenSink } from "../contract.ts";
import type { AnyJob } from "../job/job.ts";
import { detailsOf, type RunPlan, SHARD } from "./progress.ts";

/**
 * Moves a run into the state it was asked for once no shard is at work: `succeeded` when all shards are done and
 * everything is accounted for, `failed`, `paused` or `cancelled` otherwise. Any process may call this at any time;
 * it does nothing while shards are at work. The step to `succeeded` needs what the run works with.
 */
export async function finalizeRun(
  store: Store,
  id: string,
  work: { readonly sink: OpenSink<unknown>; readonly job: AnyJob } | null,
): Promise<RunRecord | undefined> {
  const run = await store.run(id);
  if (run === undefined) return undefined;
  const tasks = await store.query({ flow: id });
  const shards = tasks.filter((task) => task.name === SHARD);
  if (shards.some((task) => task.state === "leased")) return run;

  switch (run.state) {
    case "running": {
      const dead = tasks.find((task) => task.state === "dead");
      if (dead) {
        await store.updateRun(id, ["running"], { state: "failed", note: dead.error });
        break;
      }
      const { plan, unit } = detailsOf(run);
      if (work === null || plan === null || shards.length < plan.shards) break;
      if (shards.some((task) => task.state !== "succeeded")) break;
      await succeed(store, id, shards, { ...work, plan, unit });
      break;
    }
    case "pausing":
      await store.updateRun(id, ["pausing"], { state: "paused" });
      break;
    case "cancelling":
      await store.requestCancel({ flow: id, states: ["waiting"] });
      await work?.sink.finalize("given up");
      await store.updateRun(id, ["cancelling"], { state: "cancelled" });
      break;
    default:
  }
  return await store.run(id);
}

async function succeed(
  store: Store,
  id: string,
  shards: readonly TaskRecord[],
  {
    sink,
    job,
    plan,
    unit,
  }: {
    readonly sink: OpenSink<unknown>;
    readonly job: AnyJob;
    readonly plan: RunPlan;
    readonly unit: string;
  },
): Promise<void> {
  try {
    assertRunComplete(id, plan, shards, unit, await store.quarantineCount(id));
  } catch (error) {
    if (!(error instanceof PawlError)) throw error;
    await store.updateRun(id, ["running"], { state: "failed", note: error.message });
    return;
  }
  const finalized = (await sink.finalize("succeeded")) ?? [];
  const { told, deleted }: FinalizedSink = "told" in finalized ? finalized : { told: finalized };
  const note = told.length === 0 ? null : told.join("; ");
  // In one step: were a replay done before its items are, they would wait to be replayed again.
  const corrected = await job.corrected?.(id);
  const record = deleted === undefined ? undefined : await store.run(id);
  const details = record && ({ ...detailsOf(record), deleted } as unknown as Json);
  await store.updateRun(id, ["running"], {
    state: "succeeded",
    note,
    ...(details ? { details } : {}),
    ...(corrected ? { replayed: corrected } : {}),
  });
}
