import { setTimeout as sleep } from "node:timers/promises";
import { canonicalJson } from "../../canonical-json.ts";
import { finiteMilliseconds } from "../../durations.ts";
import { errorText } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import type { Json, NewTask, Store, TaskRecord } from "../../store/contract.ts";
import { openStore } from "../../store/index.ts";
import type {
  Definition,
  EnqueueManyOptions,
  EnqueueOptions,
  FlowOptions,
  InputArguments,
  Task,
} from "../contract.ts";
import { assertCanBegin, onlyOptions, timing } from "../define/definition.ts";
import type { AnyLink, Link } from "../flow/link.ts";
import type { TakenValue } from "../flow/members.ts";
import { composed, shapeOf } from "../flow/nodes.ts";
import { type StoredValue, type TaskMeta, withTrace } from "../flow/spec.ts";
import { storeFlow } from "../flow/store-flow.ts";
import { type Sent, sending } from "../telemetry/otel.ts";
import { Enqueuer } from "./enqueuer.ts";
import { type HandleSource, TaskHandle } from "./handle.ts";
import { checkInput, type Stored, take } from "./stored-value.ts";
import { derivedId, newTaskId } from "./task-id.ts";
import { Watcher } from "./watcher.ts";

/** Tasks that `enqueueMany` stores in one transaction. */
const BATCH = 2_000;
const BATCH_BYTES = 4 * 1024 * 1024;

/** How often a unique task may end between being found there and being looked up. */
const UNIQUE_TRIES = 20;

/** How long to wait for a unique task that was asked to stop: a child that does not listen is killed after 2 s. */
const UNIQUE_WAIT_MS = 15_000;
const UNIQUE_PAUSE_MS = 50;

/** A task store as programs use it: enqueues, and gives handles. Opens the store when it is first needed. */
export class Client implements HandleSource, AsyncDisposable {
  readonly #given: Store | string;
  readonly #enqueuer: Enqueuer;
  #opening: Promise<Store> | undefined;
  #watcher: Promise<Watcher> | undefined;

  constructor(store: Store | string) {
    this.#given = store;
    this.#enqueuer = new Enqueuer(() => this.store());
  }

  /** The open store. */
  store(): Promise<Store> {
    if (typeof this.#given !== "string") return Promise.resolve(this.#given);
    this.#opening ??= openStore(this.#given).catch((error) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  /** For handles. */
  watcher(): Promise<Watcher> {
    this.#watcher ??= this.store().then((store) => new Watcher(store));
    this.#watcher.catch(() => {
      this.#watcher = undefined;
    });
    return this.#watcher;
  }

  /** Stores one call of a task. */
  async enqueue<In, Out, M>(
    task: Task<In, Out, M>,
    ...[input, options = {}]: InputArguments<In, EnqueueOptions>
  ): Promise<TaskHandle<Stored<Out>>> {
    const definition = definitionOf(task);
    const { name, schema } = definition;
    onlyOptions(options, CALL_OPTIONS, `task "${name}"`);
    // All of it now: the caller may change what it gave while this waits for the store.
    const { key, tx } = options;
    const id = key === undefined ? newTaskId() : keyedId(definition, key);
    const taken = take(input, inputOf(name));
    const call = new Call(definition, options);
    const unique =
      definition.unique === null ? notUnique : orThrower(() => uniqueKey(definition, input, taken));
    if (schema !== null) await checkInput(schema, taken, name, () => this.store());
    const made = newTask(id, taken, unique(), await call.options(() => this.store()));
    return await sending({ name, queue: made.queue, id }, async ({ trace }) => {
      const stored = withTrace(made, trace);
      const created =
        tx === undefined
          ? await this.#enqueuer.add(stored)
          : (await (await this.store()).enqueue([stored], { tx })).length > 0;
      if (created || stored.unique === undefined) return new TaskHandle(id, this, created, true);
      return await this.#uniqueOne(stored, tx !== undefined);
    });
  }

