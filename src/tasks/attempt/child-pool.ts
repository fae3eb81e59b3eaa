import { durationText } from "../../durations.ts";
import { errorText } from "../../error-text.ts";
import { LostError } from "../../errors.ts";
import {
  type CallOptions,
  type MapOptions,
  Pool,
  TimeLimitError,
  WorkerDiedError,
} from "../../pool/index.ts";
import type { TaskResult } from "../../store/contract.ts";
import { JsonText } from "../../store/internal.ts";
import { LONGEST_TIMER_MS } from "../../timers.ts";
import type { Definition } from "../contract.ts";
import { newTaskId } from "../task-id.ts";
import type { Trace } from "../task-meta.ts";
import type { Attempt, ChildRunner } from "./attempt.ts";
import {
  beginChild,
  type ChildReply,
  type ChildRequest,
  type ChildSetup,
  runInChild,
  STOP,
} from "./child-entry.ts";
import { CancelledError } from "./errors.ts";
import { logPath, takeLog } from "./log.ts";
import { crash, failure, resultOfStop } from "./result.ts";

export interface ChildPoolOptions {
  readonly isolate: "thread" | "process";
  readonly setup: ChildSetup;
  /** As many as attempts may run at once. */
  readonly children: number;
  /** A child is replaced after so many attempts. */
  readonly maxTasks: number | null;
  /** A child above so many bytes is replaced between attempts. */
  readonly maxMemory: number | null;
}

/** How long an attempt may take to stop by itself once its signal aborts, until its child is killed. */
const GRACE_MS = 2_000;

/** How long an idle child is kept: a start costs a third of a second. */
const IDLE_MS = 60_000;

/** Runs attempts in children of one kind, and kills those that do not end. */
export class ChildPool implements ChildRunner {
  readonly #pool: Pool;

  constructor({ isolate, setup, children, maxTasks, maxMemory }: ChildPoolOptions) {
    this.#pool = new Pool({
      workers: children,
      isolate,
      init: beginChild,
      initArgument: setup,
      idle: IDLE_MS,
      ...(maxTasks === null ? {} : { maxTasksPerWorker: maxTasks }),
      ...(maxMemory === null ? {} : { maxMemoryPerWorker: maxMemory }),
    });
  }

  /** Makes one attempt; its signal first asks it to stop, and then its child is killed. Never throws. */
  async run(
    attempt: Attempt,
    definition: Definition,
    { trace, poisonAfter }: { readonly trace: Trace | null; readonly poisonAfter: number },
  ): Promise<TaskResult | null> {
    const { claim } = attempt;
    const { signal } = attempt.stop;
    const { softMs, hardMs } = definition;
    const log = logPath(newTaskId());
    let timer: NodeJS.Timeout | undefined;
    let stop = () => {};
    try {
      const request: ChildRequest = { claim, trace, log, softMs };
      const future = this.#pool.submitWith(limits(definition), runInChild as never, request as never);
      stop = () => {
        const reason = wordsFor(signal.reason);
        future.cancel({ reason });
        timer = setTimeout(() => future.cancel({ reason, kill: true }), GRACE_MS);
      };
      if (signal.aborted) stop();
      else signal.addEventListener("abort", stop, { once: true });
      const { result, value } = (await future.result()) as ChildReply;
      return result?.state === "succeeded" && value !== null
        ? { ...result, value: new JsonText(value) }
        : result;
    } catch (error) {
      if (signal.aborted) return resultOfStop(signal.reason);
      if (error instanceof WorkerDiedError)
        return crash(errorText(error), definition, claim.task, poisonAfter);
      const said = error instanceof TimeLimitError ? overrun(hardMs) : errorText(error);
      return failure(said, error, definition, claim.task);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
      attempt.log = takeLog(log);
    }
  }

  /** Ends all children at once. */
  async end(): Promise<void> {
    await this.#pool.terminate();
  }
}

/** The limits of the task as those of the pool, which watches them (pool/worker/time-limit.ts) and ends the child. */
function limits({ softMs, hardMs }: Definition): CallOptions {
  // One at a time: a long attempt must not delay those that wait for the same child.
  const options: MapOptions = { chunkSize: 1 };
  if (softMs === null && hardMs === null) return options;
  // With a soft limit alone the attempt may continue for as long as a timer can be set for, which is 24 days.
  const hard = Math.min(hardMs ?? LONGEST_TIMER_MS, LONGEST_TIMER_MS);
  const soft = softMs !== null && softMs < hard ? { soft: softMs } : {};
  return { ...options, timeout: { ...soft, hard } } as MapOptions;
}

function overrun(hardMs: number | null): string {
  return `It ran longer than its hard limit of ${durationText(hardMs ?? 0)}, and its child was killed.`;
}

function wordsFor(reason: unknown): string {
  if (reason instanceof CancelledError) return STOP.cancelled;
  return reason instanceof LostError ? STOP.lost : STOP.stopped;
}
