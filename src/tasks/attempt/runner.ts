import { errorText } from "../../error-text.ts";
import { LostError } from "../../errors.ts";
import { backoffDelay } from "../../retry.ts";
import type { Claim, TaskResult } from "../../store/contract.ts";
import { JsonText } from "../../store/json-text.ts";
import { LONGEST_TIMER_MS } from "../../timers.ts";
import type { Client } from "../client/client.ts";
import type { Definition } from "../contract.ts";
import { succeeded } from "../flow/follow.ts";
import { PASS } from "../flow/nodes.ts";
import { metaOf } from "../flow/spec.ts";
import { unknownTask } from "../handler-runner.ts";
import type { Ending, Runner } from "../runner.ts";
import { processing } from "../telemetry/spans.ts";
import type { Trace } from "../telemetry/trace.ts";
import type { Verdict } from "../verdict.ts";
import { AttemptStrays, attempt, type Order, type Stop, strayed } from "./attempt.ts";
import type { Children } from "./children.ts";
import { CancelledError, SoftLimitError, StoppedError } from "./errors.ts";
import { MemoryLog } from "./log.ts";
import { ProgressWriter } from "./progress-writer.ts";

export interface TaskRunnerOptions {
  readonly client: Client;
  readonly tasks: ReadonlyMap<string, Definition>;
  /** The children of a kind. */
  readonly childrenOf: (isolate: "thread" | "process") => Children;
  readonly poisonAfter: number;
  readonly report: (error: unknown) => void;
}

/** Makes attempts at defined tasks, here or in a child. */
export function taskRunner(options: TaskRunnerOptions): Runner {
  const { client, tasks, childrenOf, poisonAfter, report } = options;
  const progress = new ProgressWriter(() => client.store());
  const run = async (
    claim: Claim,
    stop: AbortController,
    trace: Trace | null,
  ): Promise<Ending | undefined> => {
    const { task, id, fence } = claim;
    if (task.name === PASS) return settled(claim, passedOn(task), stop, null);
    const definition = tasks.get(task.name);
    if (definition === undefined) return unknownTask(task.name, id, fence, report);
    const order = orderOf(claim, trace);
    if (definition.isolate !== "none") {
      const end = await childrenOf(definition.isolate).attempt(definition, order, stop.signal);
      const log = end.log === undefined ? {} : { log: end.log };
      if ("died" in end) return { result: crashed(definition, task.crashes, end.died, poisonAfter), ...log };
      return withLog(settled(claim, end.verdict, stop, definition), end.log);
    }
    const log = new MemoryLog();
    const { softMs } = definition;
    const limit = softMs === null || softMs > LONGEST_TIMER_MS ? null : new SoftLimit(softMs, stop);
    const strays = new AttemptStrays(client, stop, report);
    try {
      const around = { client, progress, log, stop: limit ?? stop, strays };
      const verdict = await attempt(definition, order, around);
      const ending = withLog(settled(claim, verdict, stop, definition), log.text);
      if (ending === undefined) strays.over();
      else ending.late = () => late(claim, verdict, strays, definition);
      return ending;
    } finally {
      limit?.clear();
    }
  };
  return (claim, stop) => processing(claim, (trace) => run(claim, stop, trace));
}

/** A success does not count when something went wrong in the same turn of the event loop in which it ended. */
function late(
  claim: Claim,
  verdict: Verdict,
  strays: AttemptStrays,
  definition: Definition,
): Ending | undefined {
  strays.over();
  const { first } = strays;
  if (first === undefined || verdict.kind !== "done") return undefined;
  return settled(claim, strayed(first, definition), NEVER_ABORTED, definition);
}

const NEVER_ABORTED = new AbortController();

/** A signal that aborts with another one, or when a soft limit is over. */
class SoftLimit implements Stop {
  readonly signal: AbortSignal;
  readonly #stop: Stop;
  readonly #timer: NodeJS.Timeout;

  constructor(softMs: number, stop: Stop) {
    const over = new AbortController();
    this.#stop = stop;
    this.#timer = setTimeout(() => over.abort(new SoftLimitError(softMs)), softMs);
    this.signal = AbortSignal.any([stop.signal, over.signal]);
  }

  abort(reason: unknown): void {
    this.#stop.abort(reason);
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}

/** What a task that only passes on gives: what it was given. */
function passedOn({ payload, meta }: Claim["task"]): Verdict {
  const { members } = metaOf(meta);
  return { kind: "done", result: JSON.stringify(payload), ...(members === undefined ? {} : { members }) };
}

function orderOf({ task, id, fence }: Claim, trace: Trace | null): Order {
  const { via, argument, members, scheduledFor } = metaOf(task.meta);
  return {
    id,
    fence,
    name: task.name,
    payload: task.payload,
    via: via ?? null,
    argument: argument ?? null,
    members: members ?? null,
    failures: task.failures,
    scheduledFor: scheduledFor ?? null,
    trace,
  };
}

function withLog(ending: Ending | undefined, log: string | undefined): Ending | undefined {
  return ending === undefined || log === undefined ? ending : { ...ending, log };
}

/** What a verdict means for the task. */
function settled(
  { task }: Claim,
  verdict: Verdict,
  stop: Stop,
  definition: Definition | null,
): Ending | undefined {
  switch (verdict.kind) {
    case "done":
      return { result: done(task, verdict) };
    case "stopped":
      return stopped(stop.signal.reason);
    case "snoozed":
      return { result: { state: "snoozed", delayMs: verdict.delayMs } };
    case "failed": {
      const { error, again } = verdict;
      const failures = task.failures + 1;
      if (!again || definition === null || failures >= definition.maxFailures) {
        return { result: { state: "dead", error } };
      }
      const delayMs = verdict.delayMs ?? backoffDelay(failures, definition.backoff);
      return { result: { state: "retry", delayMs, error } };
    }
  }
}

function done(task: Claim["task"], { result, members }: Verdict & { kind: "done" }): TaskResult {
  try {
    const value = new JsonText(result);
    return succeeded(task, members === undefined ? { value } : { value, members });
  } catch (error) {
    // What follows is too large to be stored, and will be the next time.
    return { state: "dead", error: errorText(error) };
  }
}

/** The signal says why it stopped. */
function stopped(reason: unknown): Ending | undefined {
  if (reason instanceof CancelledError) return { result: { state: "cancelled" } };
  if (reason instanceof StoppedError) return { result: { state: "snoozed", delayMs: 0 } };
  if (reason instanceof LostError || reason === undefined) return undefined;
  return { result: { state: "snoozed", delayMs: 0 } };
}

function crashed(definition: Definition, crashes: number, error: string, poisonAfter: number): TaskResult {
  return { state: "crashed", delayMs: backoffDelay(crashes + 1, definition.backoff), error, poisonAfter };
}
