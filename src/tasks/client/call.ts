/** From the arguments of a call, a link or a flow to the tasks that are stored for it: options, names and inputs. */

import { shown, unknownOption } from "../../arguments.ts";
import { durationText, endingMilliseconds, finiteMilliseconds } from "../../durations.ts";
import { errorText } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import type { Json, NewTask, Store } from "../../store/contract.ts";
import type { Definition, EnqueueOptions, LinkOptions } from "../contract.ts";
import type { TakenValue } from "../flow/group-results.ts";
import type { StoredValue } from "../flow/spec.ts";
import { take } from "../stored-value.ts";
import { newTaskId } from "../task-id.ts";
import type { TaskMeta } from "../task-meta.ts";
import { RUN_QUEUES } from "../worker/heartbeat.ts";
import { keyedId, uniqueKey } from "./unique.ts";

export const CALL_OPTIONS = ["delay", "at", "priority", "queue", "key", "expires", "tx"];
export const FLOW_OPTIONS = ["delay", "at", "key", "tx"];

type Shared = Omit<NewTask, "id" | "payload" | "unique" | "meta">;

/** What all tasks of one call of `enqueue` or `enqueueMany` have in common. */
export class EnqueueCall {
  readonly #name: string;
  readonly #shared: Shared;
  readonly #delay: Delay;

  /** Throws a PawlError that names the option. */
  constructor(definition: Definition, options: Omit<EnqueueOptions, "key" | "tx">) {
    const { name } = definition;
    this.#name = name;
    this.#delay = new Delay(options, `task "${name}"`);
    this.#shared = { name, ...timing(definition, options) };
  }

