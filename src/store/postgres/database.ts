import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { PawlError, TransientError } from "../../errors.ts";
import { sqlState } from "../../postgres-errors.ts";
import type { Address } from "./address.ts";
import { explain, isDisconnect, mayRetry } from "./failure.ts";
import { prepared, Session } from "./session.ts";

/** How long an operation waits for a server that does not answer or is not there before it gives up. */
const PATIENCE_MS = 15_000;
const CONNECT_MS = 10_000;
const IDLE_MS = 30_000;
const CONNECTIONS = 4;

/** How a transaction is recognized. */
interface Mark {
  readonly xid: string;
  readonly mark: string;
}

type Begun = { readonly recording: boolean; readonly pid: number } & (Mark | { readonly xid: null });

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
  /**
   * Of work that is mostly idle: marks the transaction, along with the statement that was just sent, if that wrote
   * anything. Without it that takes a message of its own at the end.
   */
  readonly note: () => void;
}

/**
 * Plans must not depend on how old the statistics of a table are that is filled and emptied all the time: every
 * statement here is meant to walk an index as far as it must, and to look up row by row what it was given. These hold
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

const RECORDING = "(SELECT value > (SELECT pawl.now_ms()) FROM pawl.counter WHERE name = 'recording_until')";

/** Who answers. Behind a pooler it is not the one we were told of as we connected. */
const IS_DIRECT = "pg_backend_pid() AS pid";

const BEGIN_WORK = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/**
 * Should the reply to a COMMIT be lost, one can ask what became of the transaction: by its number whether it still runs,
 * and by the mark that it has left whether it was committed. The number alone does not say that: a server that crashes
 * gives the numbers that had not come to its log once more.
 */
const MARK = "pg_current_xact_id()::text AS xid, token::text AS mark";

/** All that is needed of a transaction that is to write, sent along with the BEGIN. */
const BEGUN =
  prepared(`INSERT INTO pawl.mark (at) VALUES ((SELECT pawl.now_ms())) RETURNING ${MARK}, ${RECORDING} AS recording,
  ${IS_DIRECT}, ${SETTINGS}`);

/** The same for work that often finds nothing to do: marking it would be a write. */
const BEGUN_UNMARKED = prepared(
  `SELECT NULL AS xid, NULL AS mark, ${RECORDING} AS recording, ${IS_DIRECT}, ${SETTINGS}`,
);

/** Marks it later, if it has written something. */
const MARK_WRITTEN = prepared(`INSERT INTO pawl.mark (at)
  SELECT (SELECT pawl.now_ms()) WHERE pg_current_xact_id_if_assigned() IS NOT NULL RETURNING ${MARK}`);

/** How long marks are kept at least: longer than anybody waits for a reply and asks about it. */
const MARKED_MS = 180_000;

/** Marks that this process has left between two cleanings. */
const CLEAN_EVERY = 500;

const CLEAN = `DELETE FROM pawl.mark WHERE ctid = ANY(ARRAY(
  SELECT ctid FROM pawl.mark WHERE at < (SELECT pawl.now_ms()) - ${MARKED_MS} LIMIT 10000 FOR UPDATE SKIP LOCKED))`;

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
  /** False where we are told that there is a pooler. */
  readonly #mayBeDirect: boolean;
  /** Whether a connection leads to one session of the server, as far as is known. */
  readonly #direct = new WeakMap<pg.ClientBase, boolean>();
  /** Begins anywhere, so that many processes that write little clean as well. */
  #marks = Math.floor(Math.random() * CLEAN_EVERY);
  #closing: Promise<void> | undefined;

  constructor(address: Address, options: DatabaseOptions = {}) {
    this.location = address.location;
    this.schema = address.schema;
    this.#mayBeDirect = address.listen;
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

  #session(client: pg.ClientBase): Session {
    return new Session(client, this.schema, this.#replyMs, this.#direct.get(client) ?? false);
  }

  async #once<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    try {
      const session = this.#session(client);
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
    const session = this.#session(client);
    let ended: { readonly result: T; readonly mark: Mark | null } | undefined;
    const since = performance.now();
    let mark: Promise<Mark | null> | undefined;
    try {
      session.later(BEGIN_WORK);
      const begun = session.get<Begun>(mostlyIdle ? BEGUN_UNMARKED : BEGUN).then((row) => row as Begun);
      mark = awaitedLater(begun.then((row) => (row.xid === null ? null : row)));
      const recording = awaitedLater(begun.then((row) => row.recording));
      let noted = false;
      const note = () => {
        noted = true;
        mark = awaitedLater(session.get<Mark>(MARK_WRITTEN).then((row) => row ?? null));
      };
      const result = await work({ session, recording, note });
      if (mostlyIdle && !noted) note();
      ended = { result, mark: await mark };
      const [committed] = await Promise.all([session.script("COMMIT"), session.settled()]);
      if (committed[0]?.command !== "COMMIT") throw new Error("The transaction was rolled back.");
      if (this.#mayBeDirect) {
        const isDirect = (await begun).pid === (client as unknown as { processID: number }).processID;
        this.#direct.set(client, isDirect);
      }
      client.release();
      if (ended.mark !== null) this.#clean();
      return result;
    } catch (thrown) {
      // What went wrong first; the rest of a transaction only says that something did.
      const error = sqlState(thrown) === "25P02" ? session.failure : thrown;
      await giveBack(client, session, error);
      if (!isDisconnect(error)) throw error;
      if (ended === undefined) {
        void this.#abandon((await mark?.catch(() => null))?.xid);
        throw error;
      }
      // Without a mark nothing was written.
      if (ended.mark !== null && !(await this.#isCommitted(ended.mark, since))) throw error;
      return ended.result;
    }
  }

  /**
   * Ends a transaction whose connection we have lost: should the server not have noticed, it would hold on to what
   * the next attempt needs. If this fails as well, the server ends it when it has been idle for long enough.
   */
  async #abandon(xid: string | undefined): Promise<void> {
    if (xid === undefined) return;
    await this.#once((session) => session.run(TERMINATE, [xid])).catch(() => {});
  }

  /** What became of a transaction, begun at `since`, whose COMMIT was not answered. */
  async #isCommitted({ xid, mark }: Mark, since: number): Promise<boolean> {
    return await this.#insist(async () => {
      const client = await this.#pool.connect();
      let sound = false;
      try {
        const session = this.#session(client);
        const row = await session
          .get<{ status: string | null }>("SELECT pg_xact_status($1::text::xid8) AS status", [xid])
          .catch((error: unknown) => {
            // A number that has not been given yet: another server took over that never heard of the transaction.
            if (sqlState(error) === "22023") return undefined;
            throw error;
          });
        if (row?.status !== "in progress") {
          const marked = await session.get("SELECT FROM pawl.mark WHERE token = $1::text::uuid", [mark]);
          sound = true;
          // Who was suspended for long may find all marks of that time cleaned away; then the number has to do.
          const mayBeCleaned = performance.now() - since > MARKED_MS;
          return marked !== undefined || (mayBeCleaned && row?.status === "committed");
        }
        sound = true;
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

  /** Removes old marks from time to time; what is left is for the next one. */
  #clean(): void {
    this.#marks++;
    if (this.#marks < CLEAN_EVERY || this.#closing !== undefined) return;
    this.#marks = 0;
    void this.#once((session) => session.run(CLEAN)).catch(() => {});
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
