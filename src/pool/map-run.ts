import { runAlongside } from "./alongside.ts";
import type { AnyFunction } from "./callable.ts";
import { Choice } from "./choice.ts";
import type { Crew } from "./crew.ts";
import { runInline } from "./inline-run.ts";
import type { Ledger } from "./ledger.ts";
import type { Lifetime } from "./lifetime.ts";
import { Mapped } from "./mapped.ts";
import type { MapOptions } from "./options.ts";
import { never } from "./stop.ts";

/** What the calls of a pool are made with. */
export interface Means {
  readonly crew: Crew;
  readonly ledger: Ledger;
  readonly lifetime: Lifetime;
  /** Workers at most. */
  readonly workers: number;
  /** Items may run in this thread. */
  readonly mayInline: boolean;
}

export interface MapRun {
  readonly fn: AnyFunction;
  readonly given: Iterable<unknown> | AsyncIterable<unknown>;
  readonly options: MapOptions & { readonly errors?: "throw" | "collect" };
  readonly face: "map" | "starmap";
}

/** Items looked at to learn what sending them costs. */
const SAMPLE = 8;

/** Runs all items, here as long as they had better stay and then in workers, and resolves with the results in order. */
export async function runMap(means: Means, { fn, given, options, face }: MapRun): Promise<unknown[]> {
  const { crew, ledger, lifetime } = means;
  lifetime.assertOpen();
  const { call } = ledger.knownAs(fn, face, options);
  const signal = options.signal ?? never;
  signal.throwIfAborted();
  const stopped = Promise.withResolvers<never>();
  stopped.promise.catch(() => {});
  const abort = () => stopped.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  lifetime.enter(stopped.reject);
  try {
    const items = Array.isArray(given) ? given : await Promise.race([gather(given), stopped.promise]);
    const collect = options.errors === "collect";
    const results: unknown[] = new Array(items.length);
    const account = ledger.account(fn);
    const choice = new Choice({ ...means, call, account });
    const { spread, cost } = call;
    const leave = (at: number) => {
      lifetime.assertGoesOn();
      return choice.leave(items.length - at, {
        items: items.slice(at, at + SAMPLE),
        results: results.slice(Math.max(0, at - SAMPLE), at),
      });
    };
    const runHere = async () => {
      if (!choice.mayStay || (cost.items > 0 && leave(0))) return 0;
      const ran = await runInline({ fn, spread, items, results, collect, cost, signal, leave });
      account.inline += ran;
      return ran;
    };
    const from = await Promise.race([runHere(), stopped.promise]);
    if (from === items.length) return results;
    account.parallel += items.length - from;
    const work = new Mapped(call, items, results, from, collect);
    const enough = () => crew.isAtWork(work);
    const help = choice.mayStay ? () => runAlongside({ fn, work, signal, enough }) : null;
    await runToEnd(crew, work, help, Promise.race([work.finished, stopped.promise]));
    return results;
  } finally {
    signal.removeEventListener("abort", abort);
    lifetime.leave(stopped.reject);
  }
}

async function runToEnd(
  crew: Crew,
  work: Mapped,
  help: (() => Promise<void>) | null,
  finished: Promise<void>,
): Promise<void> {
  crew.add(work);
  if (help === null) crew.schedule();
  else void crew.scheduleWith(help);
  try {
    await finished;
  } catch (error) {
    work.stop(error);
    throw error;
  } finally {
    crew.drop(work, "the call it belongs to has ended");
  }
}

async function gather(items: Iterable<unknown> | AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const item of items) all.push(item);
  return all;
}