  /** The options as they are stored; a promise only where they depend on the store's clock. */
  options(store: () => Promise<Store>): Shared | Promise<Shared> {
    const ms = this.#delay.ms(store);
    return ms instanceof Promise ? ms.then((delayMs) => this.#after(delayMs)) : this.#after(ms);
  }

  #after(delayMs: number | undefined): Shared {
    if (delayMs === undefined) return this.#shared;
    const { expiresMs } = this.#shared;
    if (expiresMs !== undefined) assertCanBegin(this.#name, expiresMs, delayMs);
    return { ...this.#shared, delayMs };
  }
}

/** When what is enqueued may begin: `delay` or `at`, as they were given. */
export class Delay {
  readonly #ms: number | undefined;
  readonly #instant: number | undefined;
  readonly #of: string;

  /** Throws a PawlError that names the option. */
  constructor({ delay, at }: Pick<EnqueueOptions, "delay" | "at">, of: string) {
    this.#of = of;
    if (delay !== undefined && at !== undefined) {
      throw new PawlError("task.delay", `The options delay and at of ${of} exclude each other.`);
    }
    this.#ms = delay === undefined ? undefined : finiteMilliseconds(delay, `The delay of ${of}`);
    if (at === undefined) return;
    this.#instant = at instanceof Date ? at.getTime() : Number.NaN;
    if (Number.isNaN(this.#instant)) {
      throw new PawlError("task.at", `The option at of ${of} must be a Date that is valid.`);
    }
  }

  /** Milliseconds from now, by the store's clock; a promise only where the store must be asked for its time. */
  ms(store: () => Promise<Store>): number | undefined | Promise<number> {
    return this.#instant === undefined ? this.#ms : this.#until(this.#instant, store);
  }

  async #until(instant: number, store: () => Promise<Store>): Promise<number> {
    const ms = Math.max(0, instant - (await (await store()).now()));
    return finiteMilliseconds(ms, `The time until the at of ${this.#of}`);
  }
}

/** The part of a stored task that follows from the options of a call or a link. */
type Timing = Pick<NewTask, "queue" | "priority" | "delayMs" | "expiresMs" | "retentionMs" | "bucket">;

/** Checks the options of a call or of a link. Throws a PawlError that names the task and the option. */
export function timing(definition: Definition, options: LinkOptions): Timing {
  const { name, rate, retentionMs } = definition;
  const { priority = definition.priority, queue = definition.queue, delay, expires } = options;
  const of = (option: string) => `The ${option} of task "${name}"`;
  queueName(queue, of("queue"));
  priorityNumber(priority, of("priority"));
  const delayMs = delay === undefined ? undefined : finiteMilliseconds(delay, of("delay"));
  const expiresMs = expires === undefined ? definition.expiresMs : endingMilliseconds(expires, of("expires"));
  if (expiresMs !== null) assertCanBegin(name, expiresMs, delayMs ?? 0);
  return {
    queue,
    ...(retentionMs === null ? {} : { retentionMs }),
    ...(priority === 0 ? {} : { priority }),
    ...(delayMs === undefined ? {} : { delayMs }),
    ...(expiresMs === null ? {} : { expiresMs }),
    ...(rate === null ? {} : { bucket: rate.bucket }),
  };
}

/** Throws a PawlError `task.option` for an option that is not known, which would be ignored silently. */
export function onlyOptions(options: object, known: readonly string[], of: string): void {
  if (typeof options !== "object" || options === null) {
    throw new PawlError(
      "task.option",
      `The options with which ${of} is stored must be an object, not ${errorText(options, 60)}.`,
    );
  }
  const unknown = unknownOption(options, known);
  if (unknown === null) return;
  throw new PawlError(
    "task.option",
    `There is no option ${JSON.stringify(unknown)} where ${of} is stored: there are ${known.join(", ")}.`,
  );
}

/** Throws a PawlError `task.expires` where a task would have expired before it may begin. */
function assertCanBegin(name: string, expiresMs: number, delayMs: number): void {
  if (expiresMs > delayMs) return;
  throw new PawlError(
    "task.expires",
    `Task "${name}" would expire after ${durationText(expiresMs)} and may begin after ${durationText(delayMs)}, so it would never run: give it a longer expires.`,
  );
}

/** Throws a PawlError `task.queue` unless it can be the name of a queue of tasks. */
export function queueName(queue: unknown, what: string): asserts queue is string {
  namingText(queue, what, "task.queue");
  if (!queue.startsWith(RUN_QUEUES)) return;
  throw new PawlError(
    "task.queue",
    `${what} cannot be "${queue}": queues that begin with "${RUN_QUEUES}" are reserved for runs.`,
  );
}

/** Throws a PawlError `task.number` unless it can be a priority. */
export function priorityNumber(priority: unknown, what: string): asserts priority is number {
  // A store negates it, and the lowest number of 32 bits has no negative.
  wholeNumber(priority, what, 1 - 2 ** 31);
  if ((priority as number) < 2 ** 31) return;
  throw new PawlError("task.number", `${what} must be less than 2^31, not ${shown(priority)}.`);
}

/** Throws a PawlError `task.number` unless it is a whole number of at least `least`. */
export function wholeNumber(value: unknown, what: string, least: number): void {
  if (Number.isSafeInteger(value) && (value as number) >= least) return;
  const bound = least > Number.MIN_SAFE_INTEGER ? ` of at least ${least}` : "";
  throw new PawlError("task.number", `${what} must be a whole number${bound}, not ${shown(value)}.`);
}

/** Reads the inputs of one call of `enqueueMany`. */
export class InputReader<In> {
  /** Inputs that were read. */
  count = 0;
  readonly #definition: Definition;
  readonly #key: ((input: In, index: number) => string) | undefined;
  readonly #what: string;

  constructor(definition: Definition, key: ((input: In, index: number) => string) | undefined) {
    this.#definition = definition;
    this.#key = key;
    this.#what = inputOf(definition.name);
  }

  read(input: In): ReadInput {
    const at = this.count++;
    const key = this.#key;
    const definition = this.#definition;
    const taken = take(input, this.#what);
    return new ReadInput(
      taken,
      key === undefined ? newTaskId : orThrower(() => keyedId(definition, key(input, at))),
      definition.unique === null ? notUnique : orThrower(() => uniqueKey(definition, input, taken)),
    );
  }

  /** Reads an input; a promise of an input is read when it resolves. */
  readOrWait(input: In | Promise<In>): ReadInput | Promise<In> {
    if (!(input instanceof Promise)) return this.read(input);
    // Its rejection is thrown when the input is awaited, and is not unhandled until then.
    input.catch(() => {});
    return input;
  }
}

/** An input of `enqueueMany` as JSON: the program may reuse its object for the next input. */
export class ReadInput {
  readonly taken: TakenValue;
  /**
   * The id of its task. Both functions may throw an error of the program's functions; an error of the schema comes
   * first.
   */
  readonly id: () => string;
  readonly unique: () => string | undefined;

  constructor(taken: TakenValue, id: () => string, unique: () => string | undefined) {
    this.taken = taken;
    this.id = id;
    this.unique = unique;
  }
}

export function newTask(
  id: string,
  { value, groups }: StoredValue,
  unique: string | undefined,
  shared: Shared,
): NewTask {
  if (unique === undefined && groups === undefined) return { id, payload: value, ...shared };
  const meta: TaskMeta = groups === undefined ? {} : { inputGroups: groups };
  return {
    ...{ id, payload: value, ...shared },
    ...(groups === undefined ? {} : { meta: meta as unknown as Json }),
    ...(unique === undefined ? {} : { unique }),
  };
}

export function inputOf(name: string): string {
  return `The input of task "${name}"`;
}

export function notUnique(): undefined {}

/**
 * Calls a function of the program now, and throws its error only later: a bad input is the better reason, and comes
 * first.
 */
export function orThrower<T>(make: () => T): () => T {
  try {
    const made = make();
    return () => made;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/** Names are in an index of the store, so they must be short. */
const MOST_CHARACTERS = 255;

/**
 * Throws a PawlError unless it is a text that every store can keep as a name. PostgreSQL cannot store a NUL or half of a
 * surrogate pair and would refuse the whole transaction, so such a name is refused on every store.
 */
export function namingText(text: unknown, what: string, code: string): asserts text is string {
  if (typeof text !== "string" || text === "") {
    const given = text === "" ? "an empty one" : `a value of type ${typeof text}`;
    throw new PawlError(code, `${what} must be a text, not ${given}.`);
  }
  if (text.length > MOST_CHARACTERS) {
    throw new PawlError(
      code,
      `${what} has ${text.length} characters, and at most ${MOST_CHARACTERS} can be stored: make it shorter.`,
    );
  }
  if (text.includes("\0") || !text.isWellFormed()) {
    throw new PawlError(
      code,
      `${what} has a character that cannot be stored (a NUL, or half of a pair): leave it out.`,
    );
  }
}
