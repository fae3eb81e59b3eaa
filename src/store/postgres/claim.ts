/** Which tasks may be claimed, in which order, and what is held by a claim. */
import { aheadMsAfter, startsAllowed, waitMs } from "../../rate-limit.ts";
import type { BucketRate, Claim, ClaimRequest, Lease, ProgressReport } from "../contract.ts";
import { byClaimOrder, type Candidate, firstInOrder } from "../sql/claim-order.ts";
import { aheadMsNow, assertRate, ratesByBucket } from "../sql/rate-limit.ts";
import type { StateTransitions } from "../sql/state-transitions.ts";
import { CLAIMED_COLUMNS, type ClaimedRow, toClaimedTask } from "../sql/task-row.ts";
import { duration } from "../storable.ts";
import { type Connection, prepared } from "./connection.ts";
import { lookup, scalars, texts, toText } from "./dialect.ts";
import type { Transaction } from "./transaction-runner.ts";

/**
 * The waiting tasks of a queue that are in no bucket (`plain`), or those of one bucket, read through their indexes (queue,
 * bucket, priority, due). The due time comes after the priority there, so one range over a backlog would read every
 * delayed task; instead each priority in use is looked up and read on its own, and only as far as needed. A bucket has a
 * backlog of its own, so that a million tasks that wait for their rate do not hold up others.
 *
 * The conditions are those of the indexes, word by word: only then does the planner see that they serve.
 */
type Kind = "plain" | "bucket";

/** That an entry `l` is in the backlog of the queue $1, and of the bucket $2 if it is one's. */
function isIn(kind: Kind): string {
  return kind === "plain"
    ? "l.bucket IS NULL AND l.queue = $1"
    : "l.bucket IS NOT NULL AND l.queue = $1 AND l.bucket = $2";
}

/** The priorities in use in a backlog, highest first, as a recursive common table `tier`; none in a paused queue. */
function tiers(kind: Kind, all = false): string {
  const open = all ? "true" : "NOT EXISTS (SELECT FROM pawl.queue WHERE name = $1 AND paused)";
  return `WITH RECURSIVE tier (priority) AS (
    (SELECT l.priority FROM pawl.backlog AS l WHERE ${isIn(kind)} AND ${open} ORDER BY l.priority DESC LIMIT 1)
    UNION ALL
    SELECT (SELECT l.priority FROM pawl.backlog AS l WHERE ${isIn(kind)} AND l.priority < tier.priority
      ORDER BY l.priority DESC LIMIT 1)
    FROM tier WHERE tier.priority IS NOT NULL
  )`;
}

/** Was begun already, or may still wait. */
const NOT_EXPIRED = "(t.fence > 0 OR t.expires_at IS NULL OR t.expires_at > clock.now)";

/**
 * The first due tasks of a backlog, locked; those that another worker is just claiming are passed over. At most as many
 * as the value `limit` says. A task that was changed before it was locked is not part of the backlog any more if its fence or
 * its due time is another.
 */
function firstDue(kind: Kind, limit: string): string {
  return `${tiers(kind)}, clock AS MATERIALIZED (SELECT pawl.now_ms() AS now),
  chosen AS MATERIALIZED (
    SELECT first.* FROM tier, clock, LATERAL (
      SELECT l.ctid AS entry, l.seq, l.priority, l.due, l.bucket
      FROM pawl.backlog AS l JOIN pawl.task AS t ON ${lookup("t.seq", "l.seq")} AND t.fence = l.fence AND t.due = l.due
      WHERE ${isIn(kind)} AND l.priority = tier.priority AND l.due <= clock.now AND ${NOT_EXPIRED}
      ORDER BY l.due, l.seq LIMIT ${limit} FOR UPDATE OF t SKIP LOCKED) AS first
    LIMIT ${limit})`;
}

/** When the first of a backlog is due; null when none waits. */
export function nextDue(kind: Kind, all = false): string {
  return `${tiers(kind, all)}
  SELECT min(next.due) AS due FROM tier, LATERAL (
    SELECT l.due FROM pawl.backlog AS l WHERE ${isIn(kind)} AND l.priority = tier.priority
    ORDER BY l.due LIMIT 1) AS next`;
}

/**
 * Leases the tasks in the common table `chosen`, which are locked. They are found once more by their numbers: one that
 * was changed before it was locked is at another place than this statement sees.
 */
