import type { Claim, ClaimRequest, Lease, ProgressReport } from "../contract.ts";
import { duration } from "../storable.ts";
import { allowance, type BucketUse, charge, lockBuckets } from "./buckets.ts";
import { firstInLine, type Line } from "./line.ts";
import type { Moves } from "./moves.ts";
import { prepared, type Session } from "./session.ts";
import { sought } from "./sought.ts";
import { CLAIMED_ROW, type OfAllClaimed, type TaskRow, toTask } from "./task-row.ts";
import { scalars, texts, toText } from "./values.ts";

/**
 * Leases the tasks in the common table `line`, which are locked. They are found once more by their numbers: one that
 * somebody had changed before it was locked does not stand where this statement sees it.
 */
function leaseLine(worker: string, length: string): string {
  return `
  batch AS MATERIALIZED (SELECT nextval('pawl.lease_number') AS number WHERE EXISTS (SELECT FROM line)),
  gone AS (DELETE FROM pawl.backlog AS l USING line WHERE l.ctid = line.place),
  held AS (
    INSERT INTO pawl.lease (number, open, tasks)
    SELECT batch.number, count(*), array_agg(line.seq) FROM line, batch GROUP BY batch.number)
  UPDATE pawl.task AS t SET state = 'leased', due = NULL, fence = t.fence + 1, worker = ${worker},
    started_at = (SELECT pawl.now_ms()), lease_until = (SELECT pawl.now_ms()) + ${length}, lease = batch.number
  FROM line, batch WHERE ${sought("t.seq", "line.seq")} RETURNING ${CLAIMED_ROW}, line.due AS was_due`;
}

/** Most claims are for one queue, and are one statement. */
const CLAIM_ONE = prepared(`${firstInLine("plain", "$2")}, ${leaseLine("$3::text", "$4::bigint")}`);

/** Leases tasks that were locked by statements before. */
const CLAIM_CHOSEN = `WITH line AS MATERIALIZED (
    SELECT c.seq, c.place, c.due FROM unnest($1::bigint[], $2::tid[], $3::bigint[]) AS c (seq, place, due)),
  ${leaseLine("$4::text", "$5::bigint")}`;

type ClaimedRow = Omit<TaskRow, keyof OfAllClaimed> & { readonly was_due: number };

/** Leases tasks to a worker, in a transaction. */
export async function claim(moves: Moves, request: ClaimRequest, note: () => void): Promise<Claim[]> {
  const queues = [...new Set(request.queues)];
  const [only] = queues;
  const rows =
    queues.length === 1 && only !== undefined && (request.buckets ?? []).length === 0
      ? await claimFrom(moves, only, request, note)
      : await claimFromMany(moves, queues, request);
  rows.sort((a, b) => b.priority - a.priority || a.was_due - b.was_due || a.seq - b.seq);
  for (const row of rows) moves.add(row, "waiting", "leased");
  const alike: OfAllClaimed = { state: "leased", due: null, worker: request.worker, settled_at: null };
  return rows.map((row) => ({ id: row.id, fence: row.fence, task: toTask(row, alike) }));
}

async function claimFrom(
  moves: Moves,
  queue: string,
  { n, worker, leaseMs }: ClaimRequest,
  note: () => void,
): Promise<ClaimedRow[]> {
  const claimed = moves.session.all<ClaimedRow>(CLAIM_ONE, [queue, n, worker, duration(leaseMs)]);
  note();
  return await claimed;
}

interface Place {
  readonly seq: number;
  /** Where it stands in the line. */
  readonly place: string;
  readonly priority: number;
  readonly due: number;
  readonly bucket: string | null;
}

/**
 * Looks at each line and leases the first of all. What was locked on the way and is not among them is free again when
 * the transaction ends, which is at once.
 */
