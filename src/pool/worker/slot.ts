import { PawlError } from "../../errors.ts";
import { Relay } from "../actor/relay.ts";
import type { Call } from "../call.ts";
import { type Isolation, pack, unpack } from "../portable.ts";
import type { Portion, Work } from "../work.ts";
import { type Host, startProcess, startThread, WorkerDiedError } from "./host.ts";
import { monotonicMs } from "./marker.ts";
import type { FromWorker, ResultsMessage, WorkerSetup } from "./protocol.ts";
import { atIndex, reviveError } from "./remote-error.ts";
import { whyUnsendable } from "./sendable.ts";
import { TimeLimitError } from "./time-limit.ts";

export interface SlotOptions {
  readonly isolation: Isolation;
  readonly setup: WorkerSetup;
  /** Items after which the worker is replaced. */
  readonly maxTasks: number;
  /** Bytes of JavaScript heap at which the worker dies; null for what Node gives it. */
  readonly maxHeap: number | null;
  /** Milliseconds for the worker to begin, and for it to load a function. */
  readonly startTimeout: number;
}

/** What a slot tells its pool. */
export interface SlotEvents {
  /** The worker is ready for a batch. */
  idle(slot: Slot): void;
  /** The worker is gone for good; what it held was given back. */
  gone(slot: Slot): void;
  /** A worker cannot begin: `init` threw, or does not end. */
  unready(slot: Slot, error: unknown): void;
  /** A worker cannot do this work at all: it does not get as far as the first item. */
  hopeless(work: Work, error: Error): void;
  /** An item killed its worker; true when it shall be tried once more. */
  mayRetry(work: Work, index: number): boolean;
}

export type SlotState = "starting" | "idle" | "busy" | "closing" | "gone";

interface Running {
  readonly id: number;
  readonly work: Work;
  readonly portion: Portion;
  /** The index of the first item whose result has not come. */
  next: number;
  /** Items the worker may have passed over, since they were aborted before they began. */
  readonly aborted: Map<number, string>;
  timer: NodeJS.Timeout | null;
  /** The worker had to load the function first. */
  readonly loads: boolean;
  /** Until the function is loaded. */
  loading: NodeJS.Timeout | null;
  /** Why the worker was ended on purpose, and which item is to blame. */
  verdict: { readonly index: number | null; readonly error: Error } | null;
  cancelled: boolean;
}

let batches = 0;

/** How long a worker that was asked to close may take. */
const CLOSE_MS = 1000;
/** How often is looked whether an item that shall be ended has begun. */
const LOOK_MS = 10;
/** Workers that die over the same work before they begin an item of it, until nobody tries any more. */
const BARREN = 5;
/** The longest time a timer can take. */
const LONGEST_MS = 2 ** 31 - 1;

/** One worker and the batch it runs. */
export class Slot {
  state: SlotState = "starting";
  readonly #options: SlotOptions;
  readonly #events: SlotEvents;
  readonly #host: Host;
  /** Makes the calls of actors that functions in the worker ask for. */
  readonly #relay: Relay;
  readonly #known = new Set<number>();
  readonly closed: Promise<void>;
  /** It ended before it could take a batch. */
  neverReady = true;
  /** Why it is gone, for people. */
  why = "";
  #running: Running | null = null;
  #tasks = 0;
  readonly #starting: NodeJS.Timeout | null = null;
  /** When it last became idle, in milliseconds of `performance.now`. */
  idleSince = 0;

  constructor(options: SlotOptions, events: SlotEvents) {
    this.#options = options;
    this.#events = events;
    const start = options.isolation === "thread" ? startThread : startProcess;
    this.#host = start(options.setup, options.maxHeap, (message) => this.#hear(message));
    const { startTimeout } = options;
    if (startTimeout <= LONGEST_MS)
      this.#starting = setTimeout(() => this.#tooLate(startTimeout), startTimeout);
    this.#relay = new Relay(options.isolation, (message) => this.#host.post(message));
    this.closed = this.#host.gone.then((why) => this.#over(why));
  }

