import { pathToFileURL } from "node:url";
import { types } from "node:util";
import { assertObject, shown, unknownOption } from "../../arguments.ts";
import { type Duration, endingMilliseconds, finiteMilliseconds } from "../../durations.ts";
import { errorText } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import { own } from "../../own.ts";
import { strictSpacing } from "../../rate-limit.ts";
import type { BucketRate, NewTask } from "../../store/contract.ts";
import { spoken } from "../attempt/errors.ts";
import type { Definition, Handler, LinkOptions, Maps, RateLimit, TaskOptions } from "../contract.ts";
import { RUN_QUEUES } from "../worker/heartbeat.ts";
import type { Schema } from "./schema.ts";

const RETENTION: Duration = "7d";
const RETRIES = 5;

/** Tasks of these names are not run by handlers. */
const OWN_NAMES = "pawl.";

/** Checks what a program said about a task. Throws a PawlError that names the task and the option. */
export function define<In, M extends Maps<In>>(
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
      `A task cannot be named "${name}": names that begin with "${OWN_NAMES}" are those of Pawl itself.`,
    );
  }
  const of = (option: string) => `The ${option} of task "${name}"`;
  if (typeof handler !== "function") {
    throw new PawlError("task.handler", `Task "${name}" needs a function as its second argument.`);
  }
  if (types.isGeneratorFunction(handler)) {
    throw new PawlError(
      "task.handler",
      `The handler of task "${name}" is a generator function, of which nothing would run: write it as an async function.`,
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
      `Task "${name}" has a hardLimit, which only a child can be held to: leave out isolate: "none".`,
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

/** What the options of a call or a link make of the task that is stored for it. */
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

/** Throws a PawlError `task.option` for an option that would be dropped without a word. */
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
export function assertCanBegin(name: string, expiresMs: number, delayMs: number): void {
  if (expiresMs > delayMs) return;
  throw new PawlError(
    "task.expires",
    `Task "${name}" would expire after ${spoken(expiresMs)} and may begin after ${spoken(delayMs)}, so it would never run: give it a longer expires.`,
  );
}

/** Throws a PawlError `task.queue` unless it can be the name of a queue of tasks. */
function queueName(queue: unknown, what: string): asserts queue is string {
  namingText(queue, what, "task.queue");
  if (!queue.startsWith(RUN_QUEUES)) return;
  throw new PawlError(
    "task.queue",
    `${what} cannot be "${queue}": queues that begin with "${RUN_QUEUES}" are those of runs.`,
  );
}

/** Throws a PawlError `task.number` unless it can be a priority. */
function priorityNumber(priority: unknown, what: string): asserts priority is number {
  // A store turns its sign round, which the lowest of 32 bits does not have.
  wholeNumber(priority, what, 1 - 2 ** 31);
  if ((priority as number) < 2 ** 31) return;
  throw new PawlError("task.number", `${what} must be less than 2^31, not ${shown(priority)}.`);
}

/** Throws a PawlError `task.number` unless it is a whole number of at least `least`. */
function wholeNumber(value: unknown, what: string, least: number): void {
  if (Number.isSafeInteger(value) && (value as number) >= least) return;
  const bound = least > Number.MIN_SAFE_INTEGER ? ` of at least ${least}` : "";
  throw new PawlError("task.number", `${what} must be a whole number${bound}, not ${shown(value)}.`);
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

/** What stands in an index of the store must be short. */
const MOST_CHARACTERS = 255;

/**
 * Throws a PawlError unless it is a text that every store can keep as a name. PostgreSQL has no form for a NUL or for
 * half a character, so what would be refused there, with all that is stored in the same step, is refused everywhere.
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
