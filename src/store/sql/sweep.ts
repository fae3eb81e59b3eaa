import type { TaskState } from "../contract.ts";
import { addAttempts } from "./attempt-history.ts";
import { cancelExpired } from "./cancel.ts";
import type { StateTransitions, Transitioned } from "./state-transitions.ts";
import type { Procedure } from "./statement.ts";

/** A task whose lease was taken back, as it is now. */
export interface TakenBack extends Transitioned {
  readonly seq: number;
  readonly state: TaskState;
}

/** What a driver does in its own way, in a transaction, because it depends on how leases and clocks are kept. */
export interface Sweeping<T extends StateTransitions> {
  /** Follows a clock that was set back; true when it was. */
  followClock(transitions: T): Procedure<boolean>;
  /** Takes back the leases that have run out and those of dead workers: each is a crash. */
  takeBack(
    transitions: T,
    deadWorkers: readonly string[],
    poisonAfter: number,
  ): Procedure<readonly TakenBack[]>;
}

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