  /** Stores a call for each input as it is read. */
  async enqueueMany<In, Out, M>(
    task: Task<In, Out, M>,
    inputs: Iterable<In> | AsyncIterable<In>,
    options: EnqueueManyOptions<In> = {},
  ): Promise<{ count: number; created: number }> {
    const definition = definitionOf(task);
    const { name, queue } = definition;
    const given = { ...options };
    onlyOptions(given, CALL_OPTIONS, `task "${name}"`);
    if (given.key !== undefined && typeof given.key !== "function") {
      throw new PawlError(
        "task.key",
        `The key of enqueueMany of task "${name}" must be a function of the input.`,
      );
    }
    const call = new Call(definition, given);
    const reader = new InputReader(definition, given.key);
    const source = iterable(inputs, name);
    // What may be read again later may also be changed until then.
    const taken = isCollection(source) ? Array.from(source, (input) => reader.readOrWait(input)) : source;
    return await sending({ name, queue: given.queue ?? queue, id: null }, (sent) =>
      this.#storeMany(definition, taken, reader, { call, sent, tx: given.tx }),
    );
  }

  async #storeMany<In>(
    { name, schema }: Definition,
    inputs: Iterable<In | Promise<In> | ReadInput> | AsyncIterable<In>,
    reader: InputReader<In>,
    { call, sent, tx }: { readonly call: Call; readonly sent: Sent; readonly tx: unknown },
  ): Promise<{ count: number; created: number }> {
    const store = await this.store();
    const shared = await call.options(async () => store);
    let created = 0;
    let batch: NewTask[] = [];
    let bytes = 0;
    // While one batch is flushed to disk the next is stored, and a third is read and checked.
    let flushing: Promise<string[]> = Promise.resolve([]);
    let storing: Promise<string[]> = Promise.resolve([]);
    let placed: Promise<unknown> = storing;
    const flush = async () => {
      created += (await flushing).length;
      await placed;
      flushing = storing;
      const { promise, resolve } = Promise.withResolvers<void>();
      storing = store.enqueue(batch, { onOrdered: resolve, ...(tx === undefined ? {} : { tx }) });
      // What fails is told by the next flush.
      placed = Promise.race([promise, storing.catch(() => {})]);
      batch = [];
      bytes = 0;
    };
    /** True when there are enough for a batch. */
    const put = (read: ReadInput): boolean => {
      batch.push(withTrace(newTask(read.id(), read.taken, read.unique(), shared), sent.trace));
      bytes += read.taken.value.text.length;
      return batch.length >= BATCH || bytes >= BATCH_BYTES;
    };
    const add = (given: In | ReadInput): Promise<boolean> | boolean => {
      const read = given instanceof ReadInput ? given : reader.read(given);
      if (schema === null) return put(read);
      return checkInput(schema, read.taken, name, async () => store).then(() => put(read));
    };
    if (Symbol.asyncIterator in Object(inputs)) {
      for await (const input of inputs) {
        if (await add(input)) await flush();
      }
    } else {
      // A `for await` would wait a turn for each of them, which is half of the time that this takes.
      for (const given of inputs as Iterable<In | Promise<In> | ReadInput>) {
        const full = add(given instanceof Promise ? await given : given);
        if (full instanceof Promise ? await full : full) await flush();
      }
    }
    if (batch.length > 0) await flush();
    created += (await flushing).length + (await storing).length;
    sent.count(reader.count);
    return { count: reader.count, created };
  }

  /** Stores a flow to be run. */
  async enqueueFlow<In, Out>(
    flow: Link<In, Out>,
    ...[input, options = {}]: InputArguments<In, FlowOptions>
  ): Promise<TaskHandle<Out>> {
    onlyOptions(options, FLOW_OPTIONS, "a flow");
    const { key, tx } = options;
    if (key !== undefined) namingKey(key, "The key of a flow");
    const parts = composed(flow as AnyLink);
    const id = key === undefined ? newTaskId() : derivedId("pawl.flow", shapeOf(parts), key);
    const taken = take(input, "The input of a flow");
    const delay = new Delay(options, "a flow");
    const store = await this.store();
    const delayMs = await delay.ms(async () => store);
    const created = await sending({ name: "flow", queue: null, id }, ({ trace }) =>
      storeFlow(store, parts, id, taken, {
        ...(delayMs === undefined ? {} : { delayMs }),
        ...(tx === undefined ? {} : { tx }),
        trace,
        repeatable: key !== undefined,
      }),
    );
    return new TaskHandle(id, this, created, false);
  }

  /** The task or flow of this id, whichever process enqueued it. */
  handle<R = unknown>(id: string): TaskHandle<R> {
    if (typeof id !== "string") {
      throw new PawlError("task.id", `The id of a task is a text, not ${errorText(id, 60)}.`);
    }
    return new TaskHandle(id, this, false, false);
  }

  /** Closes the store, unless it was given open. */
  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    this.#watcher = undefined;
    await (await opening)?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** The handle of the task that holds a unique key, or of this one after all, if that has ended meanwhile. */
  async #uniqueOne<R>(task: NewTask, inTransaction: boolean): Promise<TaskHandle<R>> {
    const store = await this.store();
    const since = performance.now();
    for (let tries = 0; tries < UNIQUE_TRIES; ) {
      if ((await store.query({ ids: [task.id] })).length > 0)
        return new TaskHandle(task.id, this, false, true);
      const [holder] = await store.query({ unique: task.unique as string });
      if (holder !== undefined && !(await isEnding(holder, store))) {
        return new TaskHandle(holder.id, this, false, true);
      }
      if (inTransaction) {
        throw new PawlError(
          "task.unique",
          holder === undefined
            ? `Task "${task.name}" is unique, and this transaction has enqueued one with its key: keep the handle of that one.`
            : `Task "${task.name}" is unique, and the one with its key is being cancelled: try again when that has ended.`,
        );
      }
      if (await this.#enqueuer.add(task)) return new TaskHandle(task.id, this, true, true);
      if (holder === undefined) tries++;
      else if (performance.now() - since > UNIQUE_WAIT_MS) {
        throw new PawlError(
          "task.unique",
          `Task "${task.name}" is unique, and the one with its key was asked to stop and still runs (${holder.id}): try again when that has ended.`,
        );
      } else await sleep(UNIQUE_PAUSE_MS);
    }
    throw new PawlError(
      "task.unique",
      `Task "${task.name}" is unique, and others with its key come and go too fast to be found: try again.`,
    );
  }
}