function leaseChosen(worker: string, length: string): string {
  return `
  batch AS MATERIALIZED (SELECT nextval('pawl.lease_number') AS number WHERE EXISTS (SELECT FROM chosen)),
  gone AS (DELETE FROM pawl.backlog AS l USING chosen WHERE l.ctid = chosen.entry),
  held AS (
    INSERT INTO pawl.lease (number, open, tasks)
    SELECT batch.number, count(*), array_agg(chosen.seq) FROM chosen, batch GROUP BY batch.number)
  UPDATE pawl.task AS t SET state = 'leased', due = NULL, fence = t.fence + 1, worker = ${worker},
    started_at = (SELECT pawl.now_ms()), lease_until = (SELECT pawl.now_ms()) + ${length}, lease = batch.number
  FROM chosen, batch WHERE ${lookup("t.seq", "chosen.seq")} RETURNING ${CLAIMED_COLUMNS}, chosen.due AS was_due`;
}

/** Most claims are for one queue, and are one statement. */
const CLAIM_ONE = prepared(`${firstDue("plain", "$2")}, ${leaseChosen("$3::text", "$4::bigint")}`);

/** Leases tasks that were locked by statements before. */
const CLAIM_CHOSEN = `WITH chosen AS MATERIALIZED (
    SELECT c.seq, c.entry, c.due FROM unnest($1::bigint[], $2::tid[], $3::bigint[]) AS c (seq, entry, due)),
  ${leaseChosen("$4::text", "$5::bigint")}`;

/** A task that was claimed, and since when it could have been. */
type Row = readonly [...ClaimedRow, wasDue: number];

const SEQ = 0;
const PRIORITY = 5;
const WAS_DUE = 22;

/** Leases tasks to a worker, in a transaction. */
export async function claim(
  { connection, leaveMarker }: Transaction,
  transitions: StateTransitions,
  request: ClaimRequest,
): Promise<Claim[]> {
  const queues = [...new Set(request.queues)];
  const [only] = queues;
  const rows =
    queues.length === 1 && only !== undefined && (request.buckets ?? []).length === 0
      ? await claimFrom(connection, only, request, leaveMarker)
      : await claimFromMany(connection, queues, request);
  return rows
    .map((row) => ({ row, seq: row[SEQ], priority: row[PRIORITY], due: row[WAS_DUE] }))
    .sort(byClaimOrder)
    .map(({ row }) => {
      const task = toClaimedTask(row as unknown as ClaimedRow, request.worker);
      const { id, queue, fence, childOf } = task;
      transitions.add({ id, queue, fence, group_id: childOf?.group ?? null }, "waiting", "leased");
      return { id, fence, task };
    });
}

async function claimFrom(
  connection: Connection,
  queue: string,
  { n, worker, leaseMs }: ClaimRequest,
  leaveMarker: () => void,
): Promise<Row[]> {
  const claimed = connection.tuples<Row>(CLAIM_ONE, [queue, n, worker, duration(leaseMs)]);
  leaveMarker();
  return await claimed;
}

interface LockedCandidate extends Candidate {
  /** Where its entry in the backlog is. */
  readonly entry: string;
}

/**
 * Locks the first tasks of each backlog and leases the first of all of them. The others are free again when the transaction ends, which
 * is at once.
 */
async function claimFromMany(
  connection: Connection,
  queues: readonly string[],
  { n, worker, leaseMs, buckets = [] }: ClaimRequest,
): Promise<Row[]> {
  const uses = buckets.length === 0 ? [] : await lockBuckets(connection, buckets);
  const left = new Map(uses.map((use) => [use.rate.bucket, startsAllowed(use.rate, use.aheadMs)]));
  const find = (kind: Kind, values: (string | number)[]) =>
    connection.all<LockedCandidate>(
      `${firstDue(kind, `$${values.length}`)} SELECT seq, entry, priority, due, bucket FROM chosen`,
      values,
    );
  const found = await Promise.all(
    queues.flatMap((queue) => [
      find("plain", [queue, n]),
      ...[...left].flatMap(([bucket, allowed]) =>
        allowed > 0 ? [find("bucket", [queue, bucket, Math.min(n, allowed)])] : [],
      ),
    ]),
  );
  const chosen = firstInOrder(found.flat(), n, left);
  if (chosen.length === 0) return [];
  const rows = await connection.tuples<Row>(CLAIM_CHOSEN, [
    scalars(chosen.map(({ seq }) => seq)),
    texts(chosen.map(({ entry }) => entry)),
    scalars(chosen.map(({ due }) => due)),
    worker,
    duration(leaseMs),
  ]);
  charge(connection, uses, chosen);
  return rows;
}

