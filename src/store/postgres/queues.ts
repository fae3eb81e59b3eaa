import type { QueueRecord, TaskState } from "../contract.ts";
import type { StateCounts } from "../sql/state-transitions.ts";
import { nextDue } from "./claim.ts";
import { type Connection, prepared } from "./connection.ts";
import { scalars, texts } from "./dialect.ts";

/** How many rows are folded at once. */
const FOLDED = 5_000;

interface QueueRow {
  readonly name: string;
  readonly paused: boolean;
  readonly waiting: number;
  readonly leased: number;
  readonly succeeded: number;
  readonly dead: number;
  readonly cancelled: number;
  readonly now: number;
}

export async function listQueues(connection: Connection): Promise<QueueRecord[]> {
  const rows = await connection.all<QueueRow>(
    `SELECT name, coalesce(bool_or(paused), false) AS paused, sum(waiting)::bigint AS waiting,
       sum(leased)::bigint AS leased, sum(succeeded)::bigint AS succeeded, sum(dead)::bigint AS dead,
       sum(cancelled)::bigint AS cancelled, (SELECT pawl.now_ms()) AS now
     FROM (SELECT queue AS name, NULL::boolean AS paused, waiting, leased, succeeded, dead, cancelled
         FROM pawl.queue_count
       UNION ALL SELECT name, paused, 0, 0, 0, 0, 0 FROM pawl.queue) AS counted
     GROUP BY name ORDER BY name`,
  );
  return await Promise.all(
    rows.map(async ({ name, paused, now, ...counts }) => {
      return { name, paused, counts, oldestDue: await oldestDue(connection, name, now) };
    }),
  );
}

/** The least due time in the backlogs of a queue, if it has come. */
async function oldestDue(connection: Connection, queue: string, now: number): Promise<number | null> {
  const [plain, buckets] = await Promise.all([
    connection.get<{ due: number | null }>(nextDue("plain", true), [queue]),
    connection.all<{ bucket: string }>(
      `WITH RECURSIVE found (bucket) AS (
       SELECT min(bucket) FROM pawl.backlog WHERE ${IN_BUCKETS}
       UNION ALL
       SELECT (SELECT min(bucket) FROM pawl.backlog WHERE ${IN_BUCKETS} AND bucket > found.bucket) FROM found
       WHERE found.bucket IS NOT NULL)
     SELECT bucket FROM found WHERE bucket IS NOT NULL`,
      [queue],
    ),
  ]);
  const next = await Promise.all(
    buckets.map(({ bucket }) =>
      connection.get<{ due: number | null }>(nextDue("bucket", true), [queue, bucket]),
    ),
  );
  const due = [plain, ...next].flatMap((row) => row?.due ?? []);
  const least = Math.min(...due);
  return due.length === 0 || least > now ? null : least;
}

const IN_BUCKETS = "bucket IS NOT NULL AND queue = $1";

/** Makes one row of many in the counts of each queue. Rows that another store is folding are left to it. */
export async function foldCounts(connection: Connection): Promise<void> {
  await connection.run(
    `WITH gone AS (
       DELETE FROM pawl.queue_count WHERE ctid = ANY(ARRAY(
         SELECT ctid FROM pawl.queue_count LIMIT ${FOLDED} FOR UPDATE SKIP LOCKED))
       RETURNING queue, waiting, leased, succeeded, dead, cancelled)
     INSERT INTO pawl.queue_count (queue, waiting, leased, succeeded, dead, cancelled)
     SELECT queue, sum(waiting), sum(leased), sum(succeeded), sum(dead), sum(cancelled) FROM gone GROUP BY queue`,
  );
}

const COUNT = prepared(`
  INSERT INTO pawl.queue_count (queue, waiting, leased, succeeded, dead, cancelled)
  SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])`);

/** Adds a row to the counts of each queue, in the transaction in which its tasks came to other states. */
export function countTransitions(connection: Connection, queues: ReadonlyMap<string, StateCounts>): void {
  const counts = [...queues];
  const of = (state: TaskState) => scalars(counts.map(([, count]) => count[state]));
  connection.later(COUNT, [
    texts(counts.map(([name]) => name)),
    of("waiting"),
    of("leased"),
    of("succeeded"),
    of("dead"),
    of("cancelled"),
  ]);
}
