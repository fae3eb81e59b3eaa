import { type FSWatcher, watch } from "node:fs";
import type { Connection } from "./connection.ts";

/** How often a store with listeners looks whether another process wrote, should the file system not tell. */
const POLL_MS = 75;

/**
 * A write to the log tells of a commit before others can see it, which they can once the disk has it. So it is looked
 * for again and again: for as long as a disk may well take at the shortest pause, then after twice the time each.
 */
const SHORTEST_PAUSE_MS = 1;
const CLOSE_LOOKS = 12;
const LONGEST_PAUSE_MS = 32;

/** Notes, in the transaction that does it, that tasks may have become claimable. */
export function noteWakeup(db: Connection): void {
  db.run("UPDATE counter SET value = value + 1 WHERE name = 'wakeups'");
}

/** Calls listeners soon; many rings in one turn of the event loop are one call. */
class Ring {
  readonly listeners = new Set<() => void>();
  #ringing = false;

  ring(): void {
    if (this.#ringing || this.listeners.size === 0) return;
    this.#ringing = true;
    setImmediate(() => {
      this.#ringing = false;
      for (const listener of this.listeners) listener();
    });
  }
}

/**
 * Tells listeners when tasks may have become claimable or were settled: at once when this store did it, and within a
 * moment when another connection did. `PRAGMA data_version` costs next to nothing and changes with every foreign
 * commit; only then is the counter read, because most commits wake nobody. When to look says the file system.
 */
export class Wakeups {
  readonly #db: Connection;
  readonly #claimable = new Ring();
  readonly #settled = new Ring();
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

  /** Listens for tasks that may be claimed. */
  listen(listener: () => void): () => void {
    return this.#add(this.#claimable, listener);
  }

  /** Listens for tasks that are settled or make progress. */
  listenSettled(listener: () => void): () => void {
    return this.#add(this.#settled, listener);
  }

  /** This store did something. */
  ring(what: { readonly claimable: boolean; readonly settled: boolean }): void {
    if (what.claimable) this.#claimable.ring();
    if (what.settled) this.#settled.ring();
  }

  close(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#next);
    this.#watcher?.close();
    this.#timer = undefined;
    this.#next = undefined;
    this.#watcher = undefined;
  }

  #add(ring: Ring, listener: () => void): () => void {
    // An own function for each call: the same listener may be given twice.
    const entry = () => listener();
    ring.listeners.add(entry);
    if (this.#timer === undefined) {
      this.#look();
      this.#timer = setInterval(() => this.#look(), POLL_MS);
      this.#timer.unref();
      this.#watch();
    }
    return () => {
      ring.listeners.delete(entry);
      if (this.#claimable.listeners.size + this.#settled.listeners.size === 0) this.close();
    };
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

  /** Rings if another connection has written since the last look, and says whether. */
  #look(): boolean {
    try {
      const version = this.#db.get<{ data_version: number }>("PRAGMA data_version")?.data_version;
      if (version === this.#version) return false;
      const count = this.#db.get<{ value: number }>(
        "SELECT value FROM counter WHERE name = 'wakeups'",
      )?.value;
      this.ring({ claimable: count !== this.#count, settled: true });
      this.#version = version;
      this.#count = count;
      return true;
    } catch {
      // A file that cannot be read just now: whoever waits has its own safety net.
      return false;
    }
  }
}
