import { findRun } from "../../batch/internal.ts";
import { plural } from "../../count-text.ts";
import { PawlError } from "../../errors.ts";
import type { Store, TaskRecord, TaskSelector } from "../../store/contract.ts";
import { stateLocation } from "../../store/internal.ts";
import { jsonText } from "../../visible.ts";
import type { JsonFlag } from "../options/shared.ts";
import { control } from "../runs/control.ts";
import { write } from "../terminal/output.ts";
import { type ChoiceFlags, choiceOf, find, type Named, named, withoutRuns } from "./choose.ts";

const OPEN = ["waiting", "leased"] as const;

/** `pawl cancel`: tasks, flows, or a run; or tasks by filter. */
export async function cancelTasks(
  ids: readonly string[],
  flags: ChoiceFlags & JsonFlag,
  store: Store,
): Promise<void> {
  const chosen = await choiceOf("pawl cancel", ids, flags, store);
  if (chosen === undefined) await cancelNamed(ids, flags.json ?? false, store);
  else await cancelChosen(chosen, flags.json ?? false, store);
}

async function cancelChosen(chosen: TaskSelector, json: boolean, store: Store): Promise<void> {
  let reached = 0;
  for (const selector of await withoutRuns(chosen, store)) {
    reached += await store.requestCancel({ ...selector, states: chosen.states ?? OPEN });
  }
  await write(
    json
      ? `${jsonText({ reached })}\n`
      : `${plural(reached, "task")} cancelled, or asked to stop where they run\n`,
  );
}

async function cancelNamed(ids: readonly string[], json: boolean, store: Store): Promise<void> {
  const [first = ""] = ids;
  if (ids.length === 1 && (await find(first, store)) === undefined) {
    await control("cancel", await runOrTask(first, store), json, { store, location: stateLocation() });
    return;
  }
  // All of them first: where one is wrong, nothing is begun.
  const all: Named[] = [];
  for (const id of ids) all.push(await named(id, store));
  const done: { id: string; reached: number; state: string | null }[] = [];
  for (const { id, isFlow } of all) {
    const reached = await store.requestCancel({ ...(isFlow ? { flow: id } : { ids: [id] }), states: OPEN });
    const [after] = await store.query({ ids: [id] });
    done.push({ id, reached, state: after?.state ?? null });
    if (!json && (reached > 0 || ids.length > 1)) {
      await write(`${sentence(id, reached, isFlow, after)}\n`);
    }
  }
  const reached = done.reduce((sum, each) => sum + each.reached, 0);
  const [only] = done;
  if (reached === 0 && ids.length === 1 && only !== undefined) {
    const state = only.state ?? "ended";
    throw new PawlError("task.state", `Task ${only.id} is ${state} already: there is nothing to cancel.`);
  }
  if (json) await write(`${jsonText({ reached, tasks: done })}\n`);
}

function sentence(id: string, reached: number, isFlow: boolean, after: TaskRecord | undefined): string {
  if (reached === 0) return `task ${id} is ${after?.state ?? "ended"} already`;
  if (isFlow) return `flow ${id}: ${plural(reached, "task")} cancelled, or asked to stop where they run`;
  return after?.state === "leased" ? `task ${id} is asked to stop` : `task ${id} is cancelled`;
}

/** No task has the id: then a run has to begin with it. */
async function runOrTask(reference: string, store: Store) {
  try {
    return await findRun(store, reference);
  } catch (error) {
    if (!(error instanceof PawlError) || error.code !== "run.unknown") throw error;
    throw new PawlError(
      "task.unknown",
      `No task and no run is named "${reference}" in ${store.location}; pawl tasks and pawl status list them.`,
    );
  }
}
