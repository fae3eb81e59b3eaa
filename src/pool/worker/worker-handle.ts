import { PawlError } from "../../errors.ts";
import { LONGEST_TIMER_MS } from "../../timers.ts";
import { Relay } from "../actor/remote/relay.ts";
import type { ItemRange, WorkQueue } from "../calls/work-queue.ts";
import { TimeLimitError, WorkerDiedError } from "../errors.ts";
import type { PoolSettings } from "../options.ts";
import { reviveError } from "../transfer/remote-error.ts";
import { monotonicMs } from "./marker.ts";
import type { FromWorker, ResultsMessage, WorkerChannel, WorkerSetup } from "./protocol.ts";
import { SentChunk } from "./sent-chunk.ts";
import { startWorker } from "./start-worker.ts";
import { TimeLimitTimer } from "./time-limit.ts";

/** What a worker tells its pool. */
export interface WorkerEvents {
  /** The worker is ready for a chunk. */
  idle(worker: WorkerHandle): void;
  /** The worker is gone for good; what it held was given back. */
  gone(worker: WorkerHandle): void;
  /** A worker cannot begin: `init` threw, or does not end. */
  unready(worker: WorkerHandle, error: unknown): void;
}

export type WorkerState = "starting" | "idle" | "busy" | "closing" | "gone";

/** How long a worker that was asked to close may take. */
const CLOSE_MS = 1000;
/** How often it is checked whether an item that is to be ended has begun. */
const POLL_MS = 10;

