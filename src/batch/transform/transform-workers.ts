import { errorText } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import type { Pool, Settled } from "../../pool/index.ts";
import type { AnyJob, TransformResult } from "../job/job.ts";

type TransformFunction = NonNullable<AnyJob["transform"]>;

/** An item that takes less, in milliseconds, costs less than the messages that would send it to a worker. */
const CHEAP_MS = 0.005;
/** So many milliseconds of the transform must be measured before it is judged. */
const ENOUGH_MS = 20;

/**
 * Runs a transform on every core where that pays. Transforms begin in the caller's thread, and most are so cheap that they stay
 * there; one that is not is handed to a pool, which judges by what it measures itself. A function that cannot reach
 * a worker stays where it is, and the user is told.
 */
export class TransformWorkers {
  readonly #transform: TransformFunction;
  readonly threads: number;
  readonly #tell: (note: string) => void;
  #pool: Pool | null = null;
  #accepted: Promise<boolean> | null = null;
  #refused = false;
  #items = 0;
  #ms = 0;

  constructor(transform: TransformFunction, threads: number, tell: (note: string) => void) {
    this.#transform = transform;
    this.threads = threads;
    this.#tell = tell;
  }

  /** Adds the time that items computed in the caller's thread; the time they waited does not count. */
  observe(items: number, ms: number): void {
    this.#items += items;
    this.#ms += ms;
  }

  /** The transform costs enough to ask whether workers could take it. */
  get worthwhile(): boolean {
    if (this.#refused || this.threads < 2) return false;
    return this.#ms >= ENOUGH_MS && this.#ms > CHEAP_MS * this.#items;
  }

  /** Whether the transform can reach workers. Asked before the first `map`. */
  accept(): Promise<boolean> {
    this.#accepted ??= this.#ask();
    return this.#accepted;
  }

  /**
   * What becomes of each item, in order; null when no worker can load the transform, and none of the items has run. Rejects
   * when the signal aborts.
   */
  async map(
    items: readonly unknown[],
    signal: AbortSignal,
  ): Promise<readonly Settled<TransformResult<unknown>>[] | null> {
    if (this.#pool === null) throw new Error("The transform was not accepted.");
    if (this.#refused) return null;
    const settled = await this.#pool.map(this.#transform, items, { errors: "collect", signal });
    const unloaded = settled.find((each) => each.status === "rejected" && isUnloaded(each.reason));
    if (unloaded === undefined) return settled;
    this.#refuse((unloaded as PromiseRejectedResult).reason);
    return null;
  }

  async close(): Promise<void> {
    await this.#pool?.terminate();
  }

  async #ask(): Promise<boolean> {
    // Most transforms never come here, and what the pool is made of takes memory.
    const { Pool } = await import("../../pool/index.ts");
    const pool = new Pool({ workers: this.threads });
    try {
      // Refuses a function that cannot be sent before anything runs.
      await pool.map(this.#transform, []);
    } catch (error) {
      this.#refuse(error);
      return false;
    }
    this.#pool = pool;
    this.#tell(`The transform computes ${this.#itemMs} ms an item and may run in ${this.threads} threads.`);
    return true;
  }

  #refuse(error: unknown): void {
    if (this.#refused) return;
    this.#refused = true;
    const why = errorText(error);
    this.#tell(
      `The transform computes ${this.#itemMs} ms an item and runs in one thread: make it with callable() of pawl/pool to use every core. ${why}`,
    );
  }

  get #itemMs(): string {
    return (this.#ms / this.#items).toPrecision(2);
  }
}

/** The function never began: its module cannot be loaded in a worker, or lacks it there. */
function isUnloaded(reason: unknown): boolean {
  if (!(reason instanceof PawlError)) return false;
  return reason.code === "pool.unguarded-main" || reason.code.startsWith("pool.callable-");
}