/** A rate, and how many milliseconds of it are used ahead of the present. */
interface BucketUse {
  readonly rate: BucketRate;
  readonly aheadMs: number;
}

interface BucketRow {
  readonly name: string;
  /** How many milliseconds of the rate were used ahead of the moment of the last claim, and how long ago that was. */
  readonly ahead: number;
  readonly passed: number;
}

// A clock that was set back makes no time pass, rather than take some away.
const AHEAD = `SELECT name, ahead, greatest(0, (SELECT pawl.now_ms()) - claimed_at) AS passed FROM pawl.bucket
  WHERE name = ANY($1::text[])`;

/** How far the rates are used. */
async function readBuckets(connection: Connection, rates: readonly BucketRate[]): Promise<BucketUse[]> {
  return usesOf(rates, await connection.all<BucketRow>(AHEAD, [names(rates)]));
}

/** The same, and nothing else claims from these buckets until the transaction ends. */
async function lockBuckets(connection: Connection, rates: readonly BucketRate[]): Promise<BucketUse[]> {
  connection.later(
    "INSERT INTO pawl.bucket (name, claimed_at, ahead) SELECT unnest($1::text[]), 0, 0 ORDER BY 1 ON CONFLICT DO NOTHING",
    [names(rates)],
  );
  return usesOf(rates, await connection.all<BucketRow>(`${AHEAD} ORDER BY name FOR UPDATE`, [names(rates)]));
}

function names(rates: readonly BucketRate[]): string | null {
  return texts([...new Set(rates.map(({ bucket }) => bucket))]);
}

function usesOf(rates: readonly BucketRate[], rows: readonly BucketRow[]): BucketUse[] {
  const used = new Map(rows.map((row) => [row.name, row]));
  return ratesByBucket(rates).map((rate) => {
    const { ahead, passed } = used.get(rate.bucket) ?? { ahead: 0, passed: 0 };
    return { rate, aheadMs: aheadMsNow(rate, ahead, passed) };
  });
}

/** Writes how many were claimed from each bucket, in the transaction that has locked them. */
function charge(connection: Connection, uses: readonly BucketUse[], chosen: readonly Candidate[]): void {
  const charged = uses.flatMap((use) => {
    const claimed = chosen.filter(({ bucket }) => bucket === use.rate.bucket).length;
    return claimed === 0
      ? []
      : [{ name: use.rate.bucket, ahead: aheadMsAfter(use.rate, use.aheadMs, claimed) }];
  });
  if (charged.length === 0) return;
  connection.later(
    `UPDATE pawl.bucket AS b SET claimed_at = (SELECT pawl.now_ms()), ahead = c.ahead
     FROM unnest($1::text[], $2::double precision[]) AS c (name, ahead) WHERE b.name = c.name`,
    [texts(charged.map(({ name }) => name)), scalars(charged.map(({ ahead }) => ahead))],
  );
}

/**
 * The rest of a FROM that gives the tasks `t` that are leased. They are looked up one by one, because a planner that
 * does not know how few they are may walk all tasks.
 */
export const LEASED = `pawl.lease AS l CROSS JOIN LATERAL unnest(l.tasks) AS s (seq) CROSS JOIN LATERAL (
    SELECT t.seq, t.queue, t.worker, t.lease_until FROM pawl.task AS t
    WHERE ${lookup("t.seq", "s.seq")} AND t.lease = l.number AND t.state = 'leased' OFFSET 0) AS t`;

