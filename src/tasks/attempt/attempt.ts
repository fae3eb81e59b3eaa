import { shown } from "../../arguments.ts";
import { type Duration, optionalMilliseconds } from "../../durations.ts";
import { errorStack, errorText, isOf } from "../../error-text.ts";
import { LostError, PawlError } from "../../errors.ts";
import type { Claim, Json, Lease, Settlement, TaskRecord, TaskResult } from "../../store/contract.ts";
import { JsonText } from "../../store/internal.ts";
import { LONGEST_TIMER_MS } from "../../timers.ts";
import type { Client } from "../client/client.ts";
import type { TaskHandle } from "../client/handle.ts";
import type { AnyFlow, AnyTask, Anything, Definition, EnqueueOptions, InternalContext } from "../contract.ts";
import { parseInput } from "../define/schema.ts";
import { revived, type TakenValue } from "../flow/group-results.ts";
import { PASS } from "../flow/link.ts";
import { withSuccessors } from "../flow/next-tasks.ts";
import type { StoredValue } from "../flow/spec.ts";
import { Spool } from "../flow/spool.ts";
import { take } from "../stored-value.ts";
import { derivedId } from "../task-id.ts";
import { metaOf, type Trace } from "../task-meta.ts";
import { processing } from "../telemetry/otel.ts";
import { PermanentError, Retry, SoftLimitError } from "./errors.ts";
import { type AttemptLog, MemoryLog } from "./log.ts";
import { ProgressWriter } from "./progress-writer.ts";
import { resultOfError, resultOfUnhandled, resultOfUnknown, type Success, success } from "./result.ts";
import { type Stop, UnhandledErrors, withinScope } from "./unhandled-errors.ts";

/** One attempt at a claimed task, from its beginning until its result is in the store. */
export class Attempt {
  readonly claim: Claim;
  /**
   * Aborts when the attempt should end: `HeldAttempts` aborts it for a cancelled or lost task (tasks/worker/held-attempts.ts). Its signal
   * is made when it is first asked for.
   */
  readonly stop = new AbortController();
  /** What the handler wrote, for people. */
  log: string | undefined;
  /** Gives the result that counts in place of the handler's, where an unhandled error arose after the handler had ended. */
  revised: (() => TaskResult | undefined) | undefined;
  /** This worker has no handler for the task. */
  isUnknown = false;
  /** Resolves when it has ended. */
  ended: Promise<void> | undefined;

  constructor(claim: Claim) {
    this.claim = claim;
  }

  /** The settlement of a result. Called once, when the result goes to the store for the first time. */
  settlement(result: TaskResult): Settlement {
    const { id, fence } = this.claim;
    const settled = { id, fence, result: this.revised?.() ?? result };
    return this.log === undefined ? settled : { ...settled, log: this.log };
  }
}

/** Makes attempts in children of one kind. */
export interface ChildRunner {
  run(
    attempt: Attempt,
    definition: Definition,
    options: { readonly trace: Trace | null; readonly poisonAfter: number },
  ): Promise<TaskResult | null>;
}

export interface RunnerOptions {
  readonly client: Client;
  readonly tasks: readonly Definition[];
  /** The children of a kind; needed for tasks that are isolated. */
  readonly childrenOf?: (isolate: "thread" | "process") => ChildRunner;
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

  /** The result of an attempt. Null when there is nothing to settle, because another worker has the task. */
  run(attempt: Attempt): Promise<TaskResult | null> {
    const { claim } = attempt;
    const definition = this.#tasks.get(claim.task.name);
    // A task of Pawl itself, such as a shard, gets no span: it is not a message of the program.
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
    const unhandled = new UnhandledErrors(client, stop, report);
    try {
      const around = { client, progress: this.#progress, log, stop: limit ?? stop, unhandled };
      const result = await runHandler(definition, claim, around);
      attempt.log = log.text;
      if (result === null) unhandled.over();
      else attempt.revised = () => revised(attempt, result, unhandled, definition);
      return result;
    } finally {
      limit?.clear();
    }
  }

  /** Leaves a task without a handler here to another worker. */
  #unknown(attempt: Attempt): TaskResult {
    const { id, fence, task } = attempt.claim;
    this.#options.report(
      new Error(`No handler is named ${task.name}: task ${id} is left for another worker.`),
    );
    attempt.isUnknown = true;
    return resultOfUnknown(fence);
  }
}