async function claimFromMany(
  moves: Moves,
  queues: readonly string[],
  { n, worker, leaseMs, buckets = [] }: ClaimRequest,
): Promise<ClaimedRow[]> {
  const { session } = moves;
  const uses = buckets.length === 0 ? [] : await lockBuckets(session, buckets);
  const left = new Map(uses.map((use) => [use.rate.bucket, allowance(use)]));
  const look = (line: Line, values: (string | number)[]) =>
    session.all<Place>(
      `${firstInLine(line, `$${values.length}`)} SELECT seq, place, priority, due, bucket FROM line`,
      values,
    );
  const found = await Promise.all(
    queues.flatMap((queue) => [
      look("plain", [queue, n]),
      ...[...left].flatMap(([bucket, allowed]) =>
        allowed > 0 ? [look("bucket", [queue, bucket, Math.min(n, allowed)])] : [],
      ),
    ]),
  );
  const chosen = choose(found.flat(), n, left);
  if (chosen.length === 0) return [];
  const rows = await session.all<ClaimedRow>(CLAIM_CHOSEN, [
    scalars(chosen.map(({ seq }) => seq)),
    texts(chosen.map(({ place }) => place)),
    scalars(chosen.map(({ due }) => due)),
    worker,
    duration(leaseMs),
  ]);
  charge(session, counted(uses, chosen));
  return rows;
}

/** The first `n`, of each bucket no more than its rate allows. */
function choose(places: readonly Place[], n: number, left: Map<string, number>): Place[] {
  const chosen: Place[] = [];
  const inOrder = places.toSorted((a, b) => b.priority - a.priority || a.due - b.due || a.seq - b.seq);
  for (const place of inOrder) {
    if (chosen.length >= n) break;
    if (place.bucket !== null) {
      // A bucket that runs through several queues has one rate for all.
      const room = left.get(place.bucket) ?? 0;
      if (room <= 0) continue;
      left.set(place.bucket, room - 1);
    }
    chosen.push(place);
  }
  return chosen;
}

function counted(uses: readonly BucketUse[], chosen: readonly Place[]) {
  return uses.map((use) => ({
    ...use,
    claimed: chosen.filter(({ bucket }) => bucket === use.rate.bucket).length,
  }));
}

/** Extends leases. A lease that has run out is extended too, as long as nobody took it back. */
export async function renew(
  session: Session,
  leases: readonly Lease[],
  leaseMs: number,
): Promise<{ lost: string[]; cancelRequested: string[] }> {
  const rows = await session.all<{ id: string; fence: number; cancel_requested: boolean }>(
    `UPDATE pawl.task AS t SET lease_until = (SELECT pawl.now_ms()) + $3::bigint
     FROM ${claims("unnest($1::text[], $2::integer[]) AS u (id, fence)")} RETURNING t.id, t.fence, t.cancel_requested`,
    [...inOrder(leases), duration(leaseMs)],
  );
  const held = new Map(rows.map((row) => [keyOf(row), row]));
  return {
    lost: leases.filter((lease) => !held.has(keyOf(lease))).map(({ id }) => id),
    cancelRequested: leases.filter((lease) => held.get(keyOf(lease))?.cancel_requested).map(({ id }) => id),
  };
}

/** Stores progress and forgives crashes. Of several reports for one claim the last one is kept. */
export async function progress(
  session: Session,
  reports: readonly ProgressReport[],
): Promise<{ lost: string[] }> {
  const latest = [...new Map(reports.map((report) => [keyOf(report), report])).values()].sort(byId);
  const rows = await session.all<Lease>(
    `UPDATE pawl.task AS t SET progress = s.value, crashes = 0
     FROM ${claims("unnest($1::text[], $2::integer[], $3::text[]) AS u (id, fence, value)")} RETURNING t.id, t.fence`,
    [...inOrder(latest), texts(latest.map(({ value }) => toText(value)))],
  );
  const held = new Set(rows.map(keyOf));
  return { lost: reports.filter((report) => !held.has(keyOf(report))).map(({ id }) => id) };
}

/**
 * The rest of a FROM that finds the claims of `list` that are still held: their rows `t`, and as `s` what is said of
 * them. What is asked of the task is compared with a column, because with a constant the planner may think that there
 * are few such tasks, and walk all of them.
 */
export function claims(list: string): string {
  return `(SELECT *, 'leased'::text AS held, true AS alone FROM ${list} OFFSET 0) AS s
    WHERE ${sought("t.id", "s.id")} AND t.fence = s.fence AND t.state = s.held`;
}

export function keyOf({ id, fence }: Lease): string {
  return `${fence}:${id}`;
}

function byId(a: Lease, b: Lease): number {
  return a.id < b.id ? -1 : Number(a.id > b.id);
}

/** Ids and fences as arrays. Whoever writes several rows locks them in the same order as everybody else. */
function inOrder(leases: readonly Lease[]): [string | null, string | null] {
  const sorted = leases.toSorted(byId);
  return [texts(sorted.map(({ id }) => id)), scalars(sorted.map(({ fence }) => fence))];
}
