import { PawlError } from "../errors.ts";
import type { NewTask, Store } from "../store/contract.ts";
import { openStore } from "../store/index.ts";
import type {
  Definition,
  EnqueueManyOptions,
  EnqueueOptions,
  Flow,
  FlowOptions,
  InputArguments,
  Task,
} from "./contract.ts";
import { wholeNumber } from "./definition.ts";
import { milliseconds, optionalMilliseconds } from "./duration.ts";
import { Enqueuer } from "./enqueuer.ts";
import { withTrace } from "./flow/spec.ts";
import { storeFlow } from "./flow/store-flow.ts";
import { type HandleSource, TaskHandle } from "./handle.ts";
import { parseInput } from "./standard-schema.ts";
import { measured, type Stored, storable } from "./stored.ts";
import { derivedId, newTaskId } from "./task-id.ts";
import { type Sent, sending } from "./telemetry/spans.ts";
import { Watcher } from "./watcher.ts";

/** Tasks that `enqueueMany` stores in one transaction. */
const BATCH = 2_000;
const BATCH_BYTES = 4 * 1024 * 1024;

/** How often a unique task may end between being found there and being looked up. */
const UNIQUE_TRIES = 20;

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
    const { definition } = task;
    const { key } = options;
    const id = key === undefined ? newTaskId() : derivedId(definition.name, key);
    const shared = await this.#shared(definition, options);
    if (definition.schema !== null) await parseInput(definition.schema, input, definition.name);
    const made = newTask(definition, id, input, shared).task;
    return await sending({ name: definition.name, queue: made.queue, id }, async ({ trace }) => {
      const stored = withTrace(made, trace);
      const created =
        options.tx === undefined
          ? await this.#enqueuer.add(stored)
          : (await (await this.store()).enqueue([stored], { tx: options.tx })).length > 0;
      if (created || stored.unique === undefined) return new TaskHandle(id, this, created, true);
      return await this.#uniqueOne(stored, options.tx !== undefined);
    });
  }

  /** Stores a call for each input as it is read. */
  async enqueueMany<In, Out, M>(
    task: Task<In, Out, M>,
    inputs: Iterable<In> | AsyncIterable<In>,
    options: EnqueueManyOptions<In> = {},
  ): Promise<{ count: number; created: number }> {
    const { name, queue } = task.definition;
    return await sending({ name, queue: options.queue ?? queue, id: null }, (sent) =>
      this.#storeMany(task.definition, inputs, options, sent),
    );
  }

  async #storeMany<In>(
    definition: Definition,
    inputs: Iterable<In> | AsyncIterable<In>,
    { key, tx, ...rest }: EnqueueManyOptions<In>,
    sent: Sent,
  ): Promise<{ count: number; created: number }> {
    const shared = await this.#shared(definition, rest);
    const store = await this.store();
    let count = 0;
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
      storing = store.enqueue(batch, { placed: resolve, ...(tx === undefined ? {} : { tx }) });
      // What fails is told by the next flush.
      placed = Promise.race([promise, storing.catch(() => {})]);
      batch = [];
      bytes = 0;
    };
    const { name, schema } = definition;
    /** True when there are enough for a batch. */
    const add = (input: In): boolean => {
      const id = key === undefined ? newTaskId() : derivedId(name, key(input, count));
      count++;
      const { task, size } = newTask(definition, id, input, shared);
      batch.push(withTrace(task, sent.trace));
      bytes += size;
      return batch.length >= BATCH || bytes >= BATCH_BYTES;
    };
    if (Symbol.asyncIterator in Object(inputs)) {
      for await (const input of inputs) {
        if (schema !== null) await parseInput(schema, input, name);
        if (add(input)) await flush();
      }
    } else {
      // A `for await` would wait a turn for each of them, which is half of the time that this takes.
      for (const given of inputs as Iterable<In>) {
        const input = given instanceof Promise ? await given : given;
        if (schema !== null) await parseInput(schema, input, name);
        if (add(input)) await flush();
      }
    }
    if (batch.length > 0) await flush();
    created += (await flushing).length + (await storing).length;
    sent.count(count);
    return { count, created };
  }

  /** Stores a flow to be run. */
  async enqueueFlow<In, Out>(
    flow: Flow<In, Out>,
    ...[input, options = {}]: InputArguments<In, FlowOptions>
  ): Promise<TaskHandle<Out>> {
    const { key, tx } = options;
    const id = key === undefined ? newTaskId() : derivedId("pawl.flow", key);
    const delayMs = await this.#delay(options, "a flow");
    const store = await this.store();
    const created = await sending({ name: "flow", queue: null, id }, ({ trace }) =>
      storeFlow(store, flow.compose(), id, storable(input, "The input of a flow"), {
        ...(delayMs === undefined ? {} : { delayMs }),
        ...(tx === undefined ? {} : { tx }),
        trace,
        repeatable: key !== undefined,
      }),
    );
    return new TaskHandle(id, this, created, false);
  }

  /** The task or flow of this id, whoever enqueued it. */
  handle<R = unknown>(id: string): TaskHandle<R> {
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

  /** What all tasks of one call of `enqueue` or `enqueueMany` have in common. */
  async #shared(
    definition: Definition,
    options: Omit<EnqueueOptions, "key" | "tx">,
  ): Promise<Omit<NewTask, "id" | "payload">> {
    const { name, rate, retentionMs } = definition;
    const { priority = definition.priority, queue = definition.queue } = options;
    wholeNumber(priority, `The priority of task "${name}"`, Number.MIN_SAFE_INTEGER);
    const delayMs = await this.#delay(options, `task "${name}"`);
    const expires = optionalMilliseconds(options.expires, `The expires of task "${name}"`);
    const expiresMs = expires ?? definition.expiresMs;
    return {
      name,
      queue,
      retentionMs,
      ...(priority === 0 ? {} : { priority }),
      ...(delayMs === undefined ? {} : { delayMs }),
      ...(expiresMs === null ? {} : { expiresMs }),
      ...(rate === null ? {} : { lane: rate.lane }),
    };
  }

  async #delay({ delay, at }: Pick<EnqueueOptions, "delay" | "at">, of: string): Promise<number | undefined> {
    if (delay !== undefined && at !== undefined) {
      throw new PawlError("task.delay", `The options delay and at of ${of} exclude each other.`);
    }
    if (delay !== undefined) return milliseconds(delay, `The delay of ${of}`);
    if (at === undefined) return undefined;
    const instant = at.getTime();
    if (Number.isNaN(instant)) throw new PawlError("task.at", `The option at of ${of} is no valid date.`);
    return Math.max(0, instant - (await (await this.store()).now()));
  }

  /** The handle of the task that holds a unique key, or of this one after all, if that has ended meanwhile. */
  async #uniqueOne<R>(task: NewTask, inTransaction: boolean): Promise<TaskHandle<R>> {
    const store = await this.store();
    for (let tries = 0; tries < UNIQUE_TRIES; tries++) {
      if ((await store.query({ ids: [task.id] })).length > 0)
        return new TaskHandle(task.id, this, false, true);
      const [holder] = await store.query({ unique: task.unique as string });
      if (holder !== undefined) return new TaskHandle(holder.id, this, false, true);
      if (inTransaction) {
        throw new PawlError(
          "task.unique",
          `Task "${task.name}" is unique, and this transaction has enqueued one with its key: keep the handle of that one.`,
        );
      }
      if (await this.#enqueuer.add(task)) return new TaskHandle(task.id, this, true, true);
    }
    throw new PawlError(
      "task.unique",
      `Task "${task.name}" is unique, and others with its key come and go too fast to be found: try again.`,
    );
  }
}

/** Opens a store beside the program's own: an open one, or where it is. */
export function connect(store: Store | string): Client {
  return new Client(store);
}

/** A call, and about how long it is as JSON. */
function newTask(
  { name, unique }: Definition,
  id: string,
  input: unknown,
  shared: Omit<NewTask, "id" | "payload">,
): { task: NewTask; size: number } {
  const { value: payload, size } = measured(input, `The input of task "${name}"`);
  if (unique === null) return { task: { id, payload, ...shared }, size };
  const text = unique === true ? derivedId(canonical(payload)) : unique(input as never);
  return { task: { id, payload, ...shared, unique: `${name}:${text}` }, size };
}

/** JSON with the properties of objects in order of their names. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
