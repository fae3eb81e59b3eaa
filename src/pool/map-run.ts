import { setImmediate as yieldToLoop } from "node:timers/promises";
import { runAlongside } from "./alongside.ts";
import type { AnyFunction } from "./callable.ts";
import { collects } from "./checked.ts";
import { Choice } from "./choice.ts";
import type { Crew } from "./crew.ts";
import { runInline } from "./inline-run.ts";
import { Items } from "./items.ts";
import type { Ledger } from "./ledger.ts";
import type { Lifetime } from "./lifetime.ts";
import { Mapped } from "./mapped.ts";
import type { MapOptions } from "./options.ts";
import { closeSource, iteratorOf, type Source } from "./source.ts";
import { never, Stop } from "./stop.ts";

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
  const collect = collects(options.errors);
  const signal = options.signal ?? never;
  signal.throwIfAborted();
  const stop = new Stop();
  const abort = () => stop.now(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  const end = (error: unknown) => stop.now(error);
  lifetime.enter(end);
  try {
    const items = Array.isArray(given) ? Items.of(given) : await gather(given, stop);
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
    const from = await stop.or(runHere());
    if (from === items.length) return results;
    account.parallel += items.length - from;
    const work = new Mapped(call, items, results, from, collect);
    const enough = () => crew.isAtWork(work);
    const help = choice.mayStay ? () => runAlongside({ fn, work, signal, enough }) : null;
    await runToEnd(crew, work, help, stop.or(work.finished));
    return results;
  } finally {
    signal.removeEventListener("abort", abort);
    lifetime.leave(end);
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

/** How long items are read at a stretch from a source that never waits, in milliseconds. */
const SLICE_MS = 5;

/** All items, unless it is stopped before; then the source is closed. */
async function gather(given: Iterable<unknown> | AsyncIterable<unknown>, stop: Stop): Promise<Items> {
  const source = iteratorOf(given);
  const items = new Items();
  let began = performance.now();
  for (;;) {
    const pulled = source.next();
    const next = "then" in pulled ? await stop.or(pulled, () => abandon(source)) : pulled;
    if (next.done) return items;
    items.add(next.value);
    if (performance.now() - began < SLICE_MS) continue;
    await stop.or(yieldToLoop(), () => abandon(source));
    began = performance.now();
  }
}

/** Whoever waited has heard why; what the source throws as it closes is not told beside that. */
function abandon(source: Source): void {
  closeSource(source, true).catch(() => {});
}
