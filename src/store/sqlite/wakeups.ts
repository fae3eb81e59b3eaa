import type { Connection } from "./connection.ts";

/** How often a store with listeners looks whether another process wrote. */
const POLL_MS = 75;

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
 * commit; only then is the counter read, because most commits wake nobody.
 */
export class Wakeups {
  readonly #db: Connection;
  readonly #claimable = new Ring();
  readonly #settled = new Ring();
  #timer: NodeJS.Timeout | undefined;
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
    this.#timer = undefined;
  }

  #add(ring: Ring, listener: () => void): () => void {
    // An own function for each call: the same listener may be given twice.
    const entry = () => listener();
    ring.listeners.add(entry);
    if (this.#timer === undefined) {
      this.#look();
      this.#timer = setInterval(() => this.#look(), POLL_MS);
      this.#timer.unref();
    }
    return () => {
      ring.listeners.delete(entry);
      if (this.#claimable.listeners.size + this.#settled.listeners.size === 0) this.close();
    };
  }

  /** Rings if another connection has written since the last look. */
  #look(): void {
    try {
      const version = this.#db.get<{ data_version: number }>("PRAGMA data_version")?.data_version;
      if (version === this.#version) return;
      const count = this.#db.get<{ value: number }>(
        "SELECT value FROM counter WHERE name = 'wakeups'",
      )?.value;
      this.ring({ claimable: count !== this.#count, settled: true });
      this.#version = version;
      this.#count = count;
    } catch {
      // A file that cannot be read just now: whoever waits has its own safety net.
    }
  }
}
