import type { NewGroup, NewTask, Settlement, TaskResult } from "../contract.ts";
import { JsonText } from "../json-text.ts";
import { addAttempts, type EndedAttempt, isInTaskRow } from "./attempt-history.ts";
import { cancelWaiting } from "./cancel.ts";
import type { Driver, SettledTask } from "./driver.ts";
import { enqueue } from "./enqueue.ts";
import { lockGroups } from "./groups.ts";
import type { StateTransitions } from "./state-transitions.ts";
import { later, lock, lookup, oneOf, type Procedure, rows, sql } from "./statement.ts";

type Success = Extract<TaskResult, { state: "succeeded" }>;

const NONE: ReadonlySet<SettledTask> = new Set();

export function hasNext(result: TaskResult): boolean {
  if (result.state !== "succeeded") return false;
  const { next = [], groups = [] } = result;
  return next.length > 0 || groups.length > 0;
}

function isPlain({ fence, result, log }: Settlement): boolean {
  return (
    fence === 1 &&
    log === undefined &&
    result.state === "succeeded" &&
    result.meta === undefined &&
    !hasNext(result)
  );
}

/** Ends claims, in a transaction. Of two settlements of one claim the first one counts, and the second has lost it. */
export function* settle<T extends StateTransitions>(
  transitions: T,
  driver: Driver<T>,
  settlements: readonly Settlement[],
): Procedure<{ lost: string[] }> {
  const batch = firstOfEachClaim(settlements);
  const plain = batch.filter(isPlain);
  const settled = new Set(plain.length === 0 ? [] : yield* driver.succeedAlone(transitions, plain));
  if (settled.size === settlements.length) return { lost: [] };
  const rest = settled.size === 0 ? batch : batch.filter((settlement) => !settled.has(settlement));
  for (const settlement of yield* settleRest(transitions, driver, rest)) settled.add(settlement);
  const lost: string[] = [];
  for (const settlement of settlements) if (!settled.has(settlement)) lost.push(settlement.id);
  return { lost };
}

function firstOfEachClaim(settlements: readonly Settlement[]): readonly Settlement[] {
  if (new Set(settlements.map(({ id }) => id)).size === settlements.length) return settlements;
  const first = new Map<string, Settlement>();
  for (const settlement of settlements) {
    const claim = `${settlement.fence}:${settlement.id}`;
    if (!first.has(claim)) first.set(claim, settlement);
  }
  return [...first.values()];
}

/** Settles what may be more than that; returns those whose claims were held. */
function* settleRest<T extends StateTransitions>(
  transitions: T,
  driver: Driver<T>,
  batch: readonly Settlement[],
): Procedure<readonly Settlement[]> {
  if (batch.length === 0) return [];
  yield* lockGroupsOfTasks(batch);
  const tasks = new Map((yield* driver.endClaims(batch)).map((task) => [task.id, task]));
  const held: Held[] = [];
  const attempts: EndedAttempt[] = [];
  for (const settlement of batch) {
    const { id, fence, result, log = null } = settlement;
    const task = tasks.get(id);
    if (task?.fence !== fence) continue;
    held.push({ settlement, task });
    const error = "error" in result ? result.error : null;
    const { state } = task;
    if (!isInTaskRow(fence, state, log))
      attempts.push({ id, fence, state, result: result.state, error, log });
  }
  yield* addAttempts(attempts);
  yield* replaceMeta(held);
  const passedOn = yield* follow(transitions, driver, held);
  for (const { settlement, task } of held) {
    const { result } = settlement;
    transitions.add(passedOn.has(task) ? { ...task, group_id: null } : task, "leased", task.state);
    // A held task cannot be claimed, so no worker is woken for it.
    if (task.state === "waiting") transitions.wakes ||= result.state !== "snoozed" || result.delayMs !== null;
  }
  return held.map(({ settlement }) => settlement);
}

