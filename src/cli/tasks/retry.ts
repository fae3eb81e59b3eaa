import { grouped, plural } from "../../count-text.ts";
import { PawlError } from "../../errors.ts";
import type { Store, TaskSelector, TaskState } from "../../store/contract.ts";
import { jsonText } from "../../visible.ts";
import type { JsonFlag } from "../options/shared.ts";
import { write } from "../terminal/output.ts";
import { type ChoiceFlags, choiceOf, type Named, named, withoutRuns } from "./choose.ts";

const STOPPED: readonly TaskState[] = ["dead", "cancelled"];

/** `pawl retry` and `pawl dead requeue`: tasks that ended badly are tried again, with all their attempts. */
export async function retryTasks(
  verb: string,
  ids: readonly string[],
  flags: ChoiceFlags & JsonFlag,
  store: Store,
): Promise<void> {
  const chosen = await choiceOf(verb, ids, flags, store);
  const json = flags.json ?? false;
  if (chosen !== undefined) {
    await retryChosen(chosen, json, store);
    return;
  }
  const states = verb.endsWith("requeue") ? (["dead"] as const) : STOPPED;
  await retryNamed(ids, states, json, store);
}

async function retryChosen(chosen: TaskSelector, json: boolean, store: Store): Promise<void> {
  // Of a flow the cancelled ones too: the first failure cancels the others. Elsewhere a person cancelled them.
  const states = statesOf(chosen);
  let released = 0;
  let left = 0;
  for (const selector of await withoutRuns(chosen, store)) {
    released += await store.makeClaimable({ ...selector, states });
    left += (await store.query({ ...selector, states: ["dead"] }, { limit: 1_000 })).length;
  }
  if (json) {
    await write(`${jsonText({ released })}\n`);
    return;
  }
  await write(`${plural(released, "task")} will be tried again\n`);
  if (left > 0 && states.includes("dead")) {
    const some = left >= 1_000 ? "1,000 or more" : grouped(left);
    await write(
      `${some} stay dead: the callback of a group whose children failed is tried again with pawl retry FLOW, and a unique task only when no other task has its key\n`,
    );
  }
}

function statesOf({ states, flow: group }: TaskSelector): readonly TaskState[] {
  if (states === undefined) return group === undefined ? ["dead"] : STOPPED;
  const other = states.find((state) => !STOPPED.includes(state));
  if (other === undefined) return states;
  throw new PawlError(
    "usage.state",
    `Tasks that are ${other} cannot be tried again: --state is dead or cancelled.`,
  );
}

async function retryNamed(
  ids: readonly string[],
  states: readonly TaskState[],
  json: boolean,
  store: Store,
): Promise<void> {
  const all: Named[] = [];
  for (const id of ids) all.push(await named(id, store));
  const done: { id: string; released: number; state: string | null }[] = [];
  for (const { id, isFlow } of all) {
    // A flow continues from its links that failed, with those that were cancelled because of them.
    const released = await store.makeClaimable(
      isFlow ? { flow: id, states: STOPPED } : { ids: [id], states },
    );
    const [after] = await store.query({ ids: [id] });
    done.push({ id, released, state: after?.state ?? null });
    if (json || (released === 0 && ids.length === 1)) continue;
    await write(`${sentence(id, released, isFlow, after?.state, after?.flow ?? null)}\n`);
  }
  const released = done.reduce((sum, each) => sum + each.released, 0);
  const [only] = all;
  if (released === 0 && ids.length === 1 && only !== undefined) throw nothingToRetry(only, states);
  if (json) await write(`${jsonText({ released, tasks: done })}\n`);
}

function sentence(
  id: string,
  released: number,
  isFlow: boolean,
  state: TaskState | undefined,
  flow: string | null,
): string {
  if (released === 0) return `task ${id} is ${state ?? "under way"}: it was left alone`;
  if (isFlow) return `flow ${id}: ${plural(released, "task")} will be tried again`;
  const rest = flow === null ? "" : `; pawl retry ${flow} tries its whole flow again`;
  return `task ${id} will be tried again${rest}`;
}

function nothingToRetry({ id, task }: Named, states: readonly TaskState[]): PawlError {
  const state = task?.state;
  if (state === "cancelled" && !states.includes(state)) {
    return new PawlError("task.state", `Task ${id} is cancelled and no dead letter: say pawl retry ${id}.`);
  }
  if (state === "dead" || state === "cancelled") {
    const why =
      task?.unique !== null
        ? "another task has its unique key"
        : `it ends members of flow ${task.flow}, so say pawl retry ${task.flow}`;
    return new PawlError("task.state", `Task ${id} cannot be tried again alone: ${why}.`);
  }
  return new PawlError("task.state", `Task ${id} is ${state ?? "under way"}: there is nothing to try again.`);
}
