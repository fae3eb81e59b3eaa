import { errorReason } from "../../../error-text.ts";
import { PawlError } from "../../../errors.ts";
import { LONGEST_TIMER_MS } from "../../../timers.ts";
import { reviveError } from "../../transfer/remote-error.ts";
import type { WorkerChannel } from "../../worker/protocol.ts";
import { startWorker } from "../../worker/start-worker.ts";
import type { ActorSettings } from "../options.ts";
import type { ActorResults, ActorSetup, FromActor, ToActor } from "../protocol.ts";
import { Relay } from "../remote/relay.ts";

/** What an actor's worker tells. */
export interface ActorWorkerEvents {
  /** The object is made. */
  ready(methods: readonly string[]): void;
  /** It begins a watched call. */
  began(seq: number): void;
  results(results: ActorResults): void;
  /** The object has ended what it held; null, or what that threw. */
  closed(error: unknown): void;
  /** It is gone for good; the last. */
  gone(end: WorkerEnd): void;
}

export interface WorkerEnd {
  /** For people. */
  readonly why: string;
  /** The number of the last call that it began; -1 for none. */
  readonly begun: number;
  /** Why it could not begin, where that was it. */
  readonly fault: unknown;
}

/** A worker of an actor, from its start to its end. */
export class ActorWorker {
  readonly #channel: WorkerChannel<ToActor>;
  /** Makes the calls of other actors that this one asks for. */
  readonly #relay: Relay;
  readonly #events: ActorWorkerEvents;
  /** Until it is ready. */
  readonly #starting: NodeJS.Timeout | undefined;
  #fault: unknown;
  /** Why it is ended, where that was not asked for. */
  #why: string | undefined;
  #hasResults = false;
  #held = true;
  #gone = false;

  /** Throws where it cannot be started. */
  constructor(setup: ActorSetup, settings: ActorSettings, events: ActorWorkerEvents) {
    const { isolation, maxHeap, startTimeoutMs } = settings;
    this.#events = events;
    this.#channel = startWorker<ToActor, FromActor>(
      isolation,
      setup,
      { maxHeap, youngHeap: null },
      (message) => this.#hear(message),
    );
    this.#relay = new Relay(isolation, (message) => this.#channel.post(message));
    if (startTimeoutMs <= LONGEST_TIMER_MS) {
      this.#starting = setTimeout(() => this.#tooLate(setup.actor.name, startTimeoutMs), startTimeoutMs);
    }
    void this.#channel.gone.then((why) => this.#end(why));
  }

  /** Throws DataCloneError when the message cannot be cloned; then nothing was sent. */
  post(message: ToActor): void {
    this.#channel.post(message);
  }

  /** Whether it keeps the program from ending; at first it does. */
  hold(held: boolean): void {
    if (held === this.#held) return;
    this.#held = held;
    this.#channel.hold(held);
  }

  /** Ends it now, whatever it does; resolves when it is gone. */
  async kill(): Promise<void> {
    await this.#channel.kill();
  }

  #hear(message: FromActor): void {
    if (this.#gone) return;
    switch (message.type) {
      case "ready":
        clearTimeout(this.#starting);
        this.#events.ready(message.methods);
        return;
      case "unready":
        this.#fail(reviveError(message.error));
        return;
      case "began":
        this.#events.began(message.seq);
        return;
      case "results":
        this.#hasResults = true;
        this.#events.results(message);
        return;
      case "spoiled":
        this.#why = errorReason(reviveError(message.error));
        void this.#channel.kill();
        return;
      case "closed":
        this.#events.closed(message.error === null ? null : reviveError(message.error));
        return;
      case "ask":
      case "ask-abort":
        this.#relay.take(message);
    }
  }

  #tooLate(name: string, ms: number): void {
    const sentence = `The actor ${name} was not ready after ${ms} ms: let its constructor end sooner, or give a longer startTimeout.`;
    this.#fail(new PawlError("pool.start-timeout", sentence));
  }

  /** It cannot begin, whatever it does. */
  #fail(error: unknown): void {
    this.#fault = error;
    void this.#channel.kill();
  }

  #end(why: string): void {
    this.#gone = true;
    clearTimeout(this.#starting);
    // Where the mark cannot be read, any call after the first may have begun, and none of them must run twice.
    const unread = this.#hasResults ? Number.POSITIVE_INFINITY : -1;
    const begun = this.#channel.marker.read()?.index ?? unread;
    this.#channel.marker.close();
    this.#events.gone({ why: this.#why ?? why, begun, fault: this.#fault });
  }
}