/** A success does not count when an unhandled error arose in the turn of the event loop in which the handler ended. */
function revised(
  { claim }: Attempt,
  result: TaskResult,
  unhandled: UnhandledErrors,
  definition: Definition,
): TaskResult | undefined {
  unhandled.over();
  const { first } = unhandled;
  if (first === undefined || result.state !== "succeeded") return undefined;
  return resultOfUnhandled(first, definition, claim.task);
}

/** A success with what follows the task in its flow. */
function followed({ claim }: Attempt, result: Success): TaskResult {
  if (metaOf(claim.task.meta).flow === undefined) return result;
  try {
    return withSuccessors(claim.task, result);
  } catch (error) {
    // What follows is too large to be stored; trying again cannot change that.
    return { state: "dead", error: errorText(error) };
  }
}

/** The result of a task that only passes its input on. */
function passedOn({ claim: { task } }: Attempt): Success {
  const { inputGroups: groups } = metaOf(task.meta);
  return success(task, { value: task.payload, ...(groups === undefined ? {} : { groups }) });
}

/** A signal that aborts with the signal of the attempt, or when the soft limit is over. */
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

/** What an attempt needs of the place in which it runs. */
export interface AttemptEnvironment {
  readonly client: Client;
  readonly progress: ProgressWriter;
  readonly log: AttemptLog;
  readonly stop: Stop;
  readonly unhandled: UnhandledErrors;
}

/**
 * Runs the handler of a task once. Null when there is nothing to settle, because another worker has the task. Never
 * throws.
 */
export async function runHandler(
  definition: Definition,
  claim: Claim,
  environment: AttemptEnvironment,
): Promise<TaskResult | null> {
  const context = new Context(claim, environment);
  const { client, stop, log, unhandled } = environment;
  const { task } = claim;
  try {
    const input = await inputOf(definition, task, client);
    const handled = definition.internal
      ? handle(definition, input, context)
      : withinScope(unhandled, () => handle(definition, input, context));
    const taken = handled instanceof Promise ? await unhandled.handling(handled) : handled;
    if (context.report !== undefined) await context.reported();
    if (unhandled.first !== undefined) throw unhandled.first;
    return success(task, taken);
  } catch (error) {
    const result = resultOfError(error, definition, task, stop.signal);
    const thrown = unhandled.first?.cause ?? error;
    if (result !== null && "error" in result && !isOf(thrown, Retry)) log.write([errorStack(thrown)]);
    await context.reported();
    return result;
  } finally {
    unhandled.handled();
  }
}

/** What a handler returns, as JSON at once: the program may change the object from then on. */
function handle(definition: Definition, input: unknown, context: Context): TakenValue | Promise<TakenValue> {
  const what = `The result of task "${definition.name}"`;
  const given: unknown = definition.handler(input as never, context);
  const isPlain = given === null || (typeof given !== "object" && typeof given !== "function");
  if (isPlain) return take(given, what);
  // The cursor of a shard is as large as its source makes it.
  return takeLater(given, what, definition.internal ? Number.POSITIVE_INFINITY : undefined);
}

async function takeLater(given: unknown, what: string, mostBytes?: number): Promise<TakenValue> {
  return take(await given, what, mostBytes);
}

/** The input for the handler; a promise where parsing takes time. */
function inputOf(definition: Definition, task: TaskRecord, client: Client): unknown {
  const { via, argument, inputGroups } = metaOf(task.meta);
  if (definition.schema === null && via === undefined && inputGroups === undefined) return task.payload;
  const store = () => client.store();
  const given = revived(task.payload, inputGroups, store);
  let input = given;
  if (via !== undefined) {
    const map = Object.hasOwn(definition.maps, via) ? definition.maps[via] : undefined;
    if (map === undefined) {
      throw new PermanentError(`Task "${task.name}" has no function named "${via}" in its maps.`);
    }
    const { value = null, groups } = argument ?? {};
    input = map(given as never, revived(JsonText.of(value).value(), groups, store) as never);
  }
  return definition.schema === null ? input : parseInput(definition.schema, input, task.name);
}

