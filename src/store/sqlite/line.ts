import type { BucketRate } from "../contract.ts";
import { allowance, bucketWait } from "./buckets.ts";
import type { Connection } from "./connection.ts";

/**
 * The lines of waiting tasks, read through their indexes (queue, bucket, priority, due). The due time stands behind the
 * priority there, so one range over a line would walk past every delayed task; instead each priority in use is looked
 * up and read on its own, and only as far as needed. A bucket is a line of its own, so that a million tasks that wait
 * for their rate stand in nobody's way.
 */
interface Line {
  /** The rest of a FROM that names the line, with its values. */
  readonly from: string;
  readonly values: readonly string[];
  readonly rate: BucketRate | null;
}

const WAITING = "task INDEXED BY task_backlog WHERE state = 'waiting' AND due IS NOT NULL AND queue = ?";
const PLAIN = `${WAITING} AND bucket IS NULL`;
const BUCKET = `${WAITING} AND bucket = ?`;

/** The lines of some queues that are not paused. */
function linesOf(db: Connection, queues: readonly string[], buckets: readonly BucketRate[]): Line[] {
  const paused = new Set(
    db.all<{ name: string }>("SELECT name FROM queue WHERE paused = 1").map((row) => row.name),
  );
  const rates = new Map(buckets.map((rate) => [rate.bucket, rate])).values().toArray();
  return [...new Set(queues)]
    .filter((queue) => !paused.has(queue))
    .flatMap((queue) => [
      { from: PLAIN, values: [queue], rate: null },
      ...rates.map((rate) => ({ from: BUCKET, values: [queue, rate.bucket], rate })),
    ]);
}

/** The priorities in use in a line, highest first. */
function* priorities(db: Connection, { from, values }: Line): Generator<number> {
  const next = (beyond: string, ...more: number[]) =>
    db.get<{ p: number | null }>(`SELECT max(priority) AS p FROM ${from}${beyond}`, ...values, ...more)?.p ??
    null;
  for (let found = next(""); found !== null; found = next(" AND priority < ?", found)) yield found;
}

export interface Place {
  readonly seq: number;
  readonly due: number;
  readonly rate: BucketRate | null;
}

export interface LineRequest {
  readonly queues: readonly string[];
  readonly buckets: readonly BucketRate[];
  readonly n: number;
  /** Leave out what has expired; it costs a look at each task, not only at the index. */
  readonly alive: boolean;
}

/** The first due tasks of some queues and buckets, by priority, due time and order of enqueueing. */
export function firstInLine(db: Connection, { queues, buckets, n, alive }: LineRequest): Place[] {
  const now = db.clock.wall();
  const left = new Map<BucketRate | null, number>([[null, n]]);
  for (const rate of buckets) left.set(rate, allowance(db, rate));
  const walks = linesOf(db, queues, buckets)
    .filter(({ rate }) => (left.get(rate) ?? 0) > 0)
    .map((line) => {
      const walk = priorities(db, line);
      return { line, walk, priority: walk.next().value };
    });
  const chosen: Place[] = [];
  while (chosen.length < n) {
    const highest = Math.max(...walks.map(({ priority }) => priority ?? Number.NEGATIVE_INFINITY));
    if (highest === Number.NEGATIVE_INFINITY) break;
    const tier: Place[] = [];
    for (const at of walks) {
      if (at.priority !== highest) continue;
      const { from, values, rate } = at.line;
      const rows = db.tuples<[seq: number, due: number]>(
        `SELECT seq, due FROM ${from} AND priority = ? AND due <= ?${alive ? ` AND ${NOT_EXPIRED}` : ""}
         ORDER BY due, seq LIMIT ?`,
        ...values,
        highest,
        now,
        ...(alive ? [now] : []),
        Math.min(n - chosen.length, left.get(rate) ?? 0),
      );
      for (const [seq, due] of rows) tier.push({ seq, due, rate });
      at.priority = at.walk.next().value;
    }
    tier.sort((a, b) => a.due - b.due || a.seq - b.seq);
    for (const place of tier) {
      if (chosen.length === n) break;
      const room = left.get(place.rate) ?? 0;
      // A bucket that runs through several queues has one rate for all.
      if (place.rate !== null && room <= 0) continue;
      left.set(place.rate, room - 1);
      chosen.push(place);
    }
  }
  return chosen;
}

/** Was begun already, or may still wait. */
export const NOT_EXPIRED = "(fence > 0 OR expires_at IS NULL OR expires_at > ?)";

/** When the first of a line is due; null when none waits. */
function firstDue(db: Connection, line: Line): number | null {
  let first: number | null = null;
  for (const priority of priorities(db, line)) {
    const row = db.get<{ due: number }>(
      `SELECT min(due) AS due FROM ${line.from} AND priority = ?`,
      ...line.values,
      priority,
    );
    if (row !== undefined && (first === null || row.due < first)) first = row.due;
  }
  return first;
}

/** Milliseconds until the next waiting task of some queues and buckets may be claimed; null when none waits. */
export function nextInLine(
  db: Connection,
  queues: readonly string[],
  buckets: readonly BucketRate[],
): number | null {
  const now = db.clock.wall();
  let least: number | null = null;
  for (const line of linesOf(db, queues, buckets)) {
    const due = firstDue(db, line);
    if (due === null) continue;
    const wait = Math.max(0, due - now, line.rate === null ? 0 : bucketWait(db, line.rate));
    if (least === null || wait < least) least = wait;
  }
  return least;
}

/** Since when the first task of a queue, in whichever bucket, could have been claimed; null when none could. */
export function oldestDue(db: Connection, queue: string): number | null {
  const lines: Line[] = [{ from: PLAIN, values: [queue], rate: null }];
  const nextBucket = `SELECT min(bucket) AS bucket FROM ${WAITING} AND bucket > ?`;
  for (let bucket: string | null = ""; bucket !== null; ) {
    bucket = db.get<{ bucket: string | null }>(nextBucket, queue, bucket)?.bucket ?? null;
    if (bucket !== null) lines.push({ from: BUCKET, values: [queue, bucket], rate: null });
  }
  let oldest: number | null = null;
  for (const line of lines) {
    const due = firstDue(db, line);
    if (due !== null && due <= db.clock.wall() && (oldest === null || due < oldest)) oldest = due;
  }
  return oldest;
}
