import { errorText } from "../../error-text.ts";
import { LostError } from "../../errors.ts";
import {
  type CallOptions,
  type MapOptions,
  Pool,
  TimeLimitError,
  WorkerDiedError,
} from "../../pool/index.ts";
import { LONGEST_TIMER_MS } from "../../timers.ts";
import { newTaskId } from "../client/task-id.ts";
import type { Definition } from "../contract.ts";
import type { Verdict } from "../verdict.ts";
import type { Order } from "./attempt.ts";
import { attemptInChild, beginChild } from "./child.ts";
import { type ChildSetup, STOP } from "./child-messages.ts";
import { CancelledError, spoken } from "./errors.ts";
import { logPath, takeLog } from "./log.ts";

export interface ChildrenOptions {
  readonly isolate: "thread" | "process";
  readonly setup: ChildSetup;
  /** As many as attempts may run at once. */
  readonly children: number;
  /** A child is replaced after so many attempts. */
  readonly maxTasks: number | null;
  /** A child above so many bytes is replaced between attempts. */
  readonly maxMemory: number | null;
}

/** How an attempt in a child ended. */
export type ChildEnd =
  | { readonly verdict: Verdict; readonly log: string | undefined }
  /** The child died of it. */
  | { readonly died: string; readonly log: string | undefined };

/** How long an attempt may take to stop by itself once its signal aborts, until its child is killed. */
const GRACE_MS = 2_000;

/** Children are kept so long with nothing to do: a start costs a third of a second. */
const IDLE_MS = 60_000;

/** Runs attempts in children of one kind, and kills those that do not end. */
export class Children {
  readonly #pool: Pool;

  constructor({ isolate, setup, children, maxTasks, maxMemory }: ChildrenOptions) {
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

  /** Makes one attempt; the signal first asks it to stop, and then its child is killed. Never throws. */
  async attempt(definition: Definition, order: Order, signal: AbortSignal): Promise<ChildEnd> {
    const { softMs, hardMs } = definition;
    const log = logPath(newTaskId());
    let timer: NodeJS.Timeout | undefined;
    let stop = () => {};
    try {
      const given = { ...order, log, softMs } as never;
      const future = this.#pool.submitWith(limits(definition), attemptInChild as never, given);
      stop = () => {
        const reason = wordsFor(signal.reason);
        future.cancel({ reason });
        timer = setTimeout(() => future.cancel({ reason, kill: true }), GRACE_MS);
      };
      if (signal.aborted) stop();
      else signal.addEventListener("abort", stop, { once: true });
      const verdict = (await future.result()) as Verdict;
      return { verdict, log: takeLog(log) };
    } catch (error) {
      const written = takeLog(log);
      if (signal.aborted) return { verdict: { kind: "stopped" }, log: written };
      if (error instanceof TimeLimitError) return { verdict: overrun(hardMs), log: written };
      if (error instanceof WorkerDiedError) return { died: errorText(error), log: written };
      const failed = { kind: "failed", error: errorText(error), again: true, delayMs: null } as const;
      return { verdict: failed, log: written };
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    }
  }

  /** Ends all children, whatever they do. */
  async end(): Promise<void> {
    await this.#pool.terminate();
  }
}

function limits({ softMs, hardMs }: Definition): CallOptions {
  // One at a time: what is long must not hold up what stands behind it in the same child.
  const options: MapOptions = { chunkSize: 1 };
  if (softMs === null && hardMs === null) return options;
  // A soft limit alone: then it may go on for as long as a timer can be set for, which is 24 days.
  const hard = Math.min(hardMs ?? LONGEST_TIMER_MS, LONGEST_TIMER_MS);
  const soft = softMs !== null && softMs < hard ? { soft: softMs } : {};
  return { ...options, timeout: { ...soft, hard } } as MapOptions;
}

function overrun(hardMs: number | null): Verdict {
  const error = `It ran longer than its hard limit of ${spoken(hardMs ?? 0)}, and its child was killed.`;
  return { kind: "failed", error, again: true, delayMs: null };
}

function wordsFor(reason: unknown): string {
  if (reason instanceof CancelledError) return STOP.cancelled;
  return reason instanceof LostError ? STOP.lost : STOP.stopped;
}
