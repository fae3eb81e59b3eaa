import { PawlError } from "../../errors.ts";
import type { Call } from "../call.ts";
import { type Isolation, pack, unpack } from "../portable.ts";
import type { Portion, Work } from "../work.ts";
import { type Host, startProcess, startThread, WorkerDiedError } from "./host.ts";
import { monotonicMs } from "./marker.ts";
import type { FromWorker, ResultsMessage, WorkerSetup } from "./protocol.ts";
import { atIndex, reviveError } from "./remote-error.ts";

export interface SlotOptions {
  readonly isolation: Isolation;
  readonly setup: WorkerSetup;
  /** Items after which the worker is replaced. */
  readonly maxTasks: number;
  /** Bytes above which the worker is replaced between two batches. */
  readonly maxMemory: number;
}

/** What a slot tells its pool. */
export interface SlotEvents {
  /** The worker is ready for a batch. */
  idle(slot: Slot): void;
  /** The worker is gone for good; what it held was given back. */
  gone(slot: Slot): void;
  /** A worker cannot begin: `init` threw. */
  unready(slot: Slot, error: unknown): void;
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
  /** Why the worker was ended on purpose, and which item is to blame. */
  verdict: { readonly index: number | null; readonly error: Error } | null;
  cancelled: boolean;
}

let batches = 0;

/** How long a worker that was asked to close may take. */
const CLOSE_MS = 1000;

/** One worker and the batch it runs. */
export class Slot {
  state: SlotState = "starting";
  readonly #options: SlotOptions;
  readonly #events: SlotEvents;
  readonly #host: Host;
  readonly #known = new Set<number>();
  readonly closed: Promise<void>;
  /** It ended before it could take a batch. */
  neverReady = true;
  /** Why it is gone, for people. */
  why = "";
  #running: Running | null = null;
  #tasks = 0;
  /** When it last became idle, in milliseconds of `performance.now`. */
  idleSince = 0;

  constructor(options: SlotOptions, events: SlotEvents) {
    this.#options = options;
    this.#events = events;
    const start = options.isolation === "thread" ? startThread : startProcess;
    this.#host = start(options.setup, (message) => this.#hear(message));
    this.closed = this.#host.gone.then((why) => this.#over(why));
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
      verdict: null,
      cancelled: false,
    };
    this.state = "busy";
    this.#running = running;
    this.#host.hold(true);
    const began = performance.now();
    if (!this.#send(call, running)) return;
    call.cost.observeTransport(portion.items.length, performance.now() - began);
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
  #unsendable({ work, portion }: Running, error: unknown): void {
    const at = portion.items.length === 1 ? 0 : portion.items.findIndex((item) => !this.#canSend(item));
    if (at === -1) {
      for (let i = 0; i < portion.items.length; i++) work.error(portion.base + i, error);
      return;
    }
    const why = error instanceof Error ? error.message : String(error);
    const known = error instanceof PawlError;
    const sentence = `Item ${portion.base + at} cannot be sent to a worker (${why}): pass plain data.`;
    work.error(
      portion.base + at,
      atIndex(
        known ? error : new PawlError("pool.unsendable", sentence, { cause: error }),
        portion.base + at,
      ),
    );
    work.giveBack({ base: portion.base, items: portion.items.slice(0, at) });
    work.giveBack({ base: portion.base + at + 1, items: portion.items.slice(at + 1) });
  }

  #canSend(item: unknown): boolean {
    try {
      structuredClone(pack(item, this.#options.isolation).value);
      return true;
    } catch {
      return false;
    }
  }

  #hear(message: FromWorker): void {
    switch (message.type) {
      case "ready":
        if (this.state === "starting") this.#becomeIdle();
        return;
      case "unready":
        this.state = "closing";
        this.neverReady = false;
        this.#events.unready(this, reviveError(message.error));
        void this.#host.kill();
        return;
      case "results":
        this.#deliver(message);
    }
  }

  #deliver({ id, from, values, packed, errors, spentMs, last, memory }: ResultsMessage): void {
    const running = this.#running;
    if (running === null || running.id !== id) return;
    const { work, aborted } = running;
    const failed = new Map(errors);
    work.call.cost.observe(values.length, spentMs);
    this.#tasks += values.length;
    running.next = from + values.length;
    for (let at = 0; at < values.length; at++) {
      const index = from + at;
      const error = failed.get(at);
      if (error !== undefined) work.error(index, atIndex(reviveError(error), index));
      else if (aborted.size > 0 && aborted.has(index) && values[at] === undefined) {
        work.error(index, atIndex(new DOMException(aborted.get(index), "AbortError"), index));
      } else work.value(index, packed ? unpack(values[at]) : values[at]);
    }
    if (!last) return;
    this.#end(running);
    this.#giveBackRest(running, running.next);
    if (this.state === "closing") return;
    const { maxTasks, maxMemory } = this.#options;
    if (this.#tasks >= maxTasks || memory > maxMemory) void this.close();
    else this.#becomeIdle();
  }

  #becomeIdle(): void {
    this.state = "idle";
    this.neverReady = false;
    this.idleSince = performance.now();
    this.#host.hold(false);
    this.#events.idle(this);
  }

  #end(running: Running): void {
    if (running.timer !== null) clearTimeout(running.timer);
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
          return this.#watch(running, Math.max(1, limit.hard - spent));
        }
        const sentence = `Item ${mark.index} ran longer than ${limit.hard} ms; its worker was ended.`;
        void this.kill(new TimeLimitError("pool.timeout", sentence), mark.index);
      },
      Math.max(1, ms),
    );
  }

  /** The worker is gone: what it ran gets its error, what it had not run goes to others. */
  #over(why: string): void {
    this.state = "gone";
    this.why = why;
    const running = this.#running;
    if (running !== null) this.#bury(running, why);
    this.#host.marker.close();
    this.#events.gone(this);
  }

  #bury(running: Running, why: string): void {
    this.#end(running);
    const { work, portion, verdict } = running;
    const end = portion.base + portion.items.length;
    const mark = this.#host.marker.read();
    const at = Math.max(verdict?.index ?? mark?.index ?? running.next, running.next);
    if (at >= end) return;
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

/** An item ran longer than its hard limit. */
export class TimeLimitError extends PawlError {
  override readonly name = "TimeLimitError";
}
