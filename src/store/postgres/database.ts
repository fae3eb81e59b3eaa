import { PawlError } from "../../errors.ts";
import type { Address } from "./address.ts";
import { Connections } from "./connections.ts";
import { Marks } from "./marks.ts";
import { Patience } from "./patience.ts";
import type { Session } from "./session.ts";
import { type Transaction, transact } from "./transaction.ts";

/** How long an operation waits for a server that does not answer or is not there before it gives up. */
const PATIENCE_MS = 15_000;
const REPLY_MS = 60_000;

export interface DatabaseOptions {
  /** A connection that has not answered for so long is given up. */
  readonly replyMs?: number;
  readonly patienceMs?: number;
}

/** A store's database, whose operations outlive the connections they run on. */
export class Database {
  readonly location: string;
  readonly schema: string;
  readonly #connections: Connections;
  readonly #patience: Patience;
  readonly #marks: Marks;
  readonly #running = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(address: Address, { replyMs = REPLY_MS, patienceMs = PATIENCE_MS }: DatabaseOptions = {}) {
    this.location = address.location;
    this.schema = address.schema;
    this.#connections = new Connections(address, replyMs);
    this.#patience = new Patience(address.location, patienceMs);
    this.#marks = new Marks(address.location, this.#connections, this.#patience);
  }

  /** Runs statements that may be run twice without harm, such as reads. */
  async read<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return await this.#patiently(() => this.#connections.use(work));
  }

  /** Runs statements that may as well be left: fails at once, and also while the store is being closed. */
  async hint<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return await this.#connections.use(work);
  }

  /** Runs `work` in one transaction, exactly once: durable when the promise resolves. Rejecting means: nothing happened. */
  async write<T>(
    work: (transaction: Transaction) => Promise<T>,
    { mostlyIdle = false }: { readonly mostlyIdle?: boolean } = {},
  ): Promise<T> {
    const means = { connections: this.#connections, marks: this.#marks, location: this.location };
    return await this.#patiently(() => transact(means, work, mostlyIdle));
  }

  /** Waits for what was asked for, then closes the connections. Safe to call again. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      this.#marks.stop();
      // Idle connections keep no process alive, but whoever closes them wants to see them closed.
      const alive = setInterval(() => {}, 1_000);
      try {
        while (this.#running.size > 0) await Promise.allSettled(this.#running);
        await this.#connections.close();
      } finally {
        clearInterval(alive);
      }
    })();
    return this.#closing;
  }

  async #patiently<T>(attempt: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) {
      throw new PawlError("store.closed", `The store ${this.location} is closed: open it again to use it.`);
    }
    const running = this.#patience.insist(attempt);
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }
}