  /** Items it may still be given. */
  get room(): number {
    return this.#options.maxTasks - this.#tasks;
  }

  /** The worker has loaded the function. */
  knows({ call }: Work): boolean {
    const running = this.#running;
    return this.#known.has(call.number) && !(running?.loads && running.work.call === call);
  }

  /** Has an idle worker load the function, and be idle again. */
  load(work: Work): void {
    this.run(work, { base: 0, items: [] });
  }

  /** Gives a batch to an idle worker. */
  run(work: Work, portion: Portion): void {
    const { call } = work;
    const id = ++batches;
    const running: Running = {
      id,
      work,
      portion,
      next: portion.base,
      aborted: new Map(),
      timer: null,
      loads: !this.#known.has(call.number),
      loading: null,
      verdict: null,
      cancelled: false,
    };
    this.state = "busy";
    this.#running = running;
    this.#host.hold(true);
    const { startTimeout } = this.#options;
    const began = performance.now();
    if (!this.#send(call, running)) return;
    call.cost.observeTransport(portion.items.length, performance.now() - began);
    if (running.loads && startTimeout <= LONGEST_MS)
      running.loading = setTimeout(() => this.#stillLoading(running, startTimeout), startTimeout);
    if (call.limit !== null)
      this.#watch(running, Math.min(call.limit.soft ?? call.limit.hard, call.limit.hard));
  }

  /** Whether this slot has the item, running or about to. */
  has(work: Work, index: number): boolean {
    const running = this.#running;
    if (running === null || running.work !== work) return false;
    return index >= running.next && index < running.portion.base + running.portion.items.length;
  }

  /** Tells an item by its signal to stop, or passes it over when it has not begun. */
  abort(index: number, reason: string): void {
    const running = this.#running;
    if (running === null) return;
    running.aborted.set(index, reason);
    this.#host.post({ type: "abort", id: running.id, index, reason });
  }

  /** Ends the worker as soon as it runs this item; one that has not begun is passed over. */
  killItem(index: number, error: Error): void {
    const running = this.#running;
    if (running === null || running.next > index) return;
    if (this.#host.marker.read()?.index === index) {
      void this.kill(error, index);
      return;
    }
    if (!running.aborted.has(index)) this.abort(index, error.message);
    // It may begin before the worker hears of that.
    setTimeout(() => {
      if (this.#running === running) this.killItem(index, error);
    }, LOOK_MS);
  }

  /** Leaves the rest of the batch undone, when it is of this work. */
  cancel(work: Work, reason: string): void {
    const running = this.#running;
    if (running === null || running.work !== work) return;
    running.cancelled = true;
    this.#host.post({ type: "cancel", id: running.id, reason });
  }

  /** Ends the worker now. `error` is what becomes of the item at `index`, or of the one that runs. */
  async kill(error: Error, index: number | null = null): Promise<void> {
    if (this.#running !== null) this.#running.verdict ??= { index, error };
    // Whatever it still says, it gets nothing more to do.
    this.state = "closing";
    // The program must not end while this waits.
    this.#host.hold(true);
    await this.#host.kill();
  }

  /** Lets an idle worker end; one that does not is ended. */
  async close(): Promise<void> {
    if (this.state === "gone") return;
    this.state = "closing";
    this.#host.hold(true);
    this.#host.post({ type: "close" });
    const timer = setTimeout(() => void this.#host.kill(), CLOSE_MS);
    await this.closed;
    clearTimeout(timer);
  }

  #send(call: Call, running: Running): boolean {
    const { portion } = running;
    let packed = false;
    try {
      const items = portion.items.map((item) => {
        const one = pack(item, this.#options.isolation);
        if (one.packed) packed = true;
        return one.value;
      });
      const reference = this.#known.has(call.number) ? {} : { reference: call.reference };
      this.#host.post({
        type: "batch",
        id: running.id,
        call: call.number,
        ...reference,
        spread: call.spread,
        base: portion.base,
        items: packed ? items : portion.items,
        packed,
      });
      this.#known.add(call.number);
      return true;
    } catch (error) {
      this.#running = null;
      this.#unsendable(running, error);
      this.#becomeIdle();
      return false;
    }
  }

  /** Finds the item that cannot be sent; the others are given back. */
  #unsendable({ work, portion }: Running, thrown: unknown): void {
    for (const [at, item] of portion.items.entries()) {
      const error = this.#refusal(item, portion.base + at);
      if (error === null) continue;
      work.giveBack({ base: portion.base, items: portion.items.slice(0, at) });
      work.giveBack({ base: portion.base + at + 1, items: portion.items.slice(at + 1) });
      work.error(portion.base + at, atIndex(error, portion.base + at));
      return;
    }
    // Each alone can be sent, so it is the function that cannot, or all of them are too much.
    for (let at = 0; at < portion.items.length; at++) work.error(portion.base + at, thrown);
  }

  /** Why an item cannot be sent; null when it can. */
  #refusal(item: unknown, index: number): Error | null {
    const { isolation } = this.#options;
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

  #hear(message: FromWorker): void {
    switch (message.type) {
      case "ready":
        if (this.state === "starting") this.#becomeIdle();
        return;
      case "unready":
        if (this.state === "starting") this.#giveUp(reviveError(message.error));
        return;
      case "results":
        this.#deliver(message);
        return;
      case "ask":
      case "ask-abort":
        this.#relay.take(message);
    }
  }

  #giveUp(error: unknown): void {
    this.state = "closing";
    this.neverReady = false;
    this.#events.unready(this, error);
    void this.#host.kill();
  }

