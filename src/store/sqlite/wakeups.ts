import type { Connection } from "./connection.ts";

/** How often a store with listeners looks whether another process wrote. */
const POLL_MS = 75;

/** Notes, in the transaction that does it, that tasks may have become claimable. */
export function noteWakeup(db: Connection): void {
  db.run("UPDATE counter SET value = value + 1 WHERE name = 'wakeups'");
}

/**
 * Tells listeners when tasks may have become claimable: at once when this store did it, and within a moment when
 * another connection did. `PRAGMA data_version` costs next to nothing and changes with every foreign commit; only
 * then is the counter read, because most commits wake nobody.
 */
export class Wakeups {
  readonly #db: Connection;
  readonly #listeners = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;
  #version: number | undefined;
  #count: number | undefined;
  #ringing = false;

  constructor(db: Connection) {
    this.#db = db;
  }

  listen(listener: () => void): () => void {
    // An own function for each call: the same listener may be given twice.
    const entry = () => listener();
    this.#listeners.add(entry);
    if (this.#timer === undefined) {
      this.#look();
      this.#timer = setInterval(() => this.#look() && this.ring(), POLL_MS);
      this.#timer.unref();
    }
    return () => {
      this.#listeners.delete(entry);
      if (this.#listeners.size === 0) this.close();
    };
  }

  /** Calls the listeners soon; many rings in one turn of the event loop are one call. */
  ring(): void {
    if (this.#ringing || this.#listeners.size === 0) return;
    this.#ringing = true;
    setImmediate(() => {
      this.#ringing = false;
      for (const listener of this.#listeners) listener();
    });
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Whether the counter has moved since the last look. */
  #look(): boolean {
    try {
      const version = this.#db.get<{ data_version: number }>("PRAGMA data_version")?.data_version;
      if (version === this.#version) return false;
      const count = this.#db.get<{ value: number }>(
        "SELECT value FROM counter WHERE name = 'wakeups'",
      )?.value;
      const moved = count !== this.#count;
      this.#version = version;
      this.#count = count;
      return moved;
    } catch {
      // A file that cannot be read just now: whoever waits has its own safety net.
      return false;
    }
  }
}
