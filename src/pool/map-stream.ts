import type { AnyFunction } from "./callable.ts";
import { collects } from "./checked.ts";
import { Choice } from "./choice.ts";
import { batchSize } from "./cost.ts";
import { runInlineStream } from "./inline-stream.ts";
import { Intake } from "./intake.ts";
import type { Means } from "./map-run.ts";
import type { Settled } from "./mapped.ts";
import type { MapOptions } from "./options.ts";
import { closeSource, iteratorOf } from "./source.ts";
import { never, Stop } from "./stop.ts";
import { type Outcome, Streamed } from "./streamed.ts";

export interface MapStream {
  readonly fn: AnyFunction;
  readonly items: Iterable<unknown> | AsyncIterable<unknown>;
  readonly options: MapOptions & { readonly errors?: "throw" | "collect" };
  readonly face: "imap" | "imapUnordered";
}

/** Runs items as results are asked for, here as long as they had better stay and then in workers, a few batches ahead. */
export async function* streamMap(
  means: Means,
  { fn, items, options, face }: MapStream,
): AsyncGenerator<unknown, void, undefined> {
  const { crew, ledger, lifetime, workers } = means;
  lifetime.assertOpen();
  const { call } = ledger.knownAs(fn, face, options);
  const account = ledger.account(fn);
  const signal = options.signal ?? never;
  const collect = collects(options.errors);
  const source = iteratorOf(items);
  let ended = false;
  let failed = false;
  let work: Streamed | null = null;
  let intake: Intake | null = null;
  const stop = new Stop();
  let closed: Promise<void> | null = null;
  const close = () => {
    closed ??= intake !== null ? intake.end() : closeSource(source, stop.isStopped);
    return closed;
  };
  // The source is closed at once: who takes the results may be long with the one it has, or never ask for another.
  const closeEarly = () => {
    if (!ended) close().catch(() => {});
  };
  const abort = () => {
    stop.now(signal.reason);
    work?.end();
    closeEarly();
  };
  signal.addEventListener("abort", abort, { once: true });
  const end = (error: unknown) => {
    stop.now(error);
    work?.wake();
    closeEarly();
  };
  lifetime.enter(end);
  try {
    let from = 0;
    const choice = new Choice({ ...means, call, account });
    if (choice.mayStay) {
      const length = Array.isArray(items) ? items.length : Number.POSITIVE_INFINITY;
      const leave = (at: number, item: unknown, result: unknown) => {
        lifetime.assertGoesOn();
        return choice.leave(length - at, { items: [item], results: [result] });
      };
      const left = yield* runInlineStream({
        fn,
        source,
        cost: call.cost,
        signal,
        collect,
        stop,
        account,
        leave,
      });
      if (left === null) {
        ended = true;
        return;
      }
      from = left;
    }
    const streamed = new Streamed(call, from);
    work = streamed;
    crew.add(streamed);
    const hasRoom = () =>
      streamed.under < workers * 2 * batchSize(call.cost, call.chunkSize, Number.POSITIVE_INFINITY, workers);
    const add = (item: unknown) => {
      streamed.add(item);
      account.parallel++;
    };
    const came = () => {
      crew.schedule();
      streamed.wake();
    };
    intake = new Intake(source, hasRoom, add, came);
    for (;;) {
      signal.throwIfAborted();
      lifetime.assertGoesOn();
      intake.fill();
      crew.schedule();
      const outcome = streamed.next(face === "imap");
      if (outcome !== null) {
        if (collect && !outcome.ends) yield settled(outcome);
        else if ("error" in outcome) throw outcome.error;
        else yield outcome.value;
      } else if (streamed.under > 0 || intake.pending) await streamed.came();
      else if (intake.failure !== null) throw intake.failure.error;
      else if (intake.ended) return;
    }
  } catch (error) {
    failed = true;
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
    if (work !== null) {
      work.end();
      crew.drop(work, "nobody waits for it any more");
    }
    lifetime.leave(end);
    // What the source throws as it closes is told where nothing else is.
    if (!ended) await (failed ? close().catch(() => {}) : close());
  }
}

function settled(outcome: Outcome): Settled<unknown> {
  return "error" in outcome
    ? { status: "rejected", reason: outcome.error }
    : { status: "fulfilled", value: outcome.value };
}
