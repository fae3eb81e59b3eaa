import { assertObject, assertText } from "../../arguments.ts";
import type { Throttle } from "../../batch/contract.ts";
import { type Duration, durationText, milliseconds } from "../../durations.ts";
import { PawlError } from "../../errors.ts";
import { bytes, type Size, sizeText } from "../../sizes.ts";
import { explain } from "./errors.ts";
import { PostgresSession } from "./session.ts";

/** How long shards share an answer of the database. */
const goodForMs = 1000;

/**
 * Lets a job wait while a replica is far behind, by time or by bytes of the log. A replica that is not connected is not waited
 * for. The database is asked at most once a second; its user needs the role `pg_monitor`.
 *
 * @param options.delay wait while a replica is farther behind than this @default no limit
 * @param options.size wait while so much of the log is missing in a replica @default no limit
 * @throws PawlError `argument.object`, `argument.text`, `argument.duration`, `argument.size`; when asked, `postgres.permission`, and
 * `postgres.url` or `postgres.unreachable` where there is no server
 * @example
 * ```ts
 * defineJob({ name, source, sink, throttle: [whileReplicaLags({ url, delay: "5s" })] });
 * ```
 */
export function whileReplicaLags(options: {
  readonly url: string;
  readonly delay?: Duration;
  readonly size?: Size;
}): Throttle {
  assertUrl(options, "whileReplicaLags");
  const { url, delay = Number.POSITIVE_INFINITY, size = Number.POSITIVE_INFINITY } = options;
  const delayMs = milliseconds(delay, "The delay of whileReplicaLags");
  const most = bytes(size, "The size of whileReplicaLags");
  /** Where the log stood when. A replica that has stopped replaying reports no lag that grows. */
  const positions: { at: number; written: number }[] = [];
  return askDatabase(url, async (session) => {
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
      const behindMs = Math.max(lag * 1000, now - since);
      if (behindMs > delayMs) {
        const behind = durationText(Math.round(behindMs / 1000) * 1000);
        return `the replica ${name} is ${behind} behind, more than ${durationText(delayMs)}`;
      }
      if (written - replayed > most)
        return `the replica ${name} is ${sizeText(written - replayed)} behind, more than ${sizeText(most)}`;
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

/**
 * Lets a job wait while more than so many connections are at work besides those of Pawl. The database is asked at most once a
 * second.
 *
 * @param options.connections how many may be at work
 * @throws PawlError `argument.object`, `argument.text`; when asked, `postgres.url` or `postgres.unreachable` where there is no server
 * @example
 * ```ts
 * defineJob({ name, source, sink, throttle: [whileBusy({ url, connections: 20 })] });
 * ```
 */
export function whileBusy(options: { readonly url: string; readonly connections: number }): Throttle {
  assertUrl(options, "whileBusy");
  const { url, connections } = options;
  return askDatabase(url, async (session) => {
    const { rows } = await session.query<{ n: number }>(
      `SELECT pg_catalog.count(*)::int AS n FROM pg_stat_activity
       WHERE state = 'active' AND backend_type = 'client backend' AND application_name NOT LIKE 'pawl%'`,
    );
    const n = rows[0]?.n ?? 0;
    return n > connections ? `${n} connections are at work, more than ${connections}` : null;
  });
}

/**
 * Lets a job wait while a query says so: by giving true, a number other than 0, or a text, which is shown as the reason. With no
 * row, null, false, 0 or an empty text the work continues. The query can only read, may take 10 seconds, and is asked at most once a
 * second.
 *
 * @param options.sql one statement, whose first value decides
 * @throws PawlError `argument.object`, `argument.text`; when asked, `postgres.pause-query` for a query that does not work, and
 * `postgres.url` or `postgres.unreachable` where there is no server
 * @example
 * ```ts
 * const busy = "SELECT count(*) > 1000 FROM jobs WHERE state = 'open'";
 * defineJob({ name, source, sink, throttle: [whileQuery({ url, sql: busy })] });
 * ```
 */
export function whileQuery(options: { readonly url: string; readonly sql: string }): Throttle {
  assertUrl(options, "whileQuery");
  const { url, sql } = options;
  return askDatabase(url, async (session) => {
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

/** A throttle that asks the database over a connection of its own, at most once a second for all shards. */
function askDatabase(url: string, look: (session: PostgresSession) => Promise<string | null>): Throttle {
  let latest: { at: number; answer: Promise<string | null> } | null = null;
  // A throttle is asked and changes nothing, also where the query is the user's.
  const settings = { statement_timeout: "10s", default_transaction_read_only: "on" };
  return () => {
    if (latest === null || performance.now() - latest.at > goodForMs) {
      const answer = PostgresSession.use(url, "pawl throttle", look, settings);
      const mine = { at: performance.now(), answer };
      latest = mine;
      answer.catch(() => {
        if (latest === mine) latest = null;
      });
    }
    return latest.answer;
  };
}

function assertUrl(options: { readonly url: string }, what: string): void {
  assertObject(options, `The options of ${what}`);
  assertText(options.url, `The url of ${what}`);
}
