import { setImmediate as yieldToLoop } from "node:timers/promises";
import type { AnyFunction } from "../callable/callable.ts";
import type { Lifetime } from "../lifetime.ts";
import { collects, type MapOptions } from "../options.ts";
import type { WorkerPool } from "../worker/worker-pool.ts";
import { type CallerWork, runBesideWorkers, runInCaller, SLICE_MS } from "./caller-loop.ts";
import { SAMPLE } from "./cost.ts";
import type { FunctionRegistry } from "./function-registry.ts";
import type { Settled } from "./item-result.ts";
import { closeSource, type ItemSource, iteratorOf, never, StoppableWait } from "./item-source.ts";
import { Placement } from "./placement.ts";
import { type Call, ItemQueue, WorkQueue } from "./work-queue.ts";

/** What the calls of a pool are made with. */
export interface PoolContext {
  readonly workerPool: WorkerPool;
  readonly functions: FunctionRegistry;
  readonly lifetime: Lifetime;
  /** Items may run in the caller's thread. */
  readonly mayRunInCaller: boolean;
}

export interface MapCall {
  readonly fn: AnyFunction;
  readonly given: Iterable<unknown> | AsyncIterable<unknown>;
  readonly options: MapOptions & { readonly errors?: "throw" | "collect" };
  readonly method: "map" | "starmap";
}

/** All items of a map, and the results in their order. */
export class MapWork extends WorkQueue implements CallerWork {
  readonly results: unknown[];
  readonly collect: boolean;
  #missing: number;
  #failure: { readonly reason: unknown } | null = null;
  /** Ends the wait for the results. */
  #wake = (): void => {};

  constructor(call: Call, items: ItemQueue, collect: boolean) {
    super(call, items);
    this.results = new Array(items.length);
    this.collect = collect;
    this.#missing = items.length;
  }

  /** Each item has its result. */
  get isFinished(): boolean {
    return this.#missing === 0 && this.#failure === null;
  }

  /** Resolves when each item has its result; rejects with the first error, unless errors are collected. */
  async finished(): Promise<void> {
    if (!this.isFinished && this.#failure === null) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#failure !== null) throw this.#failure.reason;
  }

  /** Items that have a result. */
  get done(): number {
    return this.length - this.#missing;
  }

  value(index: number, value: unknown): void {
    this.results[index] = this.collect ? ({ status: "fulfilled", value } satisfies Settled<unknown>) : value;
    this.count(1);
  }

  error(index: number, reason: unknown): void {
    if (!this.collect) {
      this.fail(reason);
      return;
    }
    this.results[index] = { status: "rejected", reason } satisfies Settled<unknown>;
    this.count(1);
  }

  count(items: number): void {
    this.#missing -= items;
    if (this.#missing === 0) this.#wake();
  }

  /** Gives out nothing more; who waits for the results gets this error. */
  fail(reason: unknown): void {
    this.end();
    this.#failure ??= { reason };
    this.#wake();
  }
}

/** Runs all items, in the caller's thread as long as that pays and then in workers, and resolves with the results in order. */
export async function runMap(
  context: PoolContext,
  { fn, given, options, method }: MapCall,
): Promise<unknown[]> {
  const { workerPool, functions, lifetime } = context;
  lifetime.assertOpen();
  const { call, account } = functions.find(fn, method, options);
  const collect = collects(options.errors);
  const { signal } = options;
  signal?.throwIfAborted();
  const wait = Array.isArray(given) ? null : new StoppableWait();
  let work: MapWork | null = null;
  const end = (error: unknown) => {
    wait?.stop(error);
    work?.fail(error);
  };
  const abort = () => end(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  lifetime.enter(end);
  try {
    const items = wait === null ? ItemQueue.of(given as unknown[]) : await gather(given, wait);
    const map = new MapWork(call, items, collect);
    work = map;
    const placement = new Placement(call, account, workerPool, context.mayRunInCaller);
    const run = { fn, work: map, signal: signal ?? never };
    let isInWorkers = false;
    const runInWorkers = async () => {
      if (map.ready === 0) return;
      isInWorkers = true;
      account.inline += map.done;
      account.parallel += map.ready;
      workerPool.add(map);
      const enough = () => workerPool.isAtWork(map);
      if (!placement.mayStay) workerPool.schedule();
      else await workerPool.scheduleWith(() => runBesideWorkers({ ...run, enough }));
    };
    const inCaller = placement.mayStay ? runInCaller({ ...run, leaves: () => leaves(map, placement) }) : null;
    if (!map.isFinished) {
      // Not waited for: an item that hangs does not hold a call that was ended.
      (inCaller === null ? runInWorkers() : inCaller.then(runInWorkers)).catch(end);
      await map.finished();
    }
    if (!isInWorkers) account.inline += map.length;
    return map.results;
  } catch (error) {
    work?.fail(error);
    throw error;
  } finally {
    if (work !== null) workerPool.drop(work, "the call it belongs to has ended");
    signal?.removeEventListener("abort", abort);
    lifetime.leave(end);
  }
}

/** Whether the items that are left should go to workers, judged by the next of them and the last results. */
function leaves(map: MapWork, placement: Placement): boolean {
  const { base, items } = map.peek(SAMPLE);
  return placement.leaves(map.ready, { items, results: map.results.slice(Math.max(0, base - SAMPLE), base) });
}

/** All items, unless it is stopped before; then the source is closed. */
async function gather(
  given: Iterable<unknown> | AsyncIterable<unknown>,
  wait: StoppableWait,
): Promise<ItemQueue> {
  const source = iteratorOf(given);
  const items = new ItemQueue();
  let began = performance.now();
  for (;;) {
    const pulled = source.next();
    const next = "then" in pulled ? await wait.until(pulled, () => abandon(source)) : pulled;
    if (next.done) return items;
    items.add(next.value);
    if (performance.now() - began < SLICE_MS) continue;
    await wait.until(yieldToLoop(), () => abandon(source));
    began = performance.now();
  }
}

/** The caller has its error already; what the source throws as it closes is not told beside that. */
function abandon(source: ItemSource): void {
  closeSource(source, true).catch(() => {});
}
