/** Which tasks may be claimed, in which order, and what is held by a claim. */
import type { SQLOutputValue } from "node:sqlite";
import { aheadMsAfter, startsAllowed, waitMs } from "../../rate-limit.ts";
import type { BucketRate, Claim, ClaimRequest, Lease, ProgressReport } from "../contract.ts";
import { JsonText } from "../json-text.ts";
import { type Candidate, firstInOrder } from "../sql/claim-order.ts";
import { aheadMsNow, assertRate, ratesByBucket } from "../sql/rate-limit.ts";
import type { StateTransitions } from "../sql/state-transitions.ts";
import { CLAIMED_COLUMNS, type ClaimedRow, toClaimedTask } from "../sql/task-row.ts";
import { duration } from "../storable.ts";
import type { Connection } from "./connection.ts";

/**
 * The waiting tasks of a queue that are in no bucket, or those of one bucket, read through their index (queue, bucket,
 * priority, due). The due time comes after the priority there, so one range over a backlog would read every delayed
 * task; instead each priority in use is looked up and read on its own, and only as far as needed. A bucket has a backlog
 * of its own, so that a million tasks that wait for their rate do not hold up others.
 */
interface Backlog {
  /** The rest of a FROM that names the backlog, with its values. */
  readonly from: string;
  readonly values: readonly string[];
  readonly rate: BucketRate | null;
}

const WAITING = "task INDEXED BY task_backlog WHERE state = 'waiting' AND due IS NOT NULL AND queue = ?";
const PLAIN = `${WAITING} AND bucket IS NULL`;
const OF_BUCKET = `${WAITING} AND bucket = ?`;

/** The backlogs of some queues that are not paused. */
function backlogsOf(db: Connection, queues: readonly string[], buckets: readonly BucketRate[]): Backlog[] {
  const paused = new Set(
    db.all<{ name: string }>("SELECT name FROM queue WHERE paused = 1").map((row) => row.name),
  );
  const rates = buckets.length === 0 ? [] : ratesByBucket(buckets);
  return [...new Set(queues)]
    .filter((queue) => !paused.has(queue))
    .flatMap((queue) => [
      { from: PLAIN, values: [queue], rate: null },
      ...rates.map((rate) => ({ from: OF_BUCKET, values: [queue, rate.bucket], rate })),
    ]);
}

/** The priorities in use in a backlog, highest first. */
function* priorities(db: Connection, { from, values }: Backlog): Generator<number> {
  const next = (beyond: string, ...more: number[]) =>
    db.get<{ p: number | null }>(`SELECT max(priority) AS p FROM ${from}${beyond}`, ...values, ...more)?.p ??
    null;
  for (let found = next(""); found !== null; found = next(" AND priority < ?", found)) yield found;
}

interface Wanted {
  readonly queues: readonly string[];
  readonly buckets: readonly BucketRate[];
  readonly n: number;
  /** Leave out what has expired; that reads each task, not only the index. */
  readonly alive: boolean;
}

/** The first due tasks of some queues and buckets, by priority, due time and order of enqueueing. */
function firstDue(db: Connection, { queues, buckets, n, alive }: Wanted): Candidate[] {
  const now = db.clock.wall();
  const left = new Map(buckets.map((rate) => [rate.bucket, startsAllowed(rate, aheadMsOf(db, rate))]));
  const roomFor = (rate: BucketRate | null) => (rate === null ? n : (left.get(rate.bucket) ?? 0));
  const walks = backlogsOf(db, queues, buckets)
    .filter(({ rate }) => roomFor(rate) > 0)
    .map((backlog) => {
      const walk = priorities(db, backlog);
      return { backlog, walk, priority: walk.next().value };
    });
  const chosen: Candidate[] = [];
  while (chosen.length < n) {
    const highest = Math.max(...walks.map(({ priority }) => priority ?? Number.NEGATIVE_INFINITY));
    if (highest === Number.NEGATIVE_INFINITY) break;
    const tier: Candidate[] = [];
    for (const at of walks) {
      if (at.priority !== highest) continue;
      const { from, values, rate } = at.backlog;
      const rows = db.tuples<[seq: number, due: number]>(
        `SELECT seq, due FROM ${from} AND priority = ? AND due <= ?${alive ? ` AND ${NOT_EXPIRED}` : ""}
         ORDER BY due, seq LIMIT ?`,
        ...values,
        highest,
        now,
        ...(alive ? [now] : []),
        Math.min(n - chosen.length, roomFor(rate)),
      );
      for (const [seq, due] of rows) tier.push({ seq, priority: highest, due, bucket: rate?.bucket ?? null });
      at.priority = at.walk.next().value;
    }
    chosen.push(...firstInOrder(tier, n - chosen.length, left));
  }
  return chosen;
}

/** Whether there is anything to claim: asked first, because an idle worker that took the write lock would hold up the busy ones. */
export function canClaim(db: Connection, { queues, buckets = [] }: ClaimRequest): boolean {
  return firstDue(db, { queues, buckets, n: 1, alive: false }).length > 0;
}

/** Was begun already, or may still wait. */
const NOT_EXPIRED = "(fence > 0 OR expires_at IS NULL OR expires_at > ?)";