/** Before the tasks themselves: see `lockGroups`. */
function* lockGroupsOfTasks(batch: readonly Settlement[]): Procedure<void> {
  yield* lock(
    () => sql`SELECT g.id FROM pawl.task_group AS g
     WHERE g.id = ANY(ARRAY(SELECT t.group_id FROM ${rows("s", { id: ["text", batch.map(({ id }) => id)] })}
       JOIN pawl.task AS t ON ${lookup("t.id", "s.id")}))
     ORDER BY g.id FOR UPDATE`,
  );
}

interface Held {
  readonly settlement: Settlement;
  readonly task: SettledTask;
}

/** Writes what the layer above keeps with the tasks that succeeded, where that changed. */
function* replaceMeta(held: readonly Held[]): Procedure<void> {
  const ids: string[] = [];
  const metas: string[] = [];
  for (const { settlement, task } of held) {
    const { result } = settlement;
    if (task.state !== "succeeded" || result.state !== "succeeded" || result.meta === undefined) continue;
    ids.push(task.id);
    metas.push(JsonText.of(result.meta).text);
  }
  if (ids.length === 0) return;
  yield* later(
    sql`UPDATE pawl.task SET meta = m.new_meta
     FROM ${rows("m", { task_id: ["text", ids], new_meta: ["text", metas] })} WHERE ${lookup("id", "m.task_id")}`,
  );
}

interface Succession {
  readonly from: SettledTask;
  readonly group: string;
  readonly successor: string;
}

/** Enqueues what follows the tasks that succeeded; returns those whose position in a group was taken by a successor. */
function* follow<T extends StateTransitions>(
  transitions: T,
  driver: Driver<T>,
  held: readonly Held[],
): Procedure<ReadonlySet<SettledTask>> {
  const followed: { readonly from: SettledTask; readonly result: Success }[] = [];
  for (const { settlement, task } of held) {
    if (task.state !== "succeeded" || !hasNext(settlement.result)) continue;
    followed.push({ from: task, result: settlement.result as Success });
  }
  if (followed.length === 0) return NONE;
  // A group may have been cleaned up with its callback.
  const left = followed.flatMap(({ from, result }) =>
    result.successor == null ? [] : (from.group_id ?? []),
  );
  const states = left.length === 0 ? new Map() : yield* lockGroups([...new Set(left)]);
  const tasks: NewTask[] = [];
  const groups: NewGroup[] = [];
  const successions: Succession[] = [];
  for (const { from, result } of followed) {
    const { group_id: group } = from;
    for (const task of result.next ?? []) {
      if (task.id !== result.successor || group === null || !states.has(group)) tasks.push(task);
      else {
        // The position is given up only when the successor is stored, so that none of the others can take it meanwhile.
        const { childOf: _, ...unplaced } = task;
        tasks.push(unplaced);
        successions.push({ from, group, successor: task.id });
      }
    }
    groups.push(...(result.groups ?? []));
  }
  const added = new Set(yield* enqueue(transitions, driver, tasks, groups));
  // One that could not be stored, because its id or its unique key is taken, leaves the position to the task that has it.
  const passed = successions.filter(({ successor }) => added.has(successor));
  if (passed.length === 0) return new Set();
  const given = passed.map(({ from }) => from);
  yield* later(
    sql`UPDATE pawl.task SET group_id = NULL, child_index = NULL WHERE id ${oneOf(given.map(({ id }) => id))}`,
  );
  yield* later(
    sql`UPDATE pawl.task SET group_id = p.in_group, child_index = p.at_index FROM ${rows("p", {
      successor: ["text", passed.map(({ successor }) => successor)],
      in_group: ["text", passed.map(({ group }) => group)],
      at_index: ["bigint", given.map(({ child_index }) => child_index)],
    })} WHERE ${lookup("id", "p.successor")}`,
  );
  const late = passed.filter(({ group }) => states.get(group) === "failed").map(({ successor }) => successor);
  if (late.length > 0) yield* cancelWaiting(transitions, sql`t.id ${oneOf(late)}`);
  return new Set(given);
}
