import { type Duration, optionalMilliseconds } from "../../durations.ts";
import { errorStack, errorText, isOf } from "../../error-text.ts";
import { LostError, PawlError } from "../../errors.ts";
import type { Json, Lease } from "../../store/contract.ts";
import { JsonText } from "../../store/json-text.ts";
import type { Client } from "../client/client.ts";
import type { TaskHandle } from "../client/handle.ts";
import { take } from "../client/stored-value.ts";
import { derivedId } from "../client/task-id.ts";
import type { AnyFlow, AnyTask, Anything, AttemptContext, Definition, EnqueueOptions } from "../contract.ts";
import { parseInput } from "../define/schema.ts";
import { Members, revived, type TakenValue } from "../flow/members.ts";
import type { MembersAt, StoredValue } from "../flow/spec.ts";
import { Spool } from "../flow/spool.ts";
import type { Trace } from "../telemetry/trace.ts";
import type { Verdict } from "../verdict.ts";
import {
  CancelledError,
  PermanentError,
  Retry,
  Snooze,
  SoftLimitError,
  StoppedError,
  StrayError,
} from "./errors.ts";
import type { AttemptLog } from "./log.ts";
import type { ProgressWriter } from "./progress-writer.ts";
import { type Scope, type Stray, withinScope } from "./strays.ts";

/** One attempt, as plain data: it may run in a child. */
export interface Order {
  readonly id: string;
  readonly fence: number;
  readonly name: string;
  readonly payload: Json;
  /** The function in `maps` that the payload goes through. */
  readonly via: string | null;
  /** What that function is given besides. */
  readonly argument: StoredValue | null;
  /** Where members stand in the payload. */
  readonly members: readonly MembersAt[] | null;
  readonly failures: number;
  readonly scheduledFor: number | null;
  /** Of the attempt itself, for a child. */
  readonly trace: Trace | null;
}

/** What an attempt needs of the place in which it runs. */
export interface Surroundings {
  readonly client: Client;
  readonly progress: ProgressWriter;
  readonly log: AttemptLog;
  readonly stop: Stop;
  readonly strays: AttemptStrays;
}

/** The signal of an attempt, made when it is first asked for, and the way to abort it. */
export type Stop = Pick<AbortController, "signal" | "abort">;

/** Of an attempt whose callback threw: so long may it take to end by itself, since it may wait for that callback. */
const CALLBACK_GRACE_MS = 2_000;

/** The same after a rejection that nobody handled: it is rarely what a handler waits for. */
const REJECTION_GRACE_MS = 30_000;

/** Hears of what goes wrong in the context of one attempt where nothing waits for it. */
export class AttemptStrays implements Scope {
  readonly client: Client;
  /** The first one. */
  first: StrayError | undefined;
  readonly #stop: Stop;
  readonly #report: (error: unknown) => void;
  /** Ends the wait for the handler. */
  #overdue: ((reason: StrayError) => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  /** `report` is told of those that come when it is too late to count them. */
  constructor(client: Client, stop: Stop, report: (error: unknown) => void) {
    this.client = client;
    this.#stop = stop;
    this.#report = report;
  }

  heard({ error, wasCallback }: Stray): void {
    if (this.#isOver || this.first !== undefined) {
      this.#report(error);
      return;
    }
    const first = new StrayError(error);
    this.first = first;
    this.#stop.abort(first);
    const grace = wasCallback ? CALLBACK_GRACE_MS : REJECTION_GRACE_MS;
    this.#timer = setTimeout(() => this.#overdue?.(first), grace);
  }

  /** What a handler gives; rejects when it has had its time to end after the first stray. */
  handling<T>(handled: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#overdue = reject;
      handled.then(resolve, reject);
    });
  }

  /** The handler has ended; one that comes now may still be counted. */
  handled(): void {
    clearTimeout(this.#timer);
  }

  /** What the attempt came to is on its way to the store. */
  over(): void {
    this.handled();
    this.#isOver = true;
  }
}

