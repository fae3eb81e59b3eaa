import { pathToFileURL } from "node:url";
import { types } from "node:util";
import { assertObject, assertOptions, assertText, type OptionNames, shown } from "../../arguments.ts";
import { type Duration, endingMilliseconds, finiteMilliseconds } from "../../durations.ts";
import { PawlError } from "../../errors.ts";
import { own } from "../../own.ts";
import { strictSpacing } from "../../rate-limit.ts";
import type { BucketRate } from "../../store/contract.ts";
import { namingText, onlyOptions, priorityNumber, queueName, timing, wholeNumber } from "../client/call.ts";
import type { Client } from "../client/client.ts";
import { defaultClient } from "../client/default-client.ts";
import type { TaskHandle } from "../client/handle.ts";
import type {
  AnyTask,
  Anything,
  AttemptContext,
  Definition,
  EnqueueManyOptions,
  EnqueueOptions,
  Handler,
  LinkOptions,
  Maps,
  RateLimit,
  Task,
  TaskOptions,
} from "../contract.ts";
import type { Composed, Link } from "../flow/link.ts";
import type { LinkSpec } from "../flow/spec.ts";
import { take } from "../stored-value.ts";
import { register } from "./registry.ts";
import type { Schema, SchemaInput, SchemaOutput } from "./schema.ts";

/**
 * Defines a task: a function whose calls are stored before they run. Define it at the top level of a module that every worker
 * imports, because the store knows it by its name alone. The handler gets the input as its schema parsed it, and a context; it
 * may run more than once, so its work should be idempotent. What it returns is stored as JSON, at most 1 MB.
 *
 * @param options its name, and how it runs. With `input`, a schema (https://standardschema.dev), each input is checked when it is
 *   enqueued and again before it runs
 * @throws PawlError for an option that is not right, with the code of the option, such as `task.name`, `task.queue`,
 *   `task.number`, `task.isolate`, `task.limits` or `argument.duration`; `task.name-taken` when there is a task of that name
 * @example
 * ```ts
 * export const greet = task({ name: "greet", retries: 3 }, async (name: string, context) => {
 *   context.log("greeting", name);
 *   return `Hello, ${name}`;
 * });
 * await greet.enqueue("Ada");
 * ```
 */
export function task<S extends Schema, Out, M extends Maps<SchemaInput<S>> = Record<never, never>>(
  options: TaskOptions<SchemaInput<S>, M> & { readonly input: S },
  handler: (input: SchemaOutput<S>, context: AttemptContext) => Out | Promise<Out>,
): Task<SchemaInput<S>, Out, M>;
export function task<In, Out, M extends Maps<In> = Record<never, never>>(
  options: TaskOptions<In, M> & { readonly input?: undefined },
  handler: (input: In, context: AttemptContext) => Out | Promise<Out>,
): Task<In, Out, M>;
export function task(
  options: TaskOptions<unknown, Maps<unknown>> & { readonly input?: Schema | undefined },
  handler: (input: never, context: AttemptContext) => unknown,
): AnyTask {
  assertOptions(options, OPTIONS, "task");
  if (options.backoff !== undefined)
    assertOptions(options.backoff, { base: true, cap: true, jitter: true }, "the backoff of a task");
  const made = new DefinedTask(define(options, options.input ?? null, handler as Handler));
  register(made);
  return made;
}

const OPTIONS: OptionNames<Parameters<typeof task>[0]> = {
  name: true,
  queue: true,
  retries: true,
  backoff: true,
  retryOn: true,
  softLimit: true,
  hardLimit: true,
  isolate: true,
  module: true,
  rateLimit: true,
  priority: true,
  unique: true,
  expires: true,
  retention: true,
  maps: true,
  input: true,
};

const LINK_OPTIONS = ["delay", "priority", "queue", "expires"];

class DefinedTask implements AnyTask {
  readonly definition: Definition;

  constructor(definition: Definition) {
    this.definition = definition;
  }

  get name(): string {
    return this.definition.name;
  }

  enqueue(input?: unknown, options?: EnqueueOptions): Promise<TaskHandle<Anything>> {
    return this.#client.enqueue(this, input, options);
  }

  enqueueMany(
    inputs: Iterable<unknown> | AsyncIterable<unknown>,
    options?: EnqueueManyOptions<unknown>,
  ): Promise<{ count: number; created: number }> {
    return this.#client.enqueueMany(this, inputs, options);
  }

