import { TransientError } from "../../errors.ts";
import { sqlState } from "../../postgres-errors.ts";
import { type Connection, prepared } from "./connection.ts";
import type { ConnectionPool } from "./connection-pool.ts";
import { IN_DOUBT, retryTransient } from "./errors.ts";

/** How a transaction is recognized: by its number, and by the marker it has left. */
export interface CommitMarker {
  readonly xid: string;
  readonly token: string;
}

/** What the statement that inserts a marker returns, as a CommitMarker. */
export const MARKER = "pg_current_xact_id()::text AS xid, token::text AS token";

/** Leaves a marker if the transaction has written something; returns it. */
export const MARK_WRITTEN = prepared(`INSERT INTO pawl.commit_marker (at)
  SELECT (SELECT pawl.now_ms()) WHERE pg_current_xact_id_if_assigned() IS NOT NULL RETURNING ${MARKER}`);

/** How long markers are kept at least: longer than any caller waits for a reply and asks about it. */
const KEPT_MS = 180_000;

/** Markers that this process has left between two cleanings. */
const CLEAN_EVERY = 500;

const CLEAN = `DELETE FROM pawl.commit_marker WHERE ctid = ANY(ARRAY(
  SELECT ctid FROM pawl.commit_marker WHERE at < (SELECT pawl.now_ms()) - ${KEPT_MS} LIMIT 10000 FOR UPDATE SKIP LOCKED))`;

/** Ends the session in which a transaction runs. */
const TERMINATE =
  "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_xid = ($1::text::xid8)::xid";

/**
 * The markers that transactions leave. Should the reply to a COMMIT be lost, one can ask what became of the transaction: by
 * its number whether it still runs, and by its marker whether it was committed. The number alone does not say that: a
 * server that crashes gives the numbers that were not in its log yet a second time.
 */
export class CommitMarkers {
  readonly #location: string;
  readonly #connections: ConnectionPool;
  readonly #retryMs: number;
  /** Left since the last cleaning. Begins anywhere, so that many processes that write little clean as well. */
  #left = Math.floor(Math.random() * CLEAN_EVERY);
  #stopped = false;

  constructor(location: string, connections: ConnectionPool, retryMs: number) {
    this.#location = location;
    this.#connections = connections;
    this.#retryMs = retryMs;
  }

  /** One was left. Removes old ones from time to time; what is left then is for the next one. */
  left(): void {
    this.#left++;
    if (this.#left < CLEAN_EVERY || this.#stopped) return;
    this.#left = 0;
    void this.#connections.use((connection) => connection.run(CLEAN)).catch(() => {});
  }

  /** Removes none any more. */
  stop(): void {
    this.#stopped = true;
  }

  /** Whether a transaction, begun at `since` by `performance.now`, happened though its COMMIT was not answered. */
  async isCommitted(marker: CommitMarker, since: number): Promise<boolean> {
    return await retryTransient(
      () => this.#connections.use((connection) => this.#decide(connection, marker, since)),
      this.#location,
      this.#retryMs,
    );
  }

  /**
   * Ends a transaction whose connection we have lost: should the server not have noticed, it would hold on to what
   * the next attempt needs. If this fails as well, the server ends it when it has been idle for long enough.
   */
  async abandon(xid: string): Promise<void> {
    await this.#connections.use((connection) => connection.run(TERMINATE, [xid])).catch(() => {});
  }

  /** Throws a TransientError while the transaction still runs. */
  async #decide(connection: Connection, { xid, token }: CommitMarker, since: number): Promise<boolean> {
    const row = await connection
      .get<{ status: string | null }>("SELECT pg_xact_status($1::text::xid8) AS status", [xid])
      .catch((error: unknown) => {
        // A number that has not been given yet: another server took over that does not know the transaction.
        if (sqlState(error) === "22023") return undefined;
        throw error;
      });
    if (row?.status === "in progress") {
      // The server has not noticed that the connection is gone, or it is about to commit: ending it decides that.
      await connection.run(TERMINATE, [xid]);
      throw new TransientError(
        IN_DOUBT,
        `It is not known yet whether the store ${this.#location} has kept the last change.`,
      );
    }
    const isMarked = await connection.get("SELECT FROM pawl.commit_marker WHERE token = $1::text::uuid", [
      token,
    ]);
    // A process that was suspended for long may find all markers of that time cleaned away; then the number has to do.
    const mayBeCleaned = performance.now() - since > KEPT_MS;
    return isMarked !== undefined || (mayBeCleaned && row?.status === "committed");
  }
}