/** Runs the handler of a task once and says how that ended. Never throws. */
export async function attempt(
  definition: Definition,
  order: Order,
  surroundings: Surroundings,
): Promise<Verdict> {
  const context = new Attempt(order, surroundings);
  const { client, stop, log, strays } = surroundings;
  try {
    const input = await inputOf(definition, order, client);
    const handled = withinScope(strays, () => handle(definition, input, context));
    const { value, members } = handled instanceof Promise ? await strays.handling(handled) : handled;
    if (context.report !== undefined) await context.reported();
    if (strays.first !== undefined) throw strays.first;
    const result = value.text;
    return members === undefined ? { kind: "done", result } : { kind: "done", result, members };
  } catch (error) {
    const verdict = verdictOf(error, definition, stop.signal);
    const thrown = strays.first?.cause ?? error;
    if (verdict.kind === "failed" && !isOf(thrown, Retry)) log.write([errorStack(thrown)]);
    await context.reported();
    return verdict;
  } finally {
    strays.handled();
  }
}

/** What a handler gives, taken as soon as it has ended: its object may be changed from then on. */
function handle(definition: Definition, input: unknown, context: Attempt): TakenValue | Promise<TakenValue> {
  const what = `The result of task "${definition.name}"`;
  const given: unknown = definition.handler(input as never, context);
  const isPlain = given === null || (typeof given !== "object" && typeof given !== "function");
  return isPlain ? take(given, what) : takeLater(given, what);
}

async function takeLater(given: unknown, what: string): Promise<TakenValue> {
  return take(await given, what);
}

/** What the handler is given; a promise where that takes time. */
function inputOf(definition: Definition, order: Order, client: Client): unknown {
  const { members } = order;
  if (definition.schema === null && order.via === null && members === null) return order.payload;
  const store = () => client.store();
  const given = revived(order.payload, members ?? undefined, store);
  let input = given;
  if (order.via !== null) {
    const map = Object.hasOwn(definition.maps, order.via) ? definition.maps[order.via] : undefined;
    if (map === undefined) {
      throw new PermanentError(`Task "${order.name}" has no function named "${order.via}" in its maps.`);
    }
    const { value = null, members } = order.argument ?? {};
    input = map(given as never, revived(JsonText.of(value).value(), members, store) as never);
  }
  // The results of a group are not plain data that a schema could parse.
  if (definition.schema === null || input instanceof Members) return input;
  return parseInput(definition.schema, input, order.name);
}

/**
 * What an error means. A signal that was aborted explains it: whatever a handler throws on its way out is a
 * consequence; but not of a soft limit, after which it may still say that trying again cannot help.
 */
function verdictOf(error: unknown, definition: Definition, signal: AbortSignal): Verdict {
  const { reason } = signal;
  if (isOf(error, LostError) || reason instanceof LostError) return { kind: "stopped" };
  if (reason instanceof CancelledError) return { kind: "stopped" };
  if (isOf(error, PermanentError)) return failed(error, false);
  if (reason instanceof StrayError) return strayed(reason, definition);
  if (isOf(error, Snooze)) return snoozed(error, definition);
  if (reason instanceof StoppedError) return { kind: "stopped" };
  if (isOf(error, Retry)) return retried(error);
  if (isOf(error, PawlError) && HOPELESS.has(codeOf(error))) return failed(error, false);
  if (reason instanceof SoftLimitError) return failed(reason, again(definition, error));
  return failed(error, again(definition, error));
}

/** What comes out the same however often it is tried. */
const HOPELESS: ReadonlySet<string> = new Set(["task.input", "task.not-json", "task.too-large"]);

function again({ retryOn }: Definition, error: unknown): boolean {
  try {
    return Boolean(retryOn(error));
  } catch {
    // Who cannot say it shall not lose the task.
    return true;
  }
}

/** What an attempt means in whose context something went wrong that nothing waits for. */
export function strayed({ cause, message }: StrayError, definition: Definition): Verdict {
  return { ...failed(cause, again(definition, cause)), error: message };
}

