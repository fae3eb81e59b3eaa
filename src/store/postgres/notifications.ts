import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Topic } from "../sql/driver.ts";
import type { Address } from "./address.ts";
import { prepared } from "./connection.ts";
import { texts } from "./dialect.ts";
import { Listener } from "./listener.ts";
import type { TransactionRunner } from "./transaction-runner.ts";

/** How often a store looks whether there is news while it cannot be notified. */
const POLL_MS = 200;
/** How long notifications of results are gathered; those of work go out at once. */
const GATHER_MS = 25;

/** The counter that says to those who look that there was news. */
const COUNTER: Readonly<Record<Topic, string>> = { work: "wakeups", results: "settlements" };

/** Not flushed to disk: the claim that follows on the notification would wait for that as well. */
const NOTIFY = prepared(`
  SELECT set_config('synchronous_commit', 'off', true), pg_notify(n.channel, n.payload), nextval(n.counter::regclass)
  FROM unnest($1::text[], $2::text[], $3::text[]) AS n (channel, payload, counter)`);

/**
 * News among the stores of one database, as hints: what is told may come late, several may be one, and some may be
 * lost. They are sent after the commit and apart from it, because transactions that notify end one after another:
 * PostgreSQL keeps their notifications in the order of the commits, and would flush the log for each alone.
 */
export class Notifications {
  readonly #database: TransactionRunner;
  readonly #address: Address;
  /** Tells our own notifications from those of others. */
  readonly #self = randomUUID();
  readonly #listeners: Readonly<Record<Topic, Set<() => void>>> = { work: new Set(), results: new Set() };
  readonly #calling = new Set<Topic>();
  readonly #outgoing = new Set<Topic>();
  #sending: Promise<void> | undefined;
  #listener: Listener | undefined;
  #poll: NodeJS.Timeout | undefined;
  #looking = false;
  #hears = false;
  #seen: Partial<Record<Topic, number>> = {};
  readonly #closed = new AbortController();

  constructor(database: TransactionRunner, address: Address) {
    this.#database = database;
    this.#address = address;
  }

  listen(topic: Topic, listener: () => void): () => void {
    // An own function for each call: the same listener may be given twice.
    const entry = () => listener();
    this.#listeners[topic].add(entry);
    this.#attend();
    return () => {
      this.#listeners[topic].delete(entry);
      this.#attend();
    };
  }

  /** There is news that this store has made. */
  notify(topic: Topic): void {
    this.#callListeners(topic);
    if (this.#closed.signal.aborted) return;
    this.#outgoing.add(topic);
    this.#sending ??= this.#send();
  }

  /** The statement that tells others from within a transaction of the caller's, and its value. */
  static notice(schema: string): { sql: string; values: [string] } {
    return { sql: "SELECT pg_notify($1, '')", values: [channelOf(schema, "work")] };
  }

  /** What was told is on its way when this resolves. */
  async close(): Promise<void> {
    this.#closed.abort();
    clearInterval(this.#poll);
    const listener = this.#listener;
    this.#listener = undefined;
    await Promise.all([this.#sending, listener?.close()]);
  }

  /** Listeners of this process are called soon; much news in one turn of the event loop is one call. */
  #callListeners(topic: Topic): void {
    if (this.#calling.has(topic) || this.#listeners[topic].size === 0) return;
    this.#calling.add(topic);
    setImmediate(() => {
      this.#calling.delete(topic);
      for (const listener of this.#listeners[topic]) listener();
    });
  }

  async #send(): Promise<void> {
    while (this.#outgoing.size > 0) {
      if (!this.#outgoing.has("work")) {
        await sleep(GATHER_MS, undefined, { ref: false, signal: this.#closed.signal }).catch(() => {});
      }
      const topics = [...this.#outgoing];
      this.#outgoing.clear();
      await this.#sendNow(topics.map((topic) => [channelOf(this.#database.schema, topic), this.#self]));
    }
    this.#sending = undefined;
  }

  /** A notification that cannot be sent is lost: it is only a hint. */
  async #sendNow(notes: readonly (readonly [string, string])[]): Promise<void> {
    const counters = notes.map(([channel]) => (channel.endsWith("_work") ? COUNTER.work : COUNTER.results));
    await this.#database
      .tryOnce(async (connection) => {
        await connection.run(NOTIFY, [
          texts(notes.map(([channel]) => channel)),
          texts(notes.map(([, payload]) => payload)),
          texts(counters.map((counter) => `${this.#database.schema}.${counter}`)),
        ]);
      })
      .catch(() => {});
  }

  /** Listens while there are listeners, and looks while nothing can be heard. */
  #attend(): void {
    const wanted =
      this.#listeners.work.size + this.#listeners.results.size > 0 && !this.#closed.signal.aborted;
    if (wanted && this.#address.listen && this.#listener === undefined) {
      const topics: Topic[] = ["work", "results"];
      this.#listener = new Listener(
        this.#address,
        topics.map((topic) => channelOf(this.#database.schema, topic)),
        {
          heard: (channel, payload) => {
            if (payload !== this.#self && !payload.startsWith("probe")) {
              this.#callListeners(channel.endsWith("_work") ? "work" : "results");
            }
          },
          hears: (yes) => {
            // What happened while the connection was away is not told again.
            for (const topic of topics) this.#callListeners(topic);
            this.#hears = yes;
          },
          probe: (channel, payload) => this.#sendNow([[channel, payload]]),
        },
      );
    }
    if (wanted && this.#poll === undefined) {
      void this.#look();
      this.#poll = setInterval(() => void this.#look(), POLL_MS);
      this.#poll.unref();
    }
    if (wanted) return;
    clearInterval(this.#poll);
    this.#poll = undefined;
    this.#seen = {};
    this.#hears = false;
    void this.#listener?.close();
    this.#listener = undefined;
  }

  /** Calls the listeners if another store has counted on since the last look. */
  async #look(): Promise<void> {
    if (this.#hears || this.#looking) return;
    this.#looking = true;
    try {
      const row = await this.#database.tryOnce((connection) =>
        connection.get<{ work: number; results: number }>(
          `SELECT (SELECT last_value FROM pawl.wakeups) AS work, (SELECT last_value FROM pawl.settlements) AS results`,
        ),
      );
      if (row === undefined) return;
      for (const topic of ["work", "results"] as const) {
        const before = this.#seen[topic];
        this.#seen[topic] = row[topic];
        // At first it is not known what has been missed.
        if (before !== row[topic]) this.#callListeners(topic);
      }
    } catch {
      // A server that is not there just now: callers that wait poll as well.
    } finally {
      this.#looking = false;
    }
  }
}

function channelOf(schema: string, topic: Topic): string {
  return `${schema}_${topic}`;
}
