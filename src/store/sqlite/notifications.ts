import { type FSWatcher, watch } from "node:fs";
import type { Topic } from "../sql/driver.ts";
import { Listeners } from "../sql/listeners.ts";
import type { Connection } from "./connection.ts";

/** How often a store with listeners polls for what other processes wrote, in case the file system does not notify it. */
const POLL_MS = 75;

/**
 * The file system notifies of a write to the log before other processes can see the commit, which they can once the disk has it. So the store
 * polls several times: with the shortest pause for as long as a disk usually takes, then with pauses that double.
 */
const SHORTEST_PAUSE_MS = 1;
const POLLS_AT_SHORTEST_PAUSE = 12;
const LONGEST_PAUSE_MS = 32;

/**
 * Calls listeners when tasks may have become claimable or were settled: at once when this store did it, and soon
 * when another connection did. `PRAGMA data_version` costs next to nothing and changes with every commit of another connection; only then is
 * the counter of wake-ups read, because most commits make nothing claimable. The file system notifies when it is worth polling.
 */
export class Notifications {
  readonly #db: Connection;
  readonly #listeners = new Listeners();
  #timer: NodeJS.Timeout | undefined;
  #watcher: FSWatcher | undefined;
  #next: NodeJS.Timeout | undefined;
  #pause = SHORTEST_PAUSE_MS;
  #polls = 0;
  #version: number | undefined;
  #count: number | undefined;

  constructor(db: Connection) {
    this.#db = db;
  }

  /** Calls the listeners after a commit of this store. */
  notify(topic: Topic): void {
    this.#listeners.call(topic);
  }

  listen(topic: Topic, listener: () => void): () => void {
    const remove = this.#listeners.add(topic, listener);
    if (this.#timer === undefined) {
      this.#poll();
      this.#timer = setInterval(() => this.#poll(), POLL_MS);
      this.#timer.unref();
      this.#watch();
    }
    return () => {
      remove();
      if (this.#listeners.isEmpty) this.close();
    };
  }

  close(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#next);
    this.#watcher?.close();
    this.#timer = undefined;
    this.#next = undefined;
    this.#watcher = undefined;
  }

  #watch(): void {
    try {
      this.#watcher = watch(`${this.#db.location}-wal`, { persistent: false }, () => {
        // One commit is several notifications.
        if (this.#next !== undefined) return;
        this.#pause = SHORTEST_PAUSE_MS;
        this.#polls = 0;
        this.#next = this.#pollSoon();
      });
      // Without the file system's notifications the timer remains.
      this.#watcher.on("error", () => this.#watcher?.close());
    } catch {
      // This file system cannot notify, or has too many watchers already: the timer remains.
    }
  }

  #pollSoon(): NodeJS.Timeout {
    const poll = () => {
      if (++this.#polls >= POLLS_AT_SHORTEST_PAUSE) this.#pause *= 2;
      const found = this.#poll();
      this.#next = found || this.#pause > LONGEST_PAUSE_MS ? undefined : this.#pollSoon();
    };
    return setTimeout(poll, this.#pause).unref();
  }

  /** Calls the listeners if another connection has written since the last poll; returns whether it has. */
  #poll(): boolean {
    try {
      const version = this.#db.get<{ data_version: number }>("PRAGMA data_version")?.data_version;
      if (version === this.#version) return false;
      const count = this.#db.get<{ value: number }>(
        "SELECT value FROM counter WHERE name = 'wakeups'",
      )?.value;
      if (count !== this.#count) this.notify("work");
      this.notify("results");
      this.#version = version;
      this.#count = count;
      return true;
    } catch {
      // The file cannot be read just now. Callers that wait poll as well.
      return false;
    }
  }
}
