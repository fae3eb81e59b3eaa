import { assertObject, assertText } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import { explain } from "./errors.ts";
import { Session } from "./session.ts";

/** Says why the work should wait now, or null; as `pawl/batch` asks it before each chunk. */
type Ask = (signal: AbortSignal) => Promise<string | null>;

/** How long an answer of the server is good for: shards share it. */
const goodForMs = 1000;

/**
 * Waits while a replica is so far behind, in seconds or in bytes of the log. Needs the role pg_monitor. A replica that is
 * not connected is not waited for.
 */
export function whileReplicaLags(options: {
  readonly url: string;
  readonly seconds?: number;
  readonly bytes?: number;
}): Ask {
  assertUrl(options, "whileReplicaLags");
  const { url, seconds = Number.POSITIVE_INFINITY, bytes = Number.POSITIVE_INFINITY } = options;
  /** Where the log stood when. A replica that has stopped replaying reports no lag that grows. */
  const positions: { at: number; written: number }[] = [];
  return looked(url, async (session) => {
    const { rows } = await session.query<Replica>(replicasSql);
    const now = performance.now();
    const written = rows[0]?.written ?? 0;
    positions.push({ at: now, written });
    while (positions.length > 1000) positions.shift();
    for (const { name, replayed, lag } of rows) {
      if (name === null) continue;
      if (replayed === null) {
        throw new PawlError(
          "postgres.permission",
          `The user may not see how far the replica ${name} is: GRANT pg_monitor to it.`,
        );
      }
      const since = positions.find((position) => position.written > replayed)?.at ?? now;
      const behind = Math.max(lag, (now - since) / 1000);
      if (behind > seconds)
        return `the replica ${name} is ${Math.round(behind)} s behind, more than ${seconds} s`;
      if (written - replayed > bytes) {
        return `the replica ${name} is ${megabytes(written - replayed)} behind, more than ${megabytes(bytes)}`;
      }
    }
    return null;
  });
}

interface Replica {
  readonly name: string | null;
  readonly written: number;
  readonly replayed: number | null;
  readonly lag: number;
}

const replicasSql = `
  SELECT application_name AS name, pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), '0/0')::float8 AS written,
         pg_catalog.pg_wal_lsn_diff(replay_lsn, '0/0')::float8 AS replayed,
         coalesce(extract(epoch FROM replay_lag), 0)::float8 AS lag
  FROM (SELECT) one LEFT JOIN pg_stat_replication ON true`;

/** Waits while more than so many other connections are at work. */
export function whileBusy(options: { readonly url: string; readonly connections: number }): Ask {
  assertUrl(options, "whileBusy");
  const { url, connections } = options;
  return looked(url, async (session) => {
    const { rows } = await session.query<{ n: number }>(
      `SELECT pg_catalog.count(*)::int AS n FROM pg_stat_activity
       WHERE state = 'active' AND backend_type = 'client backend' AND application_name NOT LIKE 'pawl%'`,
    );
    const n = rows[0]?.n ?? 0;
    return n > connections ? `${n} connections are at work, more than ${connections}` : null;
  });
}

/**
 * Waits while a query of yours says so: by giving true, a number other than 0, or a text, which is shown as the reason. No
 * row, null, false, 0 or an empty text let the work go on.
 */
export function whileQuery(options: { readonly url: string; readonly sql: string }): Ask {
  assertUrl(options, "whileQuery");
  const { url, sql } = options;
  return looked(url, async (session) => {
    let value: unknown;
    try {
      const { rows } = await session.query(sql);
      value = Object.values(rows[0] ?? {})[0];
    } catch (error) {
      const explained = explain(error, url);
      if (!(explained instanceof PawlError) || !/^postgres\.(42|22|25006)/.test(explained.code)) throw error;
      throw new PawlError(
        "postgres.pause-query",
        `The query that says when to wait does not work (${(error as Error).message}): correct ${sql}.`,
        { cause: error },
      );
    }
    if (value === null || value === undefined || value === false || value === "" || Number(value) === 0)
      return null;
    return typeof value === "string" && Number.isNaN(Number(value)) ? value : "the query says to wait";
  });
}

/** Asks the server over a connection of its own, at most once a second. */
function looked(url: string, look: (session: Session) => Promise<string | null>): Ask {
  let latest: { at: number; answer: Promise<string | null> } | null = null;
  const ask = async () => {
    // What a query of the user's is asked for is an answer, not to change anything.
    const settings = { statement_timeout: "10s", default_transaction_read_only: "on" };
    const session = await Session.open(url, "pawl throttle", settings);
    try {
      return await look(session);
    } catch (error) {
      throw explain(error, url);
    } finally {
      await session.close();
    }
  };
  return () => {
    if (latest === null || performance.now() - latest.at > goodForMs) {
      const answer = ask();
      const mine = { at: performance.now(), answer };
      latest = mine;
      answer.catch(() => {
        if (latest === mine) latest = null;
      });
    }
    return latest.answer;
  };
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MB`;
}

function assertUrl(options: { readonly url: string }, what: string): void {
  assertObject(options, `The options of ${what}`);
  assertText(options.url, `The url of ${what}`);
}
