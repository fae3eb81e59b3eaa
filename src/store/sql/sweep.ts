import { addAttempts } from "./attempt-history.ts";
import { cancelExpired } from "./cancel.ts";
import type { Sweeping } from "./driver.ts";
import type { StateTransitions } from "./state-transitions.ts";
import type { Procedure } from "./statement.ts";

/** Takes leases back and cancels what has expired, in a transaction. `poisoned` is part of `expired`. */
export function* sweep<T extends StateTransitions>(
  transitions: T,
  driver: Sweeping<T>,
  deadWorkers: readonly string[],
  poisonAfter: number,
): Procedure<{ expired: string[]; poisoned: string[] }> {
  yield* cancelExpired(transitions);
  const isSetBack = yield* driver.followClock(transitions);
  const tasks = (yield* driver.takeBack(transitions, deadWorkers, poisonAfter)).toSorted(
    (a, b) => a.seq - b.seq,
  );
  yield* addAttempts(
    tasks.map(({ id, fence, state }) => ({ id, fence, state, result: "crashed", error: null, log: null })),
  );
  for (const task of tasks) transitions.add(task, "leased", task.state);
  if (isSetBack || tasks.length > 0) transitions.wakes = true;
  return {
    expired: tasks.map(({ id }) => id),
    poisoned: tasks.filter(({ state }) => state === "dead").map(({ id }) => id),
  };
}
