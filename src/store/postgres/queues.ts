import type { QueueRecord } from "../contract.ts";
import { nextDue } from "./claim.ts";
import type { Connection } from "./connection.ts";

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

export async function listQueues(session: Connection): Promise<QueueRecord[]> {
  const rows = await session.all<QueueRow>(
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
      return { name, paused, counts, oldestDue: await oldestDue(session, name, now) };
    }),
  );
}

/** The least due time in the backlogs of a queue, if it has come. */
async function oldestDue(session: Connection, queue: string, now: number): Promise<number | null> {
  const [plain, buckets] = await Promise.all([
    session.get<{ due: number | null }>(nextDue("plain", true), [queue]),
    session.all<{ bucket: string }>(
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
      session.get<{ due: number | null }>(nextDue("bucket", true), [queue, bucket]),
    ),
  );
  const due = [plain, ...next].flatMap((row) => row?.due ?? []);
  const least = Math.min(...due);
  return due.length === 0 || least > now ? null : least;
}

const IN_BUCKETS = "bucket IS NOT NULL AND queue = $1";

/** Makes one row of many in the counts of each queue. Rows that another store is folding are left to it. */
export async function foldCounts(session: Connection): Promise<void> {
  await session.run(
    `WITH gone AS (
       DELETE FROM pawl.queue_count WHERE ctid = ANY(ARRAY(
         SELECT ctid FROM pawl.queue_count LIMIT ${FOLDED} FOR UPDATE SKIP LOCKED))
       RETURNING queue, waiting, leased, succeeded, dead, cancelled)
     INSERT INTO pawl.queue_count (queue, waiting, leased, succeeded, dead, cancelled)
     SELECT queue, sum(waiting), sum(leased), sum(succeeded), sum(dead), sum(cancelled) FROM gone GROUP BY queue`,
  );
}