/** When the first of a backlog is due; null when none waits. */
function firstDueTime(db: Connection, { from, values }: Pick<Backlog, "from" | "values">): number | null {
  let first: number | null = null;
  for (const priority of priorities(db, { from, values, rate: null })) {
    const sql = `SELECT min(due) AS due FROM ${from} AND priority = ?`;
    const row = db.get<{ due: number }>(sql, ...values, priority);
    if (row !== undefined && (first === null || row.due < first)) first = row.due;
  }
  return first;
}

/** Milliseconds until the next waiting task of some queues and buckets may be claimed; null when none waits. */
function waitingInMs(
  db: Connection,
  queues: readonly string[],
  buckets: readonly BucketRate[],
): number | null {
  const now = db.clock.wall();
  let least: number | null = null;
  for (const backlog of backlogsOf(db, queues, buckets)) {
    const due = firstDueTime(db, backlog);
    if (due === null) continue;
    const wait = Math.max(
      0,
      due - now,
      backlog.rate === null ? 0 : waitMs(backlog.rate, aheadMsOf(db, backlog.rate)),
    );
    if (least === null || wait < least) least = wait;
  }
  return least;
}

/**
 * A lease has run out when its time has come, when the machine was started again, or when it lies further ahead than
 * it is long: then the monotonic clock has started again without our knowing the boot.
 */
export function runOut(boot: string, now: string): string {
  return `(lease_boot <> ${boot} OR lease_until <= ${now} OR lease_until - ${now} > lease_ms)`;
}

export function monotonic(db: Connection): number {
  return Math.floor(db.clock.monotonic());
}

/** Milliseconds until a task of the queues can be claimed or taken back; null never. */
export function claimableInMs(
  db: Connection,
  queues: readonly string[],
  buckets: readonly BucketRate[],
): number | null {
  const waits: number[] = [];
  const next = waitingInMs(db, queues, buckets);
  if (next !== null) waits.push(next);
  const now = monotonic(db);
  for (const queue of new Set(queues)) {
    const row = db.get<{ until: number | null }>(
      `SELECT min(iif(${runOut("?1", "?2")}, ?2, lease_until)) AS until
       FROM task INDEXED BY task_leased WHERE state = 'leased' AND queue = ?3`,
      db.clock.boot,
      now,
      queue,
    );
    if (row?.until != null) waits.push(Math.max(0, row.until - now));
  }
  return waits.length === 0 ? null : Math.min(...waits);
}

/** Since when the first task of a queue, in whichever bucket, could have been claimed; null when none could. */
export function oldestDue(db: Connection, queue: string): number | null {
  const backlogs: Pick<Backlog, "from" | "values">[] = [{ from: PLAIN, values: [queue] }];
  const nextBucket = `SELECT min(bucket) AS bucket FROM ${WAITING} AND bucket > ?`;
  for (let bucket: string | null = ""; bucket !== null; ) {
    bucket = db.get<{ bucket: string | null }>(nextBucket, queue, bucket)?.bucket ?? null;
    if (bucket !== null) backlogs.push({ from: OF_BUCKET, values: [queue, bucket] });
  }
  let oldest: number | null = null;
  for (const backlog of backlogs) {
    const due = firstDueTime(db, backlog);
    if (due !== null && due <= db.clock.wall() && (oldest === null || due < oldest)) oldest = due;
  }
  return oldest;
}

interface BucketRow {
  readonly boot: string;
  readonly claimed_at: number;
  readonly claimed_at_wall: number;
  readonly ahead: number;
}

/** How many milliseconds of a rate are used ahead of `now`, by the monotonic clock. */
function aheadMsOf(db: Connection, rate: BucketRate, now: number = db.clock.monotonic()): number {
  assertRate(rate);
  const row = db.get<BucketRow>("SELECT * FROM bucket WHERE name = ?", rate.bucket);
  if (row === undefined) return 0;
  const { clock } = db;
  // The monotonic clock of another boot says nothing about this one but that all of it has passed since; the wall clock may lie.
  const sameClock = row.boot === clock.boot && row.claimed_at <= now;
  const passed = sameClock ? now - row.claimed_at : Math.max(now, clock.wall() - row.claimed_at_wall);
  return aheadMsNow(rate, row.ahead, passed);
}

/** Writes that so many tasks were claimed from a bucket, in a transaction. */
function charge(db: Connection, rate: BucketRate, claimed: number): void {
  // Read once: the time that passes between two readings would be given to the bucket each time.
  const now = monotonic(db);
  db.run(
    `INSERT INTO bucket (name, boot, claimed_at, claimed_at_wall, ahead) VALUES (?1, ?2, ?3, ?4, ?5)
     ON CONFLICT (name) DO UPDATE SET boot = ?2, claimed_at = ?3, claimed_at_wall = ?4, ahead = ?5`,
    rate.bucket,
    db.clock.boot,
    now,
    db.clock.wall(),
    aheadMsAfter(rate, aheadMsOf(db, rate, now), claimed),
  );
}

