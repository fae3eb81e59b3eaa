import { errorText } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import type { NewTask, Store, TaskStore } from "../../store/contract.ts";
import { openStore } from "../../store/index.ts";
import { JsonText } from "../../store/internal.ts";
import type {
  Definition,
  EnqueueManyOptions,
  EnqueueOptions,
  FlowOptions,
  InputArguments,
  Task,
} from "../contract.ts";
import { type AnyLink, composed, type Link, shapeOf } from "../flow/link.ts";
import { storeFlow } from "../flow/store-flow.ts";
import { GroupCommit } from "../group-commit.ts";
import { checkInput, type Stored, take } from "../stored-value.ts";
import { derivedId, newTaskId } from "../task-id.ts";
import { withTrace } from "../task-meta.ts";
import { type Sent, sending } from "../telemetry/otel.ts";
import {
  CALL_OPTIONS,
  Delay,
  EnqueueCall,
  FLOW_OPTIONS,
  InputReader,
  inputOf,
  newTask,
  notUnique,
  onlyOptions,
  orThrower,
  ReadInput,
} from "./call.ts";
import { type HandleSource, TaskHandle, Watcher } from "./handle.ts";
import { keyedId, namingKey, uniqueKey, uniqueTask } from "./unique.ts";

/** Tasks that `enqueueMany` stores in one transaction. */
const BATCH = 2_000;
const BATCH_BYTES = 4 * 1024 * 1024;

/**
 * A store that programs enqueue tasks in: see `connect`. It is opened when it is first needed.
 *
 * @example
 * ```ts
 * const greet = task({ name: "greet" }, (name: string) => `Hello, ${name}`);
 * await using client: Client = connect("postgres://db.example/app");
 * await client.enqueueMany(greet, ["Ada", "Grace"]);
 * ```
 */
export class Client implements HandleSource, AsyncDisposable {
  readonly #given: Store | string;
  readonly #enqueuer: Enqueuer;
  #opening: Promise<Store> | undefined;
  #watcher: Promise<Watcher> | undefined;

  constructor(store: Store | string) {
    this.#given = store;
    this.#enqueuer = new Enqueuer(() => this.store());
  }

  /**
   * The open store.
   *
   * @throws PawlError and TransientError as `openStore`
   */
  store(): Promise<Store> {
    if (typeof this.#given !== "string") return Promise.resolve(this.#given);
    this.#opening ??= openStore(this.#given).catch((error) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  /** Used by handles. */
  watcher(): Promise<Watcher> {
    this.#watcher ??= this.store().then((store) => new Watcher(store));
    this.#watcher.catch(() => {
      this.#watcher = undefined;
    });
    return this.#watcher;
  }

  /**
   * Stores one call of a task in this store. It is durable when this resolves.
   *
   * @throws PawlError as `enqueue` of the task, and `task.unknown-task` for what was not made by `task`
   */
  async enqueue<In, Out, M>(
    task: Task<In, Out, M>,
    ...[input, options = {}]: InputArguments<In, EnqueueOptions>
  ): Promise<TaskHandle<Stored<Out>>> {
    const definition = definitionOf(task);
    const { name, schema } = definition;
    onlyOptions(options, CALL_OPTIONS, `task "${name}"`);
    // Everything is read now: the caller may change its objects while this waits for the store.
    const { key, tx } = options;
    const id = key === undefined ? newTaskId() : keyedId(definition, key);
    const taken = take(input, inputOf(name));
    const call = new EnqueueCall(definition, options);
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
      const add = tx === undefined ? (task: NewTask) => this.#enqueuer.add(task) : null;
      const stands = await uniqueTask(await this.store(), stored, add);
      return new TaskHandle(stands.id, this, stands.created, true);
    });
  }

  /**
   * Stores a call for each input as it is read, up to 2,000 in one transaction.
   *
   * @returns how many inputs there were, and how many of their calls are new in the store
   * @throws PawlError as `enqueue`, and `task.inputs` for what cannot be iterated over
   */
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
    const call = new EnqueueCall(definition, given);
    const reader = new InputReader(definition, given.key);
    const source = iterable(inputs, name);
    // A collection is read at once: the caller may change it while this waits for the store.
    const taken = isCollection(source) ? Array.from(source, (input) => reader.readOrWait(input)) : source;
    return await sending({ name, queue: given.queue ?? queue, id: null }, (sent) =>
      this.#storeMany(definition, taken, reader, { call, sent, tx: given.tx }),
    );
  }

  async #storeMany<In>(
    { name, schema }: Definition,
    inputs: Iterable<In | Promise<In> | ReadInput> | AsyncIterable<In>,
    reader: InputReader<In>,
    { call, sent, tx }: { readonly call: EnqueueCall; readonly sent: Sent; readonly tx: unknown },
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
      // An error is thrown by the next flush.
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
      // A `for await` would wait a turn for each of them, which doubles the time that this takes.
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

  /**
   * Stores a flow in this store, with the input of its first link. The handle is that of its last task.
   *
   * @throws PawlError as `enqueue` of the flow
   */
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

  /**
   * A handle of the task or flow with this id, whichever process enqueued it.
   *
   * @throws PawlError `task.id` where the id is not a text
   */
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

  /** Closes the store as `close` does, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/**
 * A client of a store other than the program's own. Close it, or let `await using` close it.
 *
 * @param store an open store, which the client leaves open; or its location, where it is opened when it is first needed
 * @throws PawlError `store.unsupported` for anything else
 * @example
 * ```ts
 * const greet = task({ name: "greet" }, (name: string) => `Hello, ${name}`);
 * await using client = connect(".pawl/other.db");
 * await client.enqueue(greet, "Ada");
 * ```
 */
export function connect(store: Store | string): Client {
  if (typeof store !== "string" && typeof (store as Partial<Store> | null)?.query !== "function") {
    throw new PawlError(
      "store.unsupported",
      `A client needs an open store or where it is, not ${errorText(store, 60)}.`,
    );
  }
  return new Client(store);
}

/** The definition of a task. JavaScript may pass anything, such as an export that does not exist. */
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

/** Whether these inputs are a collection, which the program may change, and not a generator or a stream. */
function isCollection<T>(inputs: Iterable<T> | AsyncIterable<T>): inputs is Iterable<T> {
  return (
    Array.isArray(inputs) || inputs instanceof Set || inputs instanceof Map || ArrayBuffer.isView(inputs)
  );
}

interface Entry {
  readonly task: NewTask;
  readonly done: (created: boolean) => void;
  readonly failed: (error: unknown) => void;
}

/** Tasks that are stored in one transaction. */
const MOST = 500;

/** Stores single tasks by group commit. */
export class Enqueuer {
  readonly #commit: GroupCommit<Entry>;

  constructor(store: () => Promise<TaskStore>) {
    this.#commit = new GroupCommit<Entry>({
      most: MOST,
      characters: ({ task: { payload } }) => (payload instanceof JsonText ? payload.text.length : 0),
      store: async (batch) => {
        const created = new Set(await (await store()).enqueue(batch.map(({ task }) => task)));
        // Of two tasks with the same id in a batch, the first was stored.
        for (const { task, done } of batch) done(created.delete(task.id));
      },
      failed: ({ failed }, error) => failed(error),
    });
  }

  /** Resolves when the task is durable; true when it is new. */
  add(task: NewTask): Promise<boolean> {
    return new Promise((done, failed) => this.#commit.add({ task, done, failed }));
  }
}