  #tooLate(ms: number): void {
    if (this.state !== "starting") return;
    const sentence = `A worker of the pool was not ready after ${ms} ms: let init end sooner, or give a longer startTimeout.`;
    this.#giveUp(new PawlError("pool.start-timeout", sentence));
  }

  #stillLoading(running: Running, ms: number): void {
    const { work, portion } = running;
    // Each message and each mark shows that it has begun.
    if (this.#running !== running || running.next > portion.base || this.#host.marker.read() !== null) return;
    const sentence = `A worker had not loaded ${nameOf(work)} after ${ms} ms: let its module load sooner, or give a longer startTimeout.`;
    const error = new PawlError("pool.start-timeout", sentence);
    this.#events.hopeless(work, error);
    void this.kill(error);
  }

  #deliver({ id, from, values, packed, errors, spentMs, last, full }: ResultsMessage): void {
    const running = this.#running;
    if (running === null || running.id !== id) return;
    const { work, aborted } = running;
    const failed = new Map(errors);
    work.call.cost.observe(values.length, spentMs);
    this.#tasks += values.length;
    running.next = from + values.length;
    if (values.length > 0) work.barren = 0;
    for (let at = 0; at < values.length; at++) {
      const index = from + at;
      const error = failed.get(at);
      if (error !== undefined) work.error(index, atIndex(reviveError(error), index));
      else if (aborted.size > 0 && aborted.has(index) && values[at] === undefined) {
        work.error(index, atIndex(new DOMException(aborted.get(index), "AbortError"), index));
      } else if (packed) this.#deliverPacked(work, index, values[at]);
      else work.value(index, values[at]);
    }
    if (!last) return;
    this.#end(running);
    this.#giveBackRest(running, running.next);
    if (this.state === "closing") return;
    if (this.room <= 0 || full) void this.close();
    else this.#becomeIdle();
  }

  /** A handle may be to something that is no more. */
  #deliverPacked(work: Work, index: number, value: unknown): void {
    let revived: unknown;
    try {
      revived = unpack(value);
    } catch (error) {
      work.error(index, atIndex(error, index));
      return;
    }
    work.value(index, revived);
  }

  #becomeIdle(): void {
    if (this.#starting !== null) clearTimeout(this.#starting);
    this.state = "idle";
    this.neverReady = false;
    this.idleSince = performance.now();
    this.#host.hold(false);
    this.#events.idle(this);
  }

  #end(running: Running): void {
    if (running.timer !== null) clearTimeout(running.timer);
    if (running.loading !== null) clearTimeout(running.loading);
    this.#running = null;
  }

  #giveBackRest({ work, portion }: Running, from: number): void {
    if (from >= portion.base + portion.items.length) return;
    work.giveBack({ base: from, items: portion.items.slice(from - portion.base) });
  }

  /** Looks at the item that runs when its time could be over. */
  #watch(running: Running, ms: number): void {
    running.timer = setTimeout(
      () => {
        if (this.#running !== running) return;
        const { limit } = running.work.call;
        const mark = this.#host.marker.read();
        if (limit === null) return;
        // It may begin in the next moment: what is the soonest that its time could be over?
        if (mark === null) return this.#watch(running, Math.min(limit.soft ?? limit.hard, limit.hard));
        const spent = monotonicMs() - mark.since;
        const soft = limit.soft !== undefined && !running.aborted.has(mark.index) ? limit.soft : limit.hard;
        if (spent < soft) return this.#watch(running, soft - spent);
        if (soft !== limit.hard) {
          const reason = `its time of ${limit.soft} ms is over`;
          running.aborted.set(mark.index, reason);
          this.#host.post({ type: "abort", id: running.id, index: mark.index, reason });
          // The next item may begin before, and has a soft limit too.
          return this.#watch(running, Math.min(soft, limit.hard - spent));
        }
        const sentence = `Item ${mark.index} ran longer than ${limit.hard} ms; its worker was ended.`;
        void this.kill(new TimeLimitError("pool.timeout", sentence), mark.index);
      },
      Math.min(Math.max(1, ms), LONGEST_MS),
    );
  }

  /** The worker is gone: what it ran gets its error, what it had not run goes to others. */
  #over(why: string): void {
    this.state = "gone";
    this.why = why;
    if (this.#starting !== null) clearTimeout(this.#starting);
    const running = this.#running;
    if (running !== null) this.#bury(running, why);
    this.#host.marker.close();
    this.#events.gone(this);
  }

  #bury(running: Running, why: string): void {
    this.#end(running);
    const { work, portion, verdict } = running;
    const end = portion.base + portion.items.length;
    const guilty = verdict?.index ?? this.#host.marker.read()?.index ?? -1;
    if (guilty < running.next || guilty >= end) {
      // No item ran, or it was to end and had its result in time.
      this.#giveBackRest(running, running.next);
      const barren = verdict === null && running.loads && running.next === portion.base;
      if (barren && ++work.barren >= BARREN) {
        const sentence = `The workers died, one after the other, before they began item ${portion.base} of ${nameOf(work)}: ${why}.`;
        this.#events.hopeless(work, new WorkerDiedError("pool.worker-died", sentence));
      }
      return;
    }
    const at = guilty;
    // Done, but their results died with the worker.
    work.giveBack({
      base: running.next,
      items: portion.items.slice(running.next - portion.base, at - portion.base),
    });
    this.#giveBackRest(running, at + 1);
    if (verdict === null && this.#events.mayRetry(work, at)) {
      work.giveBack({ base: at, items: portion.items.slice(at - portion.base, at - portion.base + 1) });
      return;
    }
    const sentence = `The worker died while it ran item ${at}: ${why}.`;
    work.error(at, atIndex(verdict?.error ?? new WorkerDiedError("pool.worker-died", sentence), at));
  }
}

function nameOf({ call }: Work): string {
  return call.name === "" ? "the function" : call.name;
}

function refused(index: number, why: string): PawlError {
  return new PawlError(
    "pool.unsendable",
    `Item ${index} cannot be sent to a worker (${why}): pass plain data.`,
  );
}
