import { errorText } from "../../error-text.ts";
import { backoffDelay } from "../../retry.ts";
import type { TaskResult } from "../../store/contract.ts";
import { LONGEST_TIMER_MS } from "../../timers.ts";
import type { Client } from "../client/client.ts";
import type { Definition } from "../contract.ts";
import { PASS } from "../flow/nodes.ts";
import type { Trace } from "../flow/spec.ts";
import { metaOf } from "../flow/spec.ts";
import { withSuccessors } from "../flow/unfold.ts";
import { processing } from "../telemetry/otel.ts";
import type { Attempt } from "./attempt.ts";
import { resultOfStray, runHandler, type Success, success } from "./attempt.ts";
import type { Children } from "./children.ts";
import { SoftLimitError } from "./errors.ts";
import { MemoryLog } from "./log.ts";
import { ProgressWriter } from "./progress-writer.ts";
import { AttemptStrays, type Stop } from "./strays.ts";

export interface RunnerOptions {
  readonly client: Client;
  readonly tasks: readonly Definition[];
  /** The children of a kind; needed for tasks that are isolated. */
  readonly childrenOf?: (isolate: "thread" | "process") => Children;
  /** A task that takes so many children down without progress becomes a dead letter. */
  readonly poisonAfter: number;
  readonly report: (error: unknown) => void;
}

/** Makes attempts at defined tasks, in this thread or in a child. */
export class Runner {
  readonly #options: RunnerOptions;
  readonly #tasks: ReadonlyMap<string, Definition>;
  readonly #progress: ProgressWriter;

  constructor(options: RunnerOptions) {
    const { client, tasks } = options;
    this.#options = options;
    this.#tasks = new Map(tasks.map((definition) => [definition.name, definition]));
    this.#progress = new ProgressWriter(() => client.store());
  }

  /** What an attempt comes to. Null when there is nothing to settle, because another worker has the task. */
  run(attempt: Attempt): Promise<TaskResult | null> {
    const { claim } = attempt;
    const definition = this.#tasks.get(claim.task.name);
    // The work of Pawl itself, such as a shard, is not a message of the program's.
    if (definition?.internal) return this.#run(attempt, definition);
    return processing(claim, async (trace) => {
      if (claim.task.name === PASS) return followed(attempt, passedOn(attempt));
      if (definition === undefined) return this.#unknown(attempt);
      const result =
        definition.isolate === "none"
          ? await this.#run(attempt, definition)
          : await this.#runInChild(attempt, definition, definition.isolate, trace);
      return result?.state === "succeeded" ? followed(attempt, result) : result;
    });
  }

  async #runInChild(
    attempt: Attempt,
    definition: Definition,
    isolate: "thread" | "process",
    trace: Trace | null,
  ): Promise<TaskResult | null> {
    const { childrenOf, poisonAfter } = this.#options;
    if (childrenOf === undefined) throw new Error(`No task was known to need a ${isolate}.`);
    return await childrenOf(isolate).run(attempt, definition, { trace, poisonAfter });
  }

  async #run(attempt: Attempt, definition: Definition): Promise<TaskResult | null> {
    const { client, report } = this.#options;
    const { claim, stop } = attempt;
    const { softMs } = definition;
    const log = new MemoryLog();
    const limit = softMs === null || softMs > LONGEST_TIMER_MS ? null : new SoftLimit(softMs, stop);
    const strays = new AttemptStrays(client, stop, report);
    try {
      const around = { client, progress: this.#progress, log, stop: limit ?? stop, strays };
      const result = await runHandler(definition, claim, around);
      attempt.log = log.text;
      if (result === null) strays.over();
      else attempt.revised = () => revised(attempt, result, strays, definition);
      return result;
    } finally {
      limit?.clear();
    }
  }

  /** Leaves a task that this worker does not know to another one. */
  #unknown(attempt: Attempt): TaskResult {
    const { id, fence, task } = attempt.claim;
    this.#options.report(
      new Error(`No handler is named ${task.name}: task ${id} is left for another worker.`),
    );
    attempt.isUnknown = true;
    // Longer each time, so that a task which no worker knows does not keep all of them busy.
    return { state: "snoozed", delayMs: backoffDelay(fence, { baseMs: 500, capMs: 60_000 }) };
  }
}

/** A success does not count when something went wrong in the same turn of the event loop in which it ended. */
function revised(
  { claim }: Attempt,
  result: TaskResult,
  strays: AttemptStrays,
  definition: Definition,
): TaskResult | undefined {
  strays.over();
  const { first } = strays;
  if (first === undefined || result.state !== "succeeded") return undefined;
  return resultOfStray(first, definition, claim.task);
}

/** A success with what follows the task in its flow. */
function followed({ claim }: Attempt, result: Success): TaskResult {
  try {
    return withSuccessors(claim.task, result);
  } catch (error) {
    // What follows is too large to be stored, and will be the next time.
    return { state: "dead", error: errorText(error) };
  }
}

/** What a task that only passes on gives: what it was given. */
function passedOn({ claim: { task } }: Attempt): Success {
  const { members } = metaOf(task.meta);
  return success(task, { value: task.payload, ...(members === undefined ? {} : { members }) });
}

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
