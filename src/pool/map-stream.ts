import type { AnyFunction } from "./callable.ts";
import { Choice } from "./choice.ts";
import { batchSize } from "./cost.ts";
import { runInlineStream } from "./inline-stream.ts";
import { Intake } from "./intake.ts";
import type { Means } from "./map-run.ts";
import type { MapOptions } from "./options.ts";
import { never, Stop } from "./stop.ts";
import { Streamed } from "./streamed.ts";

export interface MapStream {
  readonly fn: AnyFunction;
  readonly items: Iterable<unknown> | AsyncIterable<unknown>;
  readonly options: MapOptions;
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
  const source = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  let ended = false;
  let work: Streamed | null = null;
  let intake: Intake | null = null;
  const stop = new Stop();
  const abort = () => {
    stop.now(signal.reason);
    work?.end();
  };
  signal.addEventListener("abort", abort, { once: true });
  const end = (error: unknown) => {
    stop.now(error);
    work?.wake();
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
      const left = yield* runInlineStream({ fn, source, cost: call.cost, signal, stop, account, leave });
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
        if ("error" in outcome) throw outcome.error;
        yield outcome.value;
      } else if (streamed.under > 0 || intake.pending) await streamed.came();
      else if (intake.failure !== null) throw intake.failure.error;
      else if (intake.ended) return;
    }
  } finally {
    signal.removeEventListener("abort", abort);
    if (work !== null) {
      work.end();
      crew.drop(work, "nobody waits for it any more");
    }
    lifetime.leave(end);
    if (intake !== null) await intake.end();
    else if (!ended) {
      const returned = source.return?.();
      if (returned !== undefined && "then" in returned) await stop.or(returned);
    }
  }
}
