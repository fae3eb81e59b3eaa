import { type FSWatcher, watch } from "node:fs";
import type { Topic } from "../sql/driver.ts";
import type { Connection } from "./connection.ts";

/** How often a store with listeners looks whether another process wrote, in case the file system does not tell. */
const POLL_MS = 75;

/**
 * A write to the log tells of a commit before others can see it, which they can once the disk has it. So it is looked
 * for again and again: for as long as a disk may well take at the shortest pause, then after twice the time each.
 */
const SHORTEST_PAUSE_MS = 1;
const CLOSE_LOOKS = 12;
const LONGEST_PAUSE_MS = 32;

/** Calls listeners soon; much news in one turn of the event loop is one call. */
class Listeners {
  readonly listeners = new Set<() => void>();
  #isCalling = false;

  call(): void {
    if (this.#isCalling || this.listeners.size === 0) return;
    this.#isCalling = true;
    setImmediate(() => {
      this.#isCalling = false;
      for (const listener of this.listeners) listener();
    });
  }
}

/**
 * Tells listeners when tasks may have become claimable or were settled: at once when this store did it, and within a
 * moment when another connection did. `PRAGMA data_version` costs next to nothing and changes with every foreign
 * commit; only then is the counter read, because most commits make nothing claimable. The file system says when to look.
 */
export class Notifications {
  readonly #db: Connection;
  readonly #listeners: Readonly<Record<Topic, Listeners>> = {
    work: new Listeners(),
    results: new Listeners(),
  };
  #timer: NodeJS.Timeout | undefined;
  #watcher: FSWatcher | undefined;
  #next: NodeJS.Timeout | undefined;
  #pause = SHORTEST_PAUSE_MS;
  #looks = 0;
  #version: number | undefined;
  #count: number | undefined;

  constructor(db: Connection) {
    this.#db = db;
  }

  /** There is news that this store has made. */
  notify(topic: Topic): void {
    this.#listeners[topic].call();
  }

  listen(topic: Topic, listener: () => void): () => void {
    const { listeners } = this.#listeners[topic];
    // A function of its own for each call: the same listener may be given twice.
    const entry = () => listener();
    listeners.add(entry);
    if (this.#timer === undefined) {
      this.#look();
      this.#timer = setInterval(() => this.#look(), POLL_MS);
      this.#timer.unref();
      this.#watch();
    }
    return () => {
      listeners.delete(entry);
      const { work, results } = this.#listeners;
      if (work.listeners.size + results.listeners.size === 0) this.close();
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
        // Of one commit much is told.
        if (this.#next !== undefined) return;
        this.#pause = SHORTEST_PAUSE_MS;
        this.#looks = 0;
        this.#next = this.#lookSoon();
      });
      // Of a file system that tells nothing any more, nothing is heard.
      this.#watcher.on("error", () => this.#watcher?.close());
    } catch {
      // This one cannot tell, or has told too many already: then there is the timer.
    }
  }

  #lookSoon(): NodeJS.Timeout {
    const look = () => {
      if (++this.#looks >= CLOSE_LOOKS) this.#pause *= 2;
      const seen = this.#look();
      this.#next = seen || this.#pause > LONGEST_PAUSE_MS ? undefined : this.#lookSoon();
    };
    return setTimeout(look, this.#pause).unref();
  }

  /** Calls the listeners if another connection has written since the last look, and says whether. */
  #look(): boolean {
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
      // A file that cannot be read just now: callers that wait poll as well.
      return false;
    }
  }
}