  with(input: unknown, options: LinkOptions = {}): Link<Anything, Anything> {
    onlyOptions(options, LINK_OPTIONS, `a link to task "${this.name}"`);
    const taken = take(input, `The input of task "${this.name}"`);
    return linkTo({ ...this.#spec(options), input: taken });
  }

  via(name: string, options: LinkOptions & { readonly with?: unknown } = {}): Link<Anything, Anything> {
    assertText(name, `The name that task "${this.name}" is given in via`);
    if (!Object.hasOwn(this.definition.maps, name)) {
      throw new PawlError(
        "task.via",
        `Task "${this.name}" has no function named "${name}" in its maps: add it there.`,
      );
    }
    onlyOptions(options, [...LINK_OPTIONS, "with"], `a link to task "${this.name}"`);
    const argument =
      options.with === undefined ? {} : { argument: take(options.with, `The with of task "${this.name}"`) };
    return linkTo({ ...this.#spec(options), via: name, ...argument });
  }

  compose(): Composed {
    return { node: [this.#spec({})], streamed: null };
  }

  get #client(): Client {
    return defaultClient();
  }

  #spec(options: LinkOptions): LinkSpec {
    const { definition } = this;
    if (definition.unique !== null) {
      throw new PawlError(
        "task.unique-link",
        `Task "${this.name}" is unique, so a flow could wait for one that is never stored: make a task of another name for the flow.`,
      );
    }
    return { name: this.name, ...timing(definition, options) };
  }
}

function linkTo(spec: LinkSpec): Link<Anything, Anything> {
  return { compose: () => ({ node: [spec], streamed: null }) };
}

const RETENTION: Duration = "7d";
const RETRIES = 5;

/** Tasks of these names are not run by handlers. */
const OWN_NAMES = "pawl.";

/** Checks what a program said about a task. Throws a PawlError that names the task and the option. */
function define<In, M extends Maps<In>>(
  options: TaskOptions<In, M>,
  schema: Schema | null,
  handler: Handler,
): Definition {
  const { name } = options;
  if (typeof name !== "string" || name.trim() === "") {
    throw new PawlError("task.name", "A task needs a name: task({ name: … }, …).");
  }
  namingText(name, "The name of a task", "task.name");
  if (name.startsWith(OWN_NAMES)) {
    throw new PawlError(
      "task.name",
      `A task cannot be named "${name}": names that begin with "${OWN_NAMES}" are reserved for Pawl itself.`,
    );
  }
  const of = (option: string) => `The ${option} of task "${name}"`;
  if (typeof handler !== "function") {
    throw new PawlError("task.handler", `Task "${name}" needs a function as its second argument.`);
  }
  if (types.isGeneratorFunction(handler)) {
    throw new PawlError(
      "task.handler",
      `The handler of task "${name}" is a generator function, which would not run: write it as an async function.`,
    );
  }
  const { queue = "default", retries = RETRIES, backoff = {}, priority = 0 } = options;
  queueName(queue, of("queue"));
  wholeNumber(retries, of("retries"), 0);
  priorityNumber(priority, of("priority"));
  const softMs = endingMilliseconds(options.softLimit, of("softLimit"));
  const hardMs = endingMilliseconds(options.hardLimit, of("hardLimit"));
  const isolate = options.isolate ?? (hardMs === null ? "none" : "process");
  if (!["none", "thread", "process"].includes(isolate)) {
    throw new PawlError("task.isolate", `${of("isolate")} must be "none", "thread" or "process".`);
  }
  if (hardMs !== null && isolate === "none") {
    throw new PawlError(
      "task.hard-limit",
      `Task "${name}" has a hardLimit, which can end only a child: leave out isolate: "none".`,
    );
  }
  if (softMs !== null && hardMs !== null && softMs >= hardMs) {
    throw new PawlError("task.limits", `${of("softLimit")} must be shorter than its hardLimit.`);
  }
  assertObject(backoff, of("backoff"));
  const wait = (option: "base" | "cap") =>
    backoff[option] === undefined ? undefined : finiteMilliseconds(backoff[option], of(`backoff.${option}`));
  const base = wait("base");
  const cap = wait("cap");
  return {
    name,
    queue,
    schema,
    handler,
    maxFailures: retries + 1,
    backoff: {
      ...(base === undefined ? {} : { baseMs: base }),
      ...(cap === undefined ? {} : { capMs: cap }),
      ...(backoff.jitter === undefined ? {} : { jitter: backoff.jitter }),
    },
    retryOn: options.retryOn ?? (() => true),
    softMs,
    hardMs,
    isolate,
    module: moduleUrl(options.module, name),
    rate: options.rateLimit === undefined ? null : bucketRate(name, options.rateLimit),
    priority,
    unique: (options.unique as Definition["unique"] | undefined) ?? null,
    expiresMs: endingMilliseconds(options.expires, of("expires")),
    retentionMs: endingMilliseconds(options.retention ?? RETENTION, of("retention")),
    maps: options.maps ?? {},
    internal: false,
  };
}

/** A task of Pawl's own, which is known to the worker that is given it and to no other. */
export function internalTask(
  name: string,
  handler: Handler,
  { maxFailures = 10, backoff = {} }: Partial<Pick<Definition, "maxFailures" | "backoff">> = {},
): Definition {
  return {
    name,
    queue: "default",
    schema: null,
    handler,
    maxFailures,
    backoff,
    retryOn: () => true,
    softMs: null,
    hardMs: null,
    isolate: "none",
    module: null,
    rate: null,
    priority: 0,
    unique: null,
    expiresMs: null,
    retentionMs: null,
    maps: {},
    internal: true,
  };
}

function moduleUrl(module: ImportMeta | URL | string | undefined, name: string): string | null {
  if (module === undefined) return null;
  const given =
    typeof module === "string"
      ? module
      : module instanceof URL
        ? module.href
        : (module as ImportMeta | null)?.url;
  if (typeof given !== "string") {
    throw new PawlError("task.module", `The module of task "${name}" has no URL: write module: import.meta.`);
  }
  return given.includes("://") || given.startsWith("data:") ? given : pathToFileURL(given).href;
}

const PERIODS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The part of a period's starts that may come at once after a rest. */
const BURST = 0.05;

/**
 * The bucket of a rate. A bucket lets `burst + t / interval` starts through in any time `t`, so the interval is a little
 * longer than the period over `n`: then no window of one period holds more than `n`, wherever it begins.
 */
export function bucketRate(bucket: string, limit: RateLimit): BucketRate {
  const match = /^(\d+)\s*\/\s*([smhd])$/.exec(typeof limit === "string" ? limit.trim() : "");
  const n = Number(match?.[1]);
  const period = own(PERIODS, match?.[2] ?? "");
  if (!(n >= 1) || period === undefined) {
    throw new PawlError(
      "task.rate-limit",
      `The rateLimit of task "${bucket}" must be such as "100/m" (a whole number, and s, m, h or d), not ${typeof limit === "string" ? JSON.stringify(limit) : shown(limit)}.`,
    );
  }
  return { bucket, ...strictSpacing(n, period, BURST) };
}
