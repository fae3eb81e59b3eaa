import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { PawlError, TransientError } from "../../errors.ts";
import { sqlState } from "../../postgres-errors.ts";
import type { Address } from "./address.ts";
import { explain, isDisconnect, mayRetry } from "./failure.ts";
import { Session } from "./session.ts";

/** How long an operation waits for a server that does not answer or is not there before it gives up. */
const PATIENCE_MS = 15_000;
const CONNECT_MS = 10_000;
const IDLE_MS = 30_000;
const CONNECTIONS = 4;

export interface DatabaseOptions {
  /** A connection that has not answered for so long is given up. */
  readonly replyMs?: number;
  readonly patienceMs?: number;
}

/** A transaction, and what it was told as it began. */
export interface Transaction {
  readonly session: Session;
  /** Whether changes of tasks are to be kept. */
  readonly recording: Promise<boolean>;
  /** Asks, along with the statement that was just sent, which number the transaction got if it wrote anything. */
  readonly note: () => void;
}

/**
 * Plans must not depend on how old the statistics of a table are that is filled and emptied all the time: every
 * statement here is meant to walk an index. These hold for one transaction, so that a pooler between us and the server
 * may hand the session to others. The limit ends a transaction whose client is gone without the server noticing.
 */
const SETTINGS = `set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
  set_config('enable_mergejoin', 'off', true), set_config('jit', 'off', true), set_config('lock_timeout', '20s', true),
  set_config('idle_in_transaction_session_timeout', '15s', true)`;

const RECORDING = "(SELECT value > (SELECT pawl.now_ms()) FROM pawl.counter WHERE name = 'recording_until')";

/**
 * BEGIN and the number of the transaction, in one message. With the number one can ask, should the reply to the COMMIT
 * be lost, what became of it.
 */
const BEGIN = `BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
  SELECT pg_current_xact_id()::text AS xid, ${RECORDING} AS recording, ${SETTINGS}`;

/** The same for work that often finds nothing to do: numbering it would be a write. */
const BEGIN_UNNUMBERED = BEGIN.replace("pg_current_xact_id()::text", "NULL");

/** Ends the session in which a transaction runs. */
const TERMINATE =
  "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_xid = ($1::text::xid8)::xid";

class ClientWithTimeout extends pg.Client {
  constructor(config: pg.ClientConfig) {
    // To the pool the same option would mean how long to wait for another operation to end.
    super({ ...config, connectionTimeoutMillis: CONNECT_MS });
  }
}