/** Leases tasks to a worker, in a transaction. */
export function claim(db: Connection, request: ClaimRequest, transitions: StateTransitions): Claim[] {
  const { queues, buckets = [], n } = request;
  // Tasks rarely expire, so the first search does not check for it.
  const chosen = firstDue(db, { queues, buckets, n, alive: false });
  const claims = lease(db, request, chosen, transitions);
  if (claims.length === chosen.length) return claims;
  const others = firstDue(db, { queues, buckets, n: n - claims.length, alive: true });
  return [...claims, ...lease(db, request, others, transitions)];
}

/** A row as SQLite gives it: a truth value is a number there. */
type SqliteRow = ClaimedRow & readonly SQLOutputValue[];

/** Leases the chosen tasks, but for those that have expired. */
function lease(
  db: Connection,
  request: ClaimRequest,
  chosen: readonly Candidate[],
  transitions: StateTransitions,
): Claim[] {
  const { worker } = request;
  const length = duration(request.leaseMs);
  const now = db.clock.wall();
  const seqs = chosen.map(({ seq }) => seq);
  const these = among(seqs);
  // Read and then written, in the order in which they were chosen: a RETURNING costs more than both, and loses that order.
  const rows = db.tuples<SqliteRow>(
    `SELECT ${CLAIMED_COLUMNS} FROM (SELECT value AS chosen FROM json_each(?)) CROSS JOIN task AS t ON t.seq = chosen
     WHERE ${NOT_EXPIRED}`,
    JSON.stringify(seqs),
    now,
  );
  db.run(
    `UPDATE task SET state = 'leased', due = NULL, fence = fence + 1, worker = ?, started_at = ?,
       lease_boot = ?, lease_until = ?, lease_ms = ?
     WHERE ${these.sql} AND ${NOT_EXPIRED}`,
    worker,
    now,
    db.clock.boot,
    monotonic(db) + length,
    length,
    ...these.values,
    now,
  );
  chargeBuckets(db, request, rows);
  return rows.map((row) => {
    const task = toClaimedTask(row, worker);
    const { id, queue, childOf } = task;
    const fence = task.fence + 1;
    transitions.add({ id, queue, fence, group_id: childOf?.group ?? null }, "waiting", "leased");
    return { id, fence, task: Object.assign(task, { fence, startedAt: now }) };
  });
}

/** Writes for each bucket how many of the tasks were claimed from it, in a transaction. */
function chargeBuckets(db: Connection, { buckets = [] }: ClaimRequest, rows: readonly ClaimedRow[]): void {
  if (buckets.length === 0) return;
  const claimed = Map.groupBy(rows, ([, , , , , , , , , , , , , , bucket]) => bucket);
  for (const rate of ratesByBucket(buckets)) {
    const tasks = claimed.get(rate.bucket);
    if (tasks !== undefined) charge(db, rate, tasks.length);
  }
}

/** A condition that a task is one of several, and its values. */
interface Among {
  readonly sql: string;
  readonly values: readonly (number | string)[];
}

/**
 * Tasks that follow each other, as those of one batch do, are one range of the table: SQLite changes its rows as it walks
 * it, and need not collect first which they are. `first` is the number of the first value, where they have numbers.
 */
export function among(seqs: readonly number[], first?: number): Among {
  const at = (n: number) => (first === undefined ? "?" : `?${first + n}`);
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (const seq of seqs) {
    if (seq < least) least = seq;
    if (seq > most) most = seq;
  }
  if (most - least + 1 === seqs.length) {
    return { sql: `seq BETWEEN ${at(0)} AND ${at(1)}`, values: [least, most] };
  }
  return { sql: `seq IN (SELECT value FROM json_each(${at(0)}))`, values: [JSON.stringify(seqs)] };
}

/** The part of a WHERE that lets only the holder of a claim write. */
export const HELD = "id = ? AND fence = ? AND state = 'leased'";

/** Extends leases, in a transaction. A lease that has run out is extended too, as long as it was not taken back. */
export function renew(
  db: Connection,
  leases: readonly Lease[],
  leaseMs: number,
): { lost: string[]; cancelRequested: string[] } {
  const length = duration(leaseMs);
  const until = monotonic(db) + length;
  const lost: string[] = [];
  const cancelRequested: string[] = [];
  for (const { id, fence } of leases) {
    const row = db.get<{ cancel_requested: number }>(
      `UPDATE task SET lease_boot = ?, lease_until = ?, lease_ms = ? WHERE ${HELD} RETURNING cancel_requested`,
      db.clock.boot,
      until,
      length,
      id,
      fence,
    );
    if (row === undefined) lost.push(id);
    else if (row.cancel_requested === 1) cancelRequested.push(id);
  }
  return { lost, cancelRequested };
}

/** Stores progress and forgives crashes, in a transaction. */
export function progress(db: Connection, reports: readonly ProgressReport[]): { lost: string[] } {
  const sql = `UPDATE task SET progress = ?, crashes = 0 WHERE ${HELD}`;
  const lost = reports.filter(
    ({ id, fence, value }) => db.run(sql, JsonText.of(value).text, id, fence) === 0,
  );
  return { lost: lost.map(({ id }) => id) };
}
