import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Topic } from "../sql/driver.ts";
import { Listeners } from "../sql/listeners.ts";
import type { Address } from "./address.ts";
import { prepared } from "./connection.ts";
import { texts } from "./dialect.ts";
import { Listener } from "./listener.ts";
import type { TransactionRunner } from "./transaction-runner.ts";

/** How often a store with listeners polls while it cannot be notified. */
const POLL_MS = 200;
/** How long notifications of results are gathered; those of work go out at once. */
const GATHER_MS = 25;

/** The sequence that counts notifications, for stores that poll. */
const COUNTER: Readonly<Record<Topic, string>> = { work: "wakeups", results: "settlements" };

/** Not flushed to disk: a claim that follows the notification would wait for that as well. */
const NOTIFY = prepared(`
  SELECT set_config('synchronous_commit', 'off', true), pg_notify(n.channel, n.payload), nextval(n.counter::regclass)
  FROM unnest($1::text[], $2::text[], $3::text[]) AS n (channel, payload, counter)`);

/**
 * Notifications among the stores of one database: one may come late, stand for several, or be lost. They are sent after
 * the commit and apart from it, because transactions that notify end one after another: PostgreSQL keeps their
 * notifications in the order of the commits, and would flush the log for each alone.
 */
export class Notifications {
  readonly #database: TransactionRunner;
  readonly #address: Address;
  /** Tells our own notifications from those of others. */
  readonly #self = randomUUID();
  readonly #listeners = new Listeners();
  readonly #outgoing = new Set<Topic>();
  #sending: Promise<void> | undefined;
  #listener: Listener | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isPolling = false;
  /** Whether notifications arrive, so that polling is not needed. */
  #isNotified = false;
  #seen: Partial<Record<Topic, number>> = {};
  readonly #closed = new AbortController();

  constructor(database: TransactionRunner, address: Address) {
    this.#database = database;
    this.#address = address;
  }

  listen(topic: Topic, listener: () => void): () => void {
    const remove = this.#listeners.add(topic, listener);
    this.#startOrStop();
    return () => {
      remove();
      this.#startOrStop();
    };
  }

  /** Calls the listeners after a commit of this store, and notifies other stores. */
  notify(topic: Topic): void {
    this.#listeners.call(topic);
    if (this.#closed.signal.aborted) return;
    this.#outgoing.add(topic);
    this.#sending ??= this.#send();
  }

  /** The statement that notifies other stores when a transaction of the caller's commits, and its value. */
  static statementIn(schema: string): { sql: string; values: [string] } {
    return { sql: "SELECT pg_notify($1, '')", values: [channelOf(schema, "work")] };
  }

  /** Resolves when the notifications that are being sent have been sent. */
  async close(): Promise<void> {
    this.#closed.abort();
    clearInterval(this.#timer);
    const listener = this.#listener;
    this.#listener = undefined;
    await Promise.all([this.#sending, listener?.close()]);
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

  /** A notification that cannot be sent is lost: callers that wait poll as well. */
  async #sendNow(notifications: readonly (readonly [string, string])[]): Promise<void> {
    const counters = notifications.map(([channel]) =>
      channel.endsWith("_work") ? COUNTER.work : COUNTER.results,
    );
    await this.#database
      .tryOnce(async (connection) => {
        await connection.run(NOTIFY, [
          texts(notifications.map(([channel]) => channel)),
          texts(notifications.map(([, payload]) => payload)),
          texts(counters.map((counter) => `${this.#database.schema}.${counter}`)),
        ]);
      })
      .catch(() => {});
  }

  /** Listens to the database while there are listeners, and polls while notifications do not arrive. */
  #startOrStop(): void {
    const wanted = !this.#listeners.isEmpty && !this.#closed.signal.aborted;
    if (wanted && this.#address.listen && this.#listener === undefined) {
      const topics: Topic[] = ["work", "results"];
      this.#listener = new Listener(
        this.#address,
        topics.map((topic) => channelOf(this.#database.schema, topic)),
        {
          onNotification: (channel, payload) => {
            if (payload !== this.#self && !payload.startsWith("probe")) {
              this.#listeners.call(channel.endsWith("_work") ? "work" : "results");
            }
          },
          onReliable: (yes) => {
            // PostgreSQL does not repeat the notifications of the time without a connection.
            for (const topic of topics) this.#listeners.call(topic);
            this.#isNotified = yes;
          },
          probe: (channel, payload) => this.#sendNow([[channel, payload]]),
        },
      );
    }
    if (wanted && this.#timer === undefined) {
      void this.#poll();
      this.#timer = setInterval(() => void this.#poll(), POLL_MS);
      this.#timer.unref();
    }
    if (wanted) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#seen = {};
    this.#isNotified = false;
    void this.#listener?.close();
    this.#listener = undefined;
  }

  /** Calls the listeners if another store has notified since the last poll. */
  async #poll(): Promise<void> {
    if (this.#isNotified || this.#isPolling) return;
    this.#isPolling = true;
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
        // The first poll calls the listeners as well: nothing is known of what happened before.
        if (before !== row[topic]) this.#listeners.call(topic);
      }
    } catch {
      // The server cannot be reached just now. Callers that wait poll as well.
    } finally {
      this.#isPolling = false;
    }
  }
}

function channelOf(schema: string, topic: Topic): string {
  return `${schema}_${topic}`;
}
