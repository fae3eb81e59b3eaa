import { PawlError } from "../../errors.ts";
import type { Address } from "./address.ts";
import { CommitMarkers } from "./commit-markers.ts";
import { Connections } from "./connections.ts";
import { retryTransient } from "./failure.ts";
import type { Session } from "./session.ts";
import { type Transaction, transact } from "./transaction.ts";

/** How long an operation is tried again while the server is away before it gives up. */
const RETRY_MS = 15_000;
const REPLY_MS = 60_000;

export interface DatabaseOptions {
  /** A connection that has not answered for so long is given up. */
  readonly replyMs?: number;
  readonly retryMs?: number;
}

/** A store's database, whose operations outlive the connections they run on. */
export class Database {
  readonly location: string;
  readonly schema: string;
  readonly #connections: Connections;
  readonly #retryMs: number;
  readonly #markers: CommitMarkers;
  readonly #running = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(address: Address, { replyMs = REPLY_MS, retryMs = RETRY_MS }: DatabaseOptions = {}) {
    this.location = address.location;
    this.schema = address.schema;
    this.#connections = new Connections(address, replyMs);
    this.#retryMs = retryMs;
    this.#markers = new CommitMarkers(address.location, this.#connections, retryMs);
  }

  /** Runs statements that may be run twice without harm, such as reads. */
  async read<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return await this.#retrying(() => this.#connections.use(work));
  }

  /** Runs statements that may as well be left: fails at once, and also while the store is being closed. */
  async tryOnce<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return await this.#connections.use(work);
  }

  /** Runs `work` in one transaction, exactly once: durable when the promise resolves. Rejecting means: nothing happened. */
  async write<T>(
    work: (transaction: Transaction) => Promise<T>,
    { mostlyIdle = false }: { readonly mostlyIdle?: boolean } = {},
  ): Promise<T> {
    const means = { connections: this.#connections, markers: this.#markers, location: this.location };
    return await this.#retrying(() => transact(means, work, mostlyIdle));
  }

  /** Waits for what was asked for, then closes the connections. Safe to call again. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      this.#markers.stop();
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

  async #retrying<T>(attempt: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) {
      throw new PawlError("store.closed", `The store ${this.location} is closed: open it again to use it.`);
    }
    const running = retryTransient(attempt, this.location, this.#retryMs);
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }
}
