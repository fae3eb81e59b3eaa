import { sqlState } from "../../postgres-errors.ts";
import { storeClosed } from "../sql/errors.ts";
import type { Address } from "./address.ts";
import { type CommitMarker, CommitMarkers, MARK_WRITTEN, MARKER } from "./commit-markers.ts";
import { type Connection, prepared } from "./connection.ts";
import { ConnectionPool, type Loan } from "./connection-pool.ts";
import { isDisconnect, retryTransient } from "./errors.ts";
import { assertKnown } from "./schema.ts";

/** How long an operation is tried again while the server cannot be reached. */
const RETRY_MS = 15_000;

/** After so long without an answer a connection is closed. */
const REPLY_MS = 60_000;

export interface TransactionRunnerOptions {
  /** A connection that has not answered for so long is closed. */
  readonly replyMs?: number;
  /** How long an operation is tried again while the server cannot be reached. */
  readonly retryMs?: number;
}

/** Runs reads and transactions on the store's database, and tries them again when a connection breaks or the server is away. */
export class TransactionRunner {
  readonly location: string;
  readonly schema: string;
  readonly #connections: ConnectionPool;
  readonly #retryMs: number;
  readonly #markers: CommitMarkers;
  readonly #running = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(address: Address, { replyMs = REPLY_MS, retryMs = RETRY_MS }: TransactionRunnerOptions = {}) {
    this.location = address.location;
    this.schema = address.schema;
    this.#connections = new ConnectionPool(address, replyMs);
    this.#retryMs = retryMs;
    this.#markers = new CommitMarkers(address.location, this.#connections, retryMs);
  }

  /** Runs statements that may be run twice without harm, such as reads. */
  async read<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    return await this.#retrying(() => this.#connections.use(work));
  }

  /** Runs statements that need not succeed: not tried again, and run also while the store is being closed. */
  async tryOnce<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    return await this.#connections.use(work);
  }

  /** Runs `work` in one transaction, exactly once: durable when the promise resolves. Rejecting means: nothing happened. */
  async write<T>(
    work: (transaction: Transaction) => Promise<T>,
    { mayWriteNothing = false }: { readonly mayWriteNothing?: boolean } = {},
  ): Promise<T> {
    return await this.#retrying(() => this.#transact(work, mayWriteNothing));
  }

  /** Waits for what was asked for, then closes the connections. Safe to call again. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      this.#markers.stop();
      // Idle connections keep no process alive, but a caller that closes the store wants to see them closed.
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

  /**
   * Runs `work` in one transaction. Resolves when it is committed, which is asked for should the reply be lost; rejecting
   * means that nothing happened. Work that may write nothing leaves a marker only if it wrote.
   */
  async #transact<T>(work: (transaction: Transaction) => Promise<T>, mayWriteNothing: boolean): Promise<T> {
    const loan = await this.#connections.lend();
    const { connection } = loan;
    let ended: { readonly result: T; readonly marker: CommitMarker | null } | undefined;
    const since = performance.now();
    let marker: Promise<CommitMarker | null> | undefined;
    try {
      connection.later(BEGIN_WORK);
      const begun = connection
        .get<Begun>(mayWriteNothing ? BEGUN_UNMARKED : BEGUN)
        .then((row) => row as Begun);
      marker = awaitedLater(begun.then((row) => (row.xid === null ? null : row)));
      const recording = awaitedLater(begun.then((row) => row.recording));
      let isMarked = false;
      const leaveMarker = () => {
        isMarked = true;
        marker = awaitedLater(connection.get<CommitMarker>(MARK_WRITTEN).then((row) => row ?? null));
      };
      const result = await work({ connection, recording, leaveMarker });
      if (mayWriteNothing && !isMarked) leaveMarker();
      assertKnown(this.location, (await begun).min_compatible_version);
      ended = { result, marker: await marker };
      const [committed] = await Promise.all([connection.script("COMMIT"), connection.settled()]);
      if (committed[0]?.command !== "COMMIT") throw new Error("The transaction was rolled back.");
      loan.answeredBy((await begun).pid);
      loan.giveBack(true);
      if (ended.marker !== null) this.#markers.left();
      return result;
    } catch (thrown) {
      // What went wrong first; the rest of a transaction only says that something did.
      const error = sqlState(thrown) === "25P02" ? connection.failure : thrown;
      await rollBack(loan, error);
      if (!isDisconnect(error)) throw error;
      if (ended === undefined) {
        const left = await marker?.catch(() => null);
        if (left) void this.#markers.abandon(left.xid);
        throw error;
      }
      // Without a marker nothing was written.
      if (ended.marker !== null && !(await this.#markers.isCommitted(ended.marker, since))) throw error;
      return ended.result;
    }
  }

  async #retrying<T>(attempt: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) {
      throw storeClosed(this.location);
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

/** A transaction, and what was read as it began. */
export interface Transaction {
  readonly connection: Connection;
  /** Whether changes of tasks are to be kept. */
  readonly recording: Promise<boolean>;
  /**
   * Of work that may write nothing: marks the transaction, along with the statement that was just sent, if that wrote
   * anything. Without it that takes a message of its own at the end.
   */
  readonly leaveMarker: () => void;
}

type Begun = {
  readonly recording: boolean;
  readonly pid: number;
  readonly min_compatible_version: number;
} & (CommitMarker | { readonly xid: null });

/**
 * Plans must not depend on how old the statistics of a table are that is filled and emptied all the time: every
 * statement here is meant to read an index as far as it must, and to look up row by row what it was given. These hold
 * for one transaction, so that a pooler between us and the server may hand the session to others. The limit ends a
 * transaction whose client is gone without the server noticing.
 */
const SETTINGS = Object.entries({
  enable_seqscan: "off",
  enable_bitmapscan: "off",
  enable_hashjoin: "off",
  enable_mergejoin: "off",
  random_page_cost: "1",
  cpu_operator_cost: "0.1",
  jit: "off",
  lock_timeout: "20s",
  idle_in_transaction_session_timeout: "15s",
})
  .map(([name, value]) => `set_config('${name}', '${value}', true)`)
  .join(", ");

/** Whether changes are kept now, as an expression. */
export const RECORDING =
  "(SELECT value > (SELECT pawl.now_ms()) FROM pawl.counter WHERE name = 'recording_until')";

const BEGIN_WORK = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/** A newer program may have changed the tables while they were open. */
const MIN_COMPATIBLE_VERSION = "(SELECT min_compatible_version FROM pawl.version) AS min_compatible_version";

/** What a transaction reads as it begins: besides the marker, whether to record changes, and which process answers. */
const READ_AT_BEGIN = `${RECORDING} AS recording, pg_backend_pid() AS pid, ${MIN_COMPATIBLE_VERSION}, ${SETTINGS}`;

/** All that is needed of a transaction that is to write, sent along with the BEGIN. */
const BEGUN = prepared(
  `INSERT INTO pawl.commit_marker (at) VALUES ((SELECT pawl.now_ms())) RETURNING ${MARKER}, ${READ_AT_BEGIN}`,
);

/** The same for work that often finds nothing to do: marking it would be a write. */
const BEGUN_UNMARKED = prepared(`SELECT NULL AS xid, NULL AS token, ${READ_AT_BEGIN}`);

/** Ends a transaction that failed; the connection is given back as sound only if it is. */
async function rollBack({ connection, giveBack }: Loan, error: unknown): Promise<void> {
  let sound = !isDisconnect(error);
  if (sound) {
    sound = await connection.script("ROLLBACK").then(
      () => true,
      () => false,
    );
  }
  giveBack(sound);
}

/** A promise that may never be awaited, because something else fails first: its rejection is not an unhandled one. */
function awaitedLater<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
