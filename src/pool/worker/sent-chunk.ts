import { PawlError } from "../../errors.ts";
import type { ItemRange, WorkQueue } from "../calls/work-queue.ts";
import { WorkerDiedError } from "../errors.ts";
import { type Isolation, whyUnsendable } from "../transfer/cloneable.ts";
import { handlesByIndex, type Packed, pack, packAll, unpack } from "../transfer/pack.ts";
import { atIndex, reviveError } from "../transfer/remote-error.ts";
import type { ChunkMessage, ResultsMessage } from "./protocol.ts";

/** Workers that die over the same work before they begin an item of it, until the work fails. */
const MOST_START_FAILURES = 5;

let chunks = 0;

/** Items on their way through a worker. Each has its result, has its error, or is given back to its work. */
export class SentChunk {
  readonly id = ++chunks;
  readonly work: WorkQueue;
  /** The worker has to load the function first. */
  readonly loads: boolean;
  readonly #range: ItemRange;
  /** The index of the first item whose result has not come. */
  #next: number;
  /** The index after its last item: what was taken back is not part of it any more. */
  #end: number;
  /** Items that the worker may have passed over, since they were aborted before they began. */
  readonly #aborted = new Map<number, string>();
  /** Why the worker was ended on purpose, and which item is to blame. */
  #blamed: { readonly index: number | null; readonly error: Error } | null = null;

  constructor(work: WorkQueue, range: ItemRange, loads: boolean) {
    this.work = work;
    this.loads = loads;
    this.#range = range;
    this.#next = range.base;
    this.#end = range.base + range.items.length;
  }

  get size(): number {
    return this.#end - this.#range.base;
  }

  /** The position of an item in it. */
  positionOf(index: number): number {
    return index - this.#range.base;
  }

