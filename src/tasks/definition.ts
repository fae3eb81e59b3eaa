import { pathToFileURL } from "node:url";
import { PawlError } from "../errors.ts";
import type { Definition, Handler, Maps, TaskOptions } from "./contract.ts";
import { type Duration, milliseconds, optionalMilliseconds } from "./duration.ts";
import { laneRate } from "./rate.ts";
import type { Schema } from "./standard-schema.ts";

const RETENTION: Duration = "7d";
const RETRIES = 5;

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
  const of = (option: string) => `The ${option} of task "${name}"`;
  if (typeof handler !== "function") {
    throw new PawlError("task.handler", `Task "${name}" needs a function as its second argument.`);
  }
  const { queue = "default", retries = RETRIES, backoff = {}, priority = 0 } = options;
  if (typeof queue !== "string" || queue === "")
    throw new PawlError("task.queue", `${of("queue")} must be a name.`);
  wholeNumber(retries, of("retries"), 0);
  wholeNumber(priority, of("priority"), Number.MIN_SAFE_INTEGER);
  const softMs = optionalMilliseconds(options.softLimit, of("softLimit")) ?? null;
  const hardMs = optionalMilliseconds(options.hardLimit, of("hardLimit")) ?? null;
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
  const base = optionalMilliseconds(backoff.base, of("backoff.base"));
  const cap = optionalMilliseconds(backoff.cap, of("backoff.cap"));
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
    rate: options.rateLimit === undefined ? null : laneRate(name, options.rateLimit),
    priority,
    unique: (options.unique as Definition["unique"] | undefined) ?? null,
    expiresMs: optionalMilliseconds(options.expires, of("expires")) ?? null,
    retentionMs: milliseconds(options.retention ?? RETENTION, of("retention")),
    maps: options.maps ?? {},
  };
}

/** Throws a PawlError `task.number` unless it is a whole number of at least `least`. */
export function wholeNumber(value: unknown, what: string, least: number): void {
  if (Number.isSafeInteger(value) && (value as number) >= least) return;
  const bound = least > Number.MIN_SAFE_INTEGER ? ` of at least ${least}` : "";
  throw new PawlError("task.number", `${what} must be a whole number${bound}, not ${String(value)}.`);
}

function moduleUrl(module: ImportMeta | URL | string | undefined, name: string): string | null {
  if (module === undefined) return null;
  const given = typeof module === "string" ? module : module instanceof URL ? module.href : module.url;
  if (typeof given !== "string") {
    throw new PawlError("task.module", `The module of task "${name}" has no URL: write module: import.meta.`);
  }
  return given.includes("://") || given.startsWith("data:") ? given : pathToFileURL(given).href;
}
