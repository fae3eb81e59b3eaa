import { LostError } from "../errors.ts";
import { backoffDelay } from "../retry.ts";
import type { Json, TaskStore } from "../store/contract.ts";
import { outcomeOfError, outcomeOfResult, type RetryPolicy } from "./outcome.ts";
import type { Ending, Handler, Runner } from "./runner.ts";

export interface HandlerRunnerOptions {
  readonly store: TaskStore;
  readonly handlers: Readonly<Record<string, Handler>>;
  readonly policy: RetryPolicy;
  readonly report: (error: unknown) => void;
}

/** Makes attempts with plain handlers, found by the name of the task. */
export function handlerRunner({ store, handlers, policy, report }: HandlerRunnerOptions): Runner {
  return async ({ task, id, fence }, stop) => {
    const { signal } = stop;
    const handler = Object.hasOwn(handlers, task.name) ? handlers[task.name] : undefined;
    if (handler === undefined) return unknownTask(task.name, id, fence, report);
    const progress = async (value: Json) => {
      const { lost: gone } = await store.progress([{ id, fence, value }]);
      if (gone.length === 0) return;
      const error = new LostError(`Task ${id} has been taken over by another worker.`);
      stop.abort(error);
      throw error;
    };
    try {
      const result = await handler(task, { signal, lease: { id, fence }, progress });
      return { result: outcomeOfResult(result ?? undefined) };
    } catch (error) {
      const result = outcomeOfError(error, task, signal, policy);
      return result === undefined ? undefined : { result };
    }
  };
}

/** Leaves a task that nobody here has a handler for to another worker. */
export function unknownTask(
  name: string,
  id: string,
  fence: number,
  report: (error: unknown) => void,
): Ending {
  report(new Error(`No handler is named ${name}: task ${id} is left for another worker.`));
  // Longer each time, so that a task nobody knows does not keep everybody busy.
  const delayMs = backoffDelay(fence, { baseMs: 500, capMs: 60_000 });
  return { result: { state: "snoozed", delayMs }, unknown: true };
}