  /** Gives back the items from this position on, none of which has begun or will. False when there are none. */
  takeBack(position: number): boolean {
    const from = Math.max(this.#next, this.#range.base + position);
    const end = this.#end;
    if (from >= end) return false;
    this.#end = from;
    this.#giveBack(from, end);
    return true;
  }

  /** How far its results have come. */
  get next(): number {
    return this.#next;
  }

  /** Results have come. */
  get hasResults(): boolean {
    return this.#next > this.#range.base;
  }

  /** The name of its function, for people. */
  get name(): string {
    return this.work.call.name === "" ? "the function" : this.work.call.name;
  }

  /** Whether the result of this item is still to come. */
  awaits(index: number): boolean {
    return index >= this.#next && index < this.#end;
  }

  /** What a worker is told. Throws where an item cannot be packed. */
  message(isolation: Isolation): ChunkMessage {
    const { call } = this.work;
    const { base, items } = this.#range;
    const { value, handles } = packAll(items, isolation);
    return {
      type: "chunk",
      id: this.id,
      call: call.number,
      ...(this.loads ? { reference: call.reference } : {}),
      spread: call.spread,
      base,
      items: value,
      handles: handles.length === 0 ? null : handles,
    };
  }

  /** It could not be sent: the item that is to blame gets its error, the others are given back. */
  refuse(thrown: unknown, isolation: Isolation): void {
    const { base, items } = this.#range;
    for (const [at, item] of items.entries()) {
      const error = refusal(item, base + at, isolation);
      if (error === null) continue;
      this.#giveBack(base, base + at);
      this.#giveBack(base + at + 1, this.#end);
      this.work.error(base + at, atIndex(error, base + at));
      return;
    }
    // Each alone can be sent, so it is the function that cannot, or all of them are too much.
    for (let at = 0; at < items.length; at++) this.work.error(base + at, thrown);
  }

  /** The worker was told to pass an item over, or to abort it. */
  abort(index: number, reason: string): void {
    this.#aborted.set(index, reason);
  }

  isAborted(index: number): boolean {
    return this.#aborted.has(index);
  }

  /** The worker was ended on purpose: because of this item, or with null because of the one that runs. */
  blame(index: number | null, error: Error): void {
    this.#blamed ??= { index, error };
  }

  /** Gives the work the results that have come. */
  deliver({ from, values, handles, errors, spentMs }: ResultsMessage): void {
    const { work } = this;
    const aborted = this.#aborted;
    const failed = errors === null ? null : new Map(errors);
    const handlesOf = handles === null ? null : handlesByIndex(handles);
    work.call.cost.observe(values.length, spentMs);
    this.#next = from + values.length;
    if (values.length > 0) work.startFailures = 0;
    for (let at = 0; at < values.length; at++) {
      const index = from + at;
      const error = failed?.get(at);
      if (error !== undefined) work.error(index, atIndex(reviveError(error), index));
      else if (aborted.size > 0 && aborted.has(index) && values[at] === undefined) {
        work.error(index, atIndex(new DOMException(aborted.get(index), "AbortError"), index));
      } else if (handlesOf?.has(at))
        this.#deliverPacked(index, { value: values[at], handles: handlesOf.get(at) ?? [] });
      else work.value(index, values[at]);
    }
  }

  /**
   * Items before `end` that the worker has run and whose results it has lost fail, for they must not run twice. False when
   * there are none.
   */
  lose(end: number): boolean {
    const first = this.#next;
    const last = Math.min(end, this.#end);
    if (first >= last) return false;
    this.#next = last;
    for (let index = first; index < last; index++) {
      const sentence = `Item ${index} has run, and its worker lost its result: look for code that replaces what all code there uses, such as functions of Array.prototype or process.send.`;
      this.work.error(index, atIndex(new WorkerDiedError("pool.worker-died", sentence), index));
    }
    return true;
  }

  /** The index of the item at this position. */
  indexAt(position: number): number {
    return this.#range.base + position;
  }

  /** Gives back what the worker has not run and will not run. */
  giveBackRest(): void {
    this.#giveBack(this.#next, this.#end);
  }

  /** The worker has died over the item that it had marked: that gets its error, what it had not run is given back. */
  workerDied(marked: number | null, why: string): void {
    const { work } = this;
    const { base } = this.#range;
    const blamed = this.#blamed;
    const culprit = blamed?.index ?? marked ?? -1;
    if (!this.awaits(culprit)) {
      // No item ran, or the one that was to be ended had its result in time.
      this.giveBackRest();
      const failedToStart = blamed === null && this.loads && !this.hasResults;
      if (failedToStart && ++work.startFailures >= MOST_START_FAILURES) {
        const sentence = `The workers died, one after the other, before they began item ${base} of ${this.name}: ${why}.`;
        work.fail(new WorkerDiedError("pool.worker-died", sentence));
      }
      return;
    }
    // The items before it have run, but their results were lost with the worker.
    this.#giveBack(this.#next, culprit);
    this.#giveBack(culprit + 1, this.#end);
    if (blamed === null && !this.#aborted.has(culprit) && work.retriesAfterCrash(culprit)) {
      this.#giveBack(culprit, culprit + 1);
      return;
    }
    const sentence = `The worker died while it ran item ${culprit}: ${why}.`;
    const error = blamed?.error ?? new WorkerDiedError("pool.worker-died", sentence);
    work.error(culprit, atIndex(error, culprit));
  }

  /** The result is an error where its handle is to something that is gone. */
  #deliverPacked(index: number, packed: Packed): void {
    let revived: unknown;
    try {
      revived = unpack(packed);
    } catch (error) {
      this.work.error(index, atIndex(error, index));
      return;
    }
    this.work.value(index, revived);
  }

  /** Items that were told to stop are not given back, since they must not begin again. */
  #giveBack(from: number, end: number): void {
    if (from >= end) return;
    const { base, items } = this.#range;
    let first = from;
    const giveUntil = (index: number) => {
      if (first < index) this.work.giveBack({ base: first, items: items.slice(first - base, index - base) });
    };
    for (const [index, reason] of [...this.#aborted].sort(([a], [b]) => a - b)) {
      if (index < first || index >= end) continue;
      giveUntil(index);
      this.work.error(index, atIndex(new DOMException(reason, "AbortError"), index));
      first = index + 1;
    }
    giveUntil(end);
  }
}

/** Why an item cannot be sent; null when it can. */
function refusal(item: unknown, index: number, isolation: Isolation): Error | null {
  let value: unknown;
  try {
    value = pack(item, isolation).value;
  } catch (error) {
    if (error instanceof PawlError) return error;
    return refused(index, String(error));
  }
  const why = whyUnsendable(value, isolation);
  return why === null ? null : refused(index, why);
}

function refused(index: number, why: string): PawlError {
  return new PawlError(
    "pool.unsendable",
    `Item ${index} cannot be sent to a worker (${why}): pass plain data.`,
  );
}