/** What it says was checked when it was made, and may have been changed since. */
function snoozed({ delayMs }: Snooze, definition: Definition): Verdict {
  try {
    return { kind: "snoozed", delayMs: new Snooze(delayMs).delayMs };
  } catch (error) {
    return failed(error, again(definition, error));
  }
}

function retried(error: Retry): Verdict {
  const { delayMs } = error;
  const isDelay = typeof delayMs === "number" && delayMs >= 0;
  return { ...failed(error, true), delayMs: isDelay ? delayMs : null };
}

function codeOf(error: PawlError): string {
  try {
    return String(error.code);
  } catch {
    return "";
  }
}

function failed(error: unknown, again: boolean): Verdict & { kind: "failed" } {
  return { kind: "failed", error: errorText(error), again, delayMs: null };
}

/** What is not a number would be stored as null or as whatever it is, and nobody who follows could read it. */
function finite(value: unknown, what: string): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new PawlError("task.progress", `${what} that is ${shown(value)}: it must be a finite number.`);
}

function text(value: unknown, what: string): string {
  if (typeof value === "string") return value;
  throw new PawlError("task.progress", `${what} that is ${shown(value)}: it must be a text.`);
}

/** A value in a few words, whatever it is. */
function shown(value: unknown): string {
  if (typeof value === "number" || value === null || value === undefined) return String(value);
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

class Attempt implements AttemptContext {
  readonly id: string;
  readonly attempt: number;
  readonly failures: number;
  readonly lease: Lease;
  readonly scheduledFor: Date | null;
  readonly #name: string;
  readonly #around: Surroundings;
  /** The latest report under way. */
  report: Promise<void> | undefined;
  /** How often each call was enqueued by this attempt. */
  #calls: Map<string, number> | undefined;

  constructor({ id, fence, name, failures, scheduledFor }: Order, around: Surroundings) {
    this.id = id;
    this.attempt = fence;
    this.failures = failures;
    this.lease = { id, fence };
    this.scheduledFor = scheduledFor === null ? null : new Date(scheduledFor);
    this.#name = name;
    this.#around = around;
  }

  get signal(): AbortSignal {
    return this.#around.stop.signal;
  }

  /** Resolves when no report is under way: what is settled meanwhile would look lost to it. */
  async reported(): Promise<void> {
    await this.report?.catch(() => {});
  }

  // Bound, so that handlers can take them apart from the context.
  readonly progress = (current: number, total?: number, note?: string): Promise<void> => {
    const report = this.#reportOf(current, total, note).catch((error) => {
      if (error instanceof LostError) this.#around.stop.abort(error);
      throw error;
    });
    report.catch(() => {});
    this.report = report;
    return report;
  };

  /** Takes it at once: what cannot be stored fails alone, and here. */
  async #reportOf(current: unknown, total: unknown, note: unknown): Promise<void> {
    const what = `The progress of task "${this.#name}"`;
    const value = {
      current: finite(current, `${what} has a current`),
      ...(total === undefined || total === null ? {} : { total: finite(total, `${what} has a total`) }),
      ...(note === undefined || note === null ? {} : { note: text(note, `${what} has a note`) }),
    };
    const taken = take(value, what);
    await this.#around.progress.report(this.lease, taken.value);
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
    const copy = revived(taken.value.value(), taken.members, () => client.store());
    return await client.enqueueFlow(spool, copy, { ...given, key });
  };

  /** Names a call by what it is and by how many like it came before, so that the next attempt names it alike. */
  #callKey(what: string, taken: StoredValue, { queue, priority }: EnqueueOptions): string {
    const call = derivedId(this.id, what, JSON.stringify([taken, queue, priority]));
    this.#calls ??= new Map();
    const times = (this.#calls.get(call) ?? 0) + 1;
    this.#calls.set(call, times);
    return `${call}#${times}`;
  }
}