/** What a handler is given besides its input. */
class Context implements InternalContext {
  readonly id: string;
  readonly attempt: number;
  readonly failures: number;
  readonly lease: Lease;
  readonly scheduledFor: Date | null;
  readonly record: TaskRecord;
  readonly #name: string;
  readonly #around: AttemptEnvironment;
  /** The latest report under way. */
  report: Promise<void> | undefined;
  /** How often each call was enqueued by this attempt. */
  #calls: Map<string, number> | undefined;

  constructor({ id, fence, task }: Claim, around: AttemptEnvironment) {
    const { scheduledFor } = metaOf(task.meta);
    this.id = id;
    this.attempt = fence;
    this.failures = task.failures;
    this.lease = { id, fence };
    this.scheduledFor = scheduledFor === undefined ? null : new Date(scheduledFor);
    this.record = task;
    this.#name = task.name;
    this.#around = around;
  }

  get signal(): AbortSignal {
    return this.#around.stop.signal;
  }

  /** Resolves when no report is under way: a report that arrives after the settlement would take the task for lost. */
  async reported(): Promise<void> {
    await this.report?.catch(() => {});
  }

  // Bound, so that handlers can take them apart from the context.
  readonly progress = (current: number, total?: number, note?: string): Promise<void> =>
    this.#reporting(() => {
      const what = `The progress of task "${this.#name}"`;
      const given = {
        current: finite(current, `${what} has a current`),
        ...(total === undefined || total === null ? {} : { total: finite(total, `${what} has a total`) }),
        ...(note === undefined || note === null ? {} : { note: text(note, `${what} has a note`) }),
      };
      return take(given, what).value;
    });

  readonly saveProgress = (value: Json): Promise<void> => this.#reporting(() => JsonText.of(value));

  /** Turns a value into JSON at once and stores it, so that a value that cannot be stored fails here and alone. */
  #reporting(taken: () => JsonText): Promise<void> {
    const report = this.#report(taken).catch((error) => {
      if (error instanceof LostError) this.#around.stop.abort(error);
      throw error;
    });
    report.catch(() => {});
    this.report = report;
    return report;
  }

  async #report(taken: () => JsonText): Promise<void> {
    await this.#around.progress.report(this.lease, taken());
  }

  readonly log = (...values: unknown[]): void => {
    this.#around.log.write(values);
  };

  readonly retry = (options: { readonly after?: Duration; readonly reason?: string } = {}): never => {
    const { after, reason } = options;
    const delayMs = optionalMilliseconds(after, `The after of task "${this.#name}"`) ?? null;
    throw new Retry(reason ?? "It asked to be tried again.", delayMs);
  };

  readonly enqueue = async (
    what: AnyTask | AnyFlow,
    input?: unknown,
    options: EnqueueOptions = {},
  ): Promise<TaskHandle<Anything>> => {
    const { client } = this.#around;
    const given = { ...options };
    const taken = take(input, "The input of what a task enqueues");
    if ("definition" in what) {
      const key = given.key ?? this.#callKey(what.name, taken, given);
      return await client.enqueue(what, input, { ...given, key });
    }
    const { node, streamed } = what.compose();
    if (given.key !== undefined || streamed === null) {
      const key = given.key ?? this.#callKey(JSON.stringify(node), taken, given);
      return await client.enqueueFlow(what, input, { ...given, key });
    }
    await using spool = await Spool.of(streamed);
    const key = this.#callKey(spool.identity(), taken, given);
    // As it was given: the caller may have changed it while the members were read.
    const copy = revived(taken.value.value(), taken.groups, () => client.store());
    return await client.enqueueFlow(spool, copy, { ...given, key });
  };

  /**
   * A key from the call and from the number of equal calls before it, so that the next attempt gives the same call
   * the same key.
   */
  #callKey(what: string, taken: StoredValue, { queue, priority }: EnqueueOptions): string {
    const call = derivedId(this.id, what, JSON.stringify([taken, queue, priority]));
    this.#calls ??= new Map();
    const times = (this.#calls.get(call) ?? 0) + 1;
    this.#calls.set(call, times);
    return `${call}#${times}`;
  }
}

/** Checks a number of a progress report: anything else would be stored as null or as it is, and no reader could use it. */
function finite(value: unknown, what: string): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new PawlError("task.progress", `${what} that is ${shown(value)}: it must be a finite number.`);
}

function text(value: unknown, what: string): string {
  if (typeof value === "string") return value;
  throw new PawlError("task.progress", `${what} that is ${shown(value)}: it must be a text.`);
}
