import { runOfQueue } from "../../batch/internal.ts";
import { PawlError } from "../../errors.ts";
import type { Store, TaskRecord, TaskSelector } from "../../store/contract.ts";
import { given } from "../options/parse.ts";
import type { FilterFlags } from "../options/shared.ts";
import { selectorOf } from "./filter.ts";
import { openQueues } from "./queues.ts";
import { unknownTask } from "./show.ts";

/** What a command that changes tasks was given besides ids. */
export interface ChoiceFlags extends FilterFlags {
  readonly all?: boolean;
}

/** A task or a flow that was named. */
export interface Named {
  readonly id: string;
  /** Undefined where it is a flow whose end has not been stored yet. */
  readonly task: TaskRecord | undefined;
  readonly isFlow: boolean;
}

/**
 * The filter of a command that changes tasks; undefined where it goes by ids. Throws a PawlError `usage.which` where
 * nothing says which tasks are meant: everything must be said.
 */
export async function choiceOf(
  verb: string,
  ids: readonly string[],
  flags: ChoiceFlags,
  store: Store,
): Promise<TaskSelector | undefined> {
  const { all, queue, state, name, flow, older, newer, text } = flags;
  const selector = selectorOf(given({ queue, state, name, flow, older, newer, text }), await store.now());
  const ways = Number(ids.length > 0) + Number(selector !== undefined) + Number(all === true);
  if (ways === 1) return ids.length > 0 ? undefined : (selector ?? {});
  throw new PawlError(
    "usage.which",
    ways === 0
      ? `${verb} does not know which tasks: give ids, a filter such as --queue or --name, or --all.`
      : `${verb} takes either ids, or a filter, or --all.`,
  );
}

/** The same filter for each of the queues that hold tasks of their own. Shards are left to their run. */
export async function withoutRuns(selector: TaskSelector, store: Store): Promise<TaskSelector[]> {
  if (selector.queue !== undefined) {
    refuseRun(runOfQueue(selector.queue), `Queue ${selector.queue}`);
    return [selector];
  }
  if (selector.flow !== undefined) {
    const run = await store.run(selector.flow);
    refuseRun(run?.id ?? null, `Flow ${selector.flow}`);
    return [selector];
  }
  return (await openQueues(store)).map(({ name }) => ({ ...selector, queue: name }));
}

/** What an id stands for. Throws the PawlErrors `task.unknown` and `task.of-run`. */
export async function named(id: string, store: Store): Promise<Named> {
  const found = await find(id, store);
  if (found === undefined) throw unknownTask(id, store);
  return found;
}

/** The same, or undefined where nothing has the id. */
export async function find(id: string, store: Store): Promise<Named | undefined> {
  const [task] = await store.query({ ids: [id] });
  const [part] = await store.query({ flow: id }, { limit: 1 });
  const any = task ?? part;
  if (any === undefined) return undefined;
  // A run is not a flow of tasks: the run itself is meant.
  if (task === undefined && runOfQueue(any.queue) !== null) return undefined;
  refuseRun(runOfQueue(any.queue), `Task ${id}`);
  return { id, task, isFlow: part !== undefined };
}

function refuseRun(run: string | null, what: string): void {
  if (run === null) return;
  throw new PawlError(
    "task.of-run",
    `${what} is part of run ${run}: pawl cancel ${run} stops it, and pawl resume ${run} continues it.`,
  );
}