/** Whether a task holds its unique key only because it has not ended yet, and will not run for a call that comes now. */
async function isEnding(holder: TaskRecord, store: Store): Promise<boolean> {
  const { state, cancelRequested, fence, expiresAt } = holder;
  if (state === "leased") return cancelRequested;
  return fence === 0 && expiresAt !== null && expiresAt <= (await store.now());
}

/** Opens a store beside the program's own: an open one, or where it is. */
export function connect(store: Store | string): Client {
  if (typeof store !== "string" && typeof (store as Partial<Store> | null)?.query !== "function") {
    throw new PawlError(
      "store.unsupported",
      `A client needs an open store or where it is, not ${errorText(store, 60)}.`,
    );
  }
  return new Client(store);
}

function inputOf(name: string): string {
  return `The input of task "${name}"`;
}

function notUnique(): undefined {}

/** What a function of the caller's gives now; what it throws is thrown later, since a bad input is the better reason. */
function orThrower<T>(make: () => T): () => T {
  try {
    const made = make();
    return () => made;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/** When what is enqueued may begin: `delay` or `at`, as they were given. */
class Delay {
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

  /** Milliseconds from now, by the store's clock; without waiting where that need not be asked. */
  ms(store: () => Promise<Store>): number | undefined | Promise<number> {
    return this.#instant === undefined ? this.#ms : this.#until(this.#instant, store);
  }

  async #until(instant: number, store: () => Promise<Store>): Promise<number> {
    const ms = Math.max(0, instant - (await (await store()).now()));
    return finiteMilliseconds(ms, `The time until the at of ${this.#of}`);
  }
}

type Shared = Omit<NewTask, "id" | "payload" | "unique" | "meta">;

/** From JavaScript a task may be anything, such as one that a module does not export. */
function definitionOf(task: { readonly definition: Definition }): Definition {
  const definition = (task as { readonly definition?: Definition } | null | undefined)?.definition;
  if (definition !== undefined) return definition;
  throw new PawlError(
    "task.unknown-task",
    `What is enqueued must be a task made by task(), not ${errorText(task, 60)}.`,
  );
}

function iterable<T>(inputs: T, name: string): T {
  const given = Object(inputs);
  if (Symbol.iterator in given || Symbol.asyncIterator in given) return inputs;
  throw new PawlError(
    "task.inputs",
    `The inputs that enqueueMany of task "${name}" is given must be something to iterate over, not ${errorText(inputs, 60)}.`,
  );
}

/** Whether it is read at one go and can be changed meanwhile, unlike what gives its items one by one as they are asked for. */
function isCollection<T>(inputs: Iterable<T> | AsyncIterable<T>): inputs is Iterable<T> {
  return (
    Array.isArray(inputs) || inputs instanceof Set || inputs instanceof Map || ArrayBuffer.isView(inputs)
  );
}

/** An input of `enqueueMany` as it was when it was read: its object may be used for the next. */
class ReadInput {
  readonly taken: TakenValue;
  /** Of its task. Both may throw what the functions of the user's have thrown: that the schema objects comes first. */
  readonly id: () => string;
  readonly unique: () => string | undefined;

  constructor(taken: TakenValue, id: () => string, unique: () => string | undefined) {
    this.taken = taken;
    this.id = id;
    this.unique = unique;
  }
}

/** Reads the inputs of one call of `enqueueMany`. */
class InputReader<In> {
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

  /** A promise of an input is read once it is kept. */
  readOrWait(input: In | Promise<In>): ReadInput | Promise<In> {
    if (!(input instanceof Promise)) return this.read(input);
    // A caller that waits for it hears of it, and it may be long until then.
    input.catch(() => {});
    return input;
  }
}

/** What all tasks of one call of `enqueue` or `enqueueMany` have in common. */
class Call {
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

  /** Without waiting where nothing depends on the store's clock. */
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

/** The id of a call with a key. */
function keyedId({ name }: Definition, key: unknown): string {
  namingKey(key, `The key of task "${name}"`);
  return derivedId(name, key);
}

/** A key that is missing would make one call of all that miss it, and only the first would be stored. */
function namingKey(key: unknown, what: string): asserts key is string {
  if (typeof key === "string" && key !== "") return;
  const given = key === "" ? "an empty one" : key === null ? "null" : `a value of type ${typeof key}`;
  throw new PawlError("task.key", `${what} must be a text, not ${given}: leave it out where there is none.`);
}

const CALL_OPTIONS = ["delay", "at", "priority", "queue", "key", "expires", "tx"];
const FLOW_OPTIONS = ["delay", "at", "key", "tx"];

/** Longer than this a text is stored by what follows from it: it stands in an index. */
const MOST_OF_UNIQUE = 500;

/** The unique key of a call; undefined where the task is not unique. */
function uniqueKey({ name, unique }: Definition, input: unknown, taken: StoredValue): string | undefined {
  if (unique === null) return undefined;
  const text = unique === true ? derivedId(canonicalJson(taken)) : unique(input as never);
  if (typeof text !== "string") {
    throw new PawlError(
      "task.unique",
      `The unique of task "${name}" must give a text, not a value of type ${typeof text}.`,
    );
  }
  // As JSON, so that no name and text are taken for another name and text.
  const key = JSON.stringify([name, text]);
  return key.length > MOST_OF_UNIQUE ? derivedId(name, text) : key;
}

function newTask(
  id: string,
  { value, members }: StoredValue,
  unique: string | undefined,
  shared: Shared,
): NewTask {
  if (unique === undefined && members === undefined) return { id, payload: value, ...shared };
  const meta: TaskMeta = members === undefined ? {} : { members };
  return {
    ...{ id, payload: value, ...shared },
    ...(members === undefined ? {} : { meta: meta as unknown as Json }),
    ...(unique === undefined ? {} : { unique }),
  };
}