/** One worker and the chunk it runs. */
export class WorkerHandle {
  state: WorkerState = "starting";
  readonly #settings: PoolSettings;
  readonly #events: WorkerEvents;
  readonly #channel: WorkerChannel;
  /** Makes the calls of actors that functions in the worker ask for. */
  readonly #relay: Relay;
  readonly #known = new Set<number>();
  readonly closed: Promise<void>;
  /** Whether it has never been ready for a chunk. */
  neverReady = true;
  /** Why it is gone, for people. */
  why = "";
  #chunk: SentChunk | null = null;
  /** Watches the time limit of the chunk's items. */
  #timer: TimeLimitTimer | null = null;
  /** Runs until the chunk's function is loaded. */
  #loading: NodeJS.Timeout | undefined;
  /** When its chunk was given to it, in milliseconds of `performance.now`. */
  #began = 0;
  readonly #watchdog = new Watchdog(
    () => this.#idleness(),
    () => this.#silent(),
  );
  /** When its chunk was given to it, in milliseconds of the clock that the worker shares. */
  #sent = 0;
  #tasks = 0;
  readonly #starting: NodeJS.Timeout | null = null;
  /** When it last became idle, in milliseconds of `performance.now`. */
  idleSince = 0;

  constructor(settings: PoolSettings, setup: WorkerSetup, events: WorkerEvents) {
    this.#settings = settings;
    this.#events = events;
    const { isolation, startTimeoutMs } = settings;
    this.#channel = startWorker(isolation, setup, settings, (message) => this.#hear(message));
    if (startTimeoutMs <= LONGEST_TIMER_MS)
      this.#starting = setTimeout(() => this.#tooLate(startTimeoutMs), startTimeoutMs);
    this.#relay = new Relay(isolation, (message) => this.#channel.post(message));
    this.closed = this.#channel.gone.then((why) => this.#over(why));
  }

  /** Items it may still be given. */
  get room(): number {
    return this.#settings.maxTasks - this.#tasks;
  }

  /** The worker has loaded the function. */
  knows({ call }: WorkQueue): boolean {
    const chunk = this.#chunk;
    return this.#known.has(call.number) && !(chunk?.loads && chunk.work.call === call);
  }

  /** Has an idle worker load the function, and be idle again. */
  load(work: WorkQueue): void {
    this.run(work, { base: 0, items: [] });
  }

  /** Gives a chunk to an idle worker. */
  run(work: WorkQueue, range: ItemRange): void {
    const { call } = work;
    const chunk = new SentChunk(work, range, !this.#known.has(call.number));
    this.state = "busy";
    this.#chunk = chunk;
    this.#channel.hold(true);
    this.#channel.marker.open(range.items.length);
    const { startTimeoutMs } = this.#settings;
    const { size } = chunk;
    this.#began = performance.now();
    this.#sent = monotonicMs();
    if (!this.#send(chunk)) return;
    this.#watchdog.start();
    call.cost.observeTransport(size, this.chunkMs);
    if (chunk.loads && startTimeoutMs <= LONGEST_TIMER_MS)
      this.#loading = setTimeout(() => this.#stillLoading(chunk, startTimeoutMs), startTimeoutMs);
    if (call.limit !== null) {
      this.#timer = new TimeLimitTimer(call.limit, {
        running: () => this.#channel.marker.read(),
        isAborted: (index) => chunk.isAborted(index),
        abort: (index, reason) => void this.abort(index, reason),
        kill: (index, hardMs) => {
          const sentence = `Item ${index} ran longer than ${hardMs} ms; its worker was ended.`;
          void this.kill(new TimeLimitError("pool.timeout", sentence), index);
        },
      });
    }
  }

  /** Whether this worker has the item, running or about to. */
  has(work: WorkQueue, index: number): boolean {
    return this.#chunk?.work === work && this.#chunk.awaits(index);
  }

  /** Items of its chunk that have not begun, behind one that has or will. */
  get behind(): number {
    const chunk = this.#chunk;
    return chunk === null || chunk.size < 2 ? 0 : chunk.size - Math.max(1, this.#channel.marker.begun + 1);
  }

  /** The work of its chunk. */
  get work(): WorkQueue | null {
    return this.#chunk?.work ?? null;
  }

  /** Milliseconds since its chunk was given to it. */
  get chunkMs(): number {
    return performance.now() - this.#began;
  }

  /** Milliseconds that the item has run which runs; or that a chunk waits to be begun. */
  get itemMs(): number {
    const mark = this.#channel.marker.read();
    return mark === null ? this.chunkMs : monotonicMs() - mark.since;
  }

  /** Gives the items back that have not begun, except for the first `least` of the chunk. */
  takeBack(least: number): void {
    this.#chunk?.takeBack(this.#channel.marker.limit(least));
  }

  /** Tells an item by its signal to stop. False when it had not begun: it is given back, and begins nowhere by itself. */
  abort(index: number, reason: string): boolean {
    const chunk = this.#chunk;
    if (!chunk?.awaits(index)) return false;
    if (this.#channel.marker.begun < chunk.positionOf(index)) this.takeBack(0);
    if (!chunk.awaits(index)) return false;
    this.#tell(chunk, index, reason);
    return true;
  }

  /** Tells the worker of an item to stop, or to pass it over. */
  #tell(chunk: SentChunk, index: number, reason: string): void {
    chunk.abort(index, reason);
    this.#channel.post({ type: "abort", id: chunk.id, index, reason });
  }

  /** Ends the worker as it runs this item. False when that had not begun: it is given back, and begins nowhere by itself. */
  killItem(index: number, error: Error): boolean {
    const chunk = this.#chunk;
    if (!chunk?.awaits(index)) return false;
    if (this.#channel.marker.begun < chunk.positionOf(index)) this.takeBack(0);
    if (!chunk.awaits(index)) return false;
    if (this.#channel.marker.read()?.index === index) {
      void this.kill(error, index);
      return true;
    }
    if (!chunk.isAborted(index)) this.#tell(chunk, index, error.message);
    // It is about to begin, or its result is on the way.
    setTimeout(() => {
      if (this.#chunk === chunk) this.killItem(index, error);
    }, POLL_MS);
    return true;
  }

  /** Leaves the rest of the chunk undone, when it is of this work. */
  cancel(work: WorkQueue, reason: string): void {
    const chunk = this.#chunk;
    if (chunk?.work !== work) return;
    this.takeBack(0);
    this.#channel.post({ type: "cancel", id: chunk.id, reason });
  }

  /** Ends the worker now. `error` is what becomes of the item at `index`, or of the one that runs. */
  async kill(error: Error, index: number | null = null): Promise<void> {
    this.#chunk?.blame(index, error);
    // It gets no further chunk, whatever messages still come from it.
    this.state = "closing";
    // The program must not end while this waits.
    this.#channel.hold(true);
    await this.#channel.kill();
  }

  /** Lets an idle worker end; one that does not is ended. */
  async close(): Promise<void> {
    if (this.state === "gone") return;
    this.state = "closing";
    this.#channel.hold(true);
    this.#channel.post({ type: "close" });
    const timer = setTimeout(() => void this.#channel.kill(), CLOSE_MS);
    await this.closed;
    clearTimeout(timer);
  }

  #send(chunk: SentChunk): boolean {
    const { isolation } = this.#settings;
    try {
      this.#channel.post(chunk.message(isolation));
      this.#known.add(chunk.work.call.number);
      return true;
    } catch (error) {
      this.#chunk = null;
      chunk.refuse(error, isolation);
      this.#becomeIdle();
      return false;
    }
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
    void this.#channel.kill();
  }

  #tooLate(ms: number): void {
    if (this.state !== "starting") return;
    const sentence = `A worker of the pool was not ready after ${ms} ms: let init end sooner, or give a longer startTimeout.`;
    this.#giveUp(new PawlError("pool.start-timeout", sentence));
  }

  #stillLoading(chunk: SentChunk, ms: number): void {
    // Each message and each mark shows that it has begun.
    if (chunk.hasResults || this.#channel.marker.read() !== null) return;
    const sentence = `A worker had not loaded ${chunk.name} after ${ms} ms: let its module load sooner, or give a longer startTimeout.`;
    const error = new PawlError("pool.start-timeout", sentence);
    chunk.work.fail(error);
    void this.kill(error);
  }

  /** How far a worker has come that has a chunk and seems to do nothing; null for one that does something. */
  #idleness(): string | null {
    const chunk = this.#chunk;
    if (chunk === null) {
      this.#watchdog.stop();
      return null;
    }
    const { marker } = this.#channel;
    if (marker.read() !== null) return null;
    const { begun } = marker;
    // It is loading the function, if it has received the chunk.
    if (chunk.loads && begun < 0 && marker.noted >= this.#sent) return null;
    return `${chunk.id} ${begun} ${chunk.next}`;
  }

  /** It does not answer any more. */
  #silent(): void {
    const chunk = this.#chunk;
    if (chunk === null || this.state === "closing") return;
    const { begun } = this.#channel.marker;
    if (begun >= 0) chunk.lose(chunk.indexAt(begun) + 1);
    void this.kill(new WorkerDiedError("pool.worker-died", "The worker did not answer any more."));
  }

  #deliver(results: ResultsMessage): void {
    const chunk = this.#chunk;
    if (chunk === null || chunk.id !== results.id) return;
    this.#tasks += results.values.length;
    chunk.deliver(results);
    if (chunk.lose(results.ended)) {
      void this.kill(new WorkerDiedError("pool.worker-died", "The worker lost results."));
      return;
    }
    if (!results.last) return;
    this.#end();
    chunk.giveBackRest();
    if (this.state === "closing") return;
    if (this.room <= 0 || results.full) void this.close();
    else this.#becomeIdle();
  }

  #becomeIdle(): void {
    if (this.#starting !== null) clearTimeout(this.#starting);
    this.state = "idle";
    this.neverReady = false;
    this.idleSince = performance.now();
    this.#channel.hold(false);
    this.#events.idle(this);
  }

  #end(): void {
    this.#timer?.stop();
    this.#timer = null;
    clearTimeout(this.#loading);
    this.#chunk = null;
  }

  /** The worker is gone: what it ran gets its error, what it had not run goes to others. */
  #over(why: string): void {
    this.state = "gone";
    this.#watchdog.stop();
    this.why = why;
    if (this.#starting !== null) clearTimeout(this.#starting);
    const chunk = this.#chunk;
    this.#end();
    chunk?.workerDied(this.#channel.marker.read()?.index ?? null, why);
    this.#channel.marker.close();
    this.#events.gone(this);
  }
}

/** How often a busy worker is looked at, and how often in a row it may be found to do nothing. */
const SILENCE_POLL_MS = 5_000;
const SILENT_POLLS = 4;

/**
 * Notices a worker that will never answer: one that neither runs anything nor says anything, because a function has
 * closed or spoiled its channel. Time alone proves nothing, since the whole machine may have stood still; but between two
 * checks this thread has received every message that had been sent.
 */
class Watchdog {
  readonly #state: () => string | null;
  readonly #silent: () => void;
  #timer: NodeJS.Timeout | undefined;
  #last: string | null = null;
  #polls = 0;

  /** `state` tells how far a worker has come that seems to do nothing; null for one that does something. */
  constructor(state: () => string | null, silent: () => void) {
    this.#state = state;
    this.#silent = silent;
  }

  /** Begins to check, if it does not yet. */
  start(): void {
    this.#timer ??= setInterval(() => this.#check(), SILENCE_POLL_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#last = null;
  }

  #check(): void {
    const state = this.#state();
    this.#polls = state !== null && state === this.#last ? this.#polls + 1 : 1;
    this.#last = state;
    if (state === null || this.#polls < SILENT_POLLS) return;
    this.stop();
    this.#silent();
  }
}