/** The connections to one store, and the way its operations outlive those. */
export class Database {
  readonly location: string;
  readonly schema: string;
  readonly #pool: pg.Pool;
  readonly #replyMs: number;
  readonly #patienceMs: number;
  readonly #running = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(address: Address, options: DatabaseOptions = {}) {
    this.location = address.location;
    this.schema = address.schema;
    this.#replyMs = options.replyMs ?? 60_000;
    this.#patienceMs = options.patienceMs ?? PATIENCE_MS;
    this.#pool = new pg.Pool({
      connectionString: address.server,
      application_name: "pawl",
      max: CONNECTIONS,
      idleTimeoutMillis: IDLE_MS,
      allowExitOnIdle: true,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      pipeline: true,
      Client: ClientWithTimeout as unknown as new () => pg.ClientBase,
    });
    // A connection that breaks while nobody uses it is replaced when one is needed; one that breaks in use tells the
    // statement that waits for it, and would end the process if nobody listened to it as well.
    this.#pool.on("error", () => {});
    this.#pool.on("connect", (client) => client.on("error", () => {}));
  }

  /** Runs statements that may be run twice without harm, such as reads. */
  async read<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return await this.#patiently(() => this.#once(work));
  }

  /** Runs statements that may as well be left: fails at once, and also while the store is being closed. */
  async hint<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return await this.#once(work);
  }

  /** Runs `work` in one transaction, exactly once: durable when the promise resolves. Rejecting means: nothing happened. */
  async write<T>(
    work: (transaction: Transaction) => Promise<T>,
    options: { readonly mostlyIdle?: boolean } = {},
  ): Promise<T> {
    return await this.#patiently(() => this.#transaction(work, options.mostlyIdle ?? false));
  }

  /** Waits for what was asked for, then closes the connections. Safe to call again. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      // Idle connections keep no process alive, but whoever closes them wants to see them closed.
      const alive = setInterval(() => {}, 1_000);
      try {
        while (this.#running.size > 0) await Promise.allSettled(this.#running);
        await this.#pool.end();
      } finally {
        clearInterval(alive);
      }
    })();
    return this.#closing;
  }

  async #once<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    try {
      const session = new Session(client, this.schema, this.#replyMs);
      const result = await work(session);
      await session.settled();
      client.release();
      return result;
    } catch (error) {
      // One in the middle of a transaction is of no use to anybody.
      client.release(isDisconnect(error) || (client as pg.Client).getTransactionStatus() !== "I");
      throw error;
    }
  }

  async #transaction<T>(work: (transaction: Transaction) => Promise<T>, mostlyIdle: boolean): Promise<T> {
    const client = await this.#pool.connect();
    const session = new Session(client, this.schema, this.#replyMs);
    let ended: { readonly result: T; readonly xid: string | null } | undefined;
    let xid: Promise<string | null> | undefined;
    try {
      const begun = session
        .script(mostlyIdle ? BEGIN_UNNUMBERED : BEGIN)
        .then((results) => results[1]?.rows[0] as { xid: string | null; recording: boolean });
      xid = awaitedLater(begun.then((row) => row.xid));
      const recording = awaitedLater(begun.then((row) => row.recording));
      const note = () => {
        xid = awaitedLater(assignedXid(session));
      };
      const result = await work({ session, recording, note });
      ended = { result, xid: await xid };
      const [committed] = await Promise.all([session.script("COMMIT"), session.settled()]);
      if (committed[0]?.command !== "COMMIT") throw new Error("The transaction was rolled back.");
      client.release();
      return result;
    } catch (thrown) {
      // What went wrong first; the rest of a transaction only says that something did.
      const error = sqlState(thrown) === "25P02" ? session.failure : thrown;
      await giveBack(client, session, error);
      if (!isDisconnect(error)) throw error;
      if (ended === undefined) {
        void this.#abandon(await xid?.catch(() => null));
        throw error;
      }
      // Without a number nothing was written.
      if (ended.xid !== null && !(await this.#isCommitted(ended.xid))) throw error;
      return ended.result;
    }
  }

  /**
   * Ends a transaction whose connection we have lost: should the server not have noticed, it would hold on to what
   * the next attempt needs. If this fails as well, the server ends it when it has been idle for long enough.
   */
  async #abandon(xid: string | null | undefined): Promise<void> {
    if (xid == null) return;
    await this.#once((session) => session.run(TERMINATE, [xid])).catch(() => {});
  }

  /** What became of a transaction whose COMMIT was not answered. */
  async #isCommitted(xid: string): Promise<boolean> {
    return await this.#insist(async () => {
      const client = await this.#pool.connect();
      let sound = false;
      try {
        const session = new Session(client, this.schema, this.#replyMs);
        const row = await session
          .get<{ status: string | null }>("SELECT pg_xact_status($1::text::xid8) AS status", [xid])
          .catch((error: unknown) => {
            // A number that has not been given yet: another server took over that never heard of the transaction.
            if (sqlState(error) === "22023") return undefined;
            throw error;
          });
        sound = true;
        if (row?.status !== "in progress") return row?.status === "committed";
        // The server has not noticed that nobody listens any more, or it is about to commit: ending it decides that.
        await session.run(TERMINATE, [xid]);
        throw new TransientError(
          "store.in-doubt",
          `It is not known yet whether the store ${this.location} has kept the last change.`,
        );
      } finally {
        client.release(!sound);
      }
    });
  }

  async #patiently<T>(attempt: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) {
      throw new PawlError("store.closed", `The store ${this.location} is closed: open it again to use it.`);
    }
    const running = this.#insist(attempt);
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  async #insist<T>(attempt: () => Promise<T>): Promise<T> {
    const giveUp = performance.now() + this.#patienceMs;
    for (let failures = 0; ; failures++) {
      try {
        return await attempt();
      } catch (error) {
        const retry = mayRetry(error) || (error instanceof TransientError && error.code === "store.in-doubt");
        if (!retry || performance.now() > giveUp) throw explain(error, this.location);
      }
      await sleep(Math.random() * Math.min(1_000, 10 * 2 ** failures));
    }
  }
}

/** A promise that nobody may get to await, because something else fails first. */
function awaitedLater<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/** Ends a transaction that failed; the connection goes back to the pool only if it is sound. */
async function giveBack(client: pg.PoolClient, session: Session, error: unknown): Promise<void> {
  let sound = !isDisconnect(error);
  if (sound) {
    sound = await session.script("ROLLBACK").then(
      () => true,
      () => false,
    );
  }
  client.release(!sound);
}

async function assignedXid(session: Session): Promise<string | null> {
  const row = await session.get<{ xid: string | null }>(
    "SELECT pg_current_xact_id_if_assigned()::text AS xid",
  );
  return row?.xid ?? null;
}