/** Milliseconds until a task of the queues can be claimed or taken back; null never. */
export async function claimableInMs(
  connection: Connection,
  queues: readonly string[],
  buckets: readonly BucketRate[],
): Promise<number | null> {
  const names = [...new Set(queues)];
  for (const rate of buckets) assertRate(rate);
  const ofBucket = async (bucket: string, queue: string) => {
    const row = await connection.get<{ due: number | null }>(nextDue("bucket"), [queue, bucket]);
    return { bucket, due: row?.due ?? null };
  };
  // All at once, and awaited together: should the connection break, every one of them fails.
  const [clock, leases, uses, plain, inBuckets] = await Promise.all([
    connection.get<{ now: number }>("SELECT pawl.now_ms() AS now"),
    connection.get<{ until: number | null }>(
      `SELECT min(t.lease_until) AS until FROM ${LEASED} WHERE t.queue = ANY($1::text[])`,
      [texts(names)],
    ),
    buckets.length === 0 ? [] : readBuckets(connection, buckets),
    Promise.all(names.map((queue) => connection.get<{ due: number | null }>(nextDue("plain"), [queue]))),
    Promise.all(
      [...new Set(buckets.map(({ bucket }) => bucket))].flatMap((bucket) =>
        names.map((queue) => ofBucket(bucket, queue)),
      ),
    ),
  ]);
  const now = clock?.now ?? 0;
  const waits: number[] = [];
  const add = (instant: number | null | undefined, atLeast = 0) => {
    if (instant != null) waits.push(Math.max(0, atLeast, instant - now));
  };
  add(leases?.until);
  for (const row of plain) add(row?.due);
  const wait = new Map(uses.map((use) => [use.rate.bucket, waitMs(use.rate, use.aheadMs)]));
  for (const { bucket, due: at } of inBuckets) add(at, wait.get(bucket));
  return waits.length === 0 ? null : Math.min(...waits);
}

/** Extends leases. A lease that has run out is extended too, as long as it was not taken back. */
export async function renew(
  connection: Connection,
  leases: readonly Lease[],
  leaseMs: number,
): Promise<{ lost: string[]; cancelRequested: string[] }> {
  const rows = await connection.all<{ id: string; fence: number; cancel_requested: boolean }>(
    `UPDATE pawl.task AS t SET lease_until = (SELECT pawl.now_ms()) + $3::bigint
     FROM ${heldClaims("unnest($1::text[], $2::integer[]) AS u (id, fence)")} RETURNING t.id, t.fence, t.cancel_requested`,
    [...columnsOf(leases), duration(leaseMs)],
  );
  const held = new Map(rows.map((row) => [keyOf(row), row]));
  return {
    lost: leases.filter((lease) => !held.has(keyOf(lease))).map(({ id }) => id),
    cancelRequested: leases.filter((lease) => held.get(keyOf(lease))?.cancel_requested).map(({ id }) => id),
  };
}

/** Stores progress and forgives crashes. Of several reports for one claim the last one is kept. */
export async function progress(
  connection: Connection,
  reports: readonly ProgressReport[],
): Promise<{ lost: string[] }> {
  const latest = [...new Map(reports.map((report) => [keyOf(report), report])).values()].sort(byId);
  const rows = await connection.all<Lease>(
    `UPDATE pawl.task AS t SET progress = s.value, crashes = 0
     FROM ${heldClaims("unnest($1::text[], $2::integer[], $3::text[]) AS u (id, fence, value)")} RETURNING t.id, t.fence`,
    [...columnsOf(latest), texts(latest.map(({ value }) => toText(value)))],
  );
  const held = new Set(rows.map(keyOf));
  return { lost: reports.filter((report) => !held.has(keyOf(report))).map(({ id }) => id) };
}

/**
 * The rest of a FROM that finds the claims of `list` that are still held: their rows `t`, and as `s` what is said of
 * them. What is asked of the task is compared with a column, because with a constant the planner may think that there
 * are few such tasks, and walk all of them.
 */
export function heldClaims(list: string): string {
  return `(SELECT *, 'leased'::text AS held, true AS alone FROM ${list} OFFSET 0) AS s
    WHERE ${lookup("t.id", "s.id")} AND t.fence = s.fence AND t.state = s.held`;
}

function keyOf({ id, fence }: Lease): string {
  return `${fence}:${id}`;
}

export function byId(a: Lease, b: Lease): number {
  return a.id < b.id ? -1 : Number(a.id > b.id) || a.fence - b.fence;
}

/** Ids and fences as arrays. Every transaction locks rows in the same order, so that no two wait for each other. */
function columnsOf(leases: readonly Lease[]): [string | null, string | null] {
  const sorted = leases.toSorted(byId);
  return [texts(sorted.map(({ id }) => id)), scalars(sorted.map(({ fence }) => fence))];
}
