import type { BucketRate, TaskState } from "../contract.ts";
import { addAttempts } from "./attempts.ts";
import { assertRates, bucketWait, readBuckets } from "./buckets.ts";
import { cancelExpired } from "./cancel.ts";
import { crashed } from "./crash.ts";
import { lockGroupsOf } from "./groups.ts";
import { LEASED } from "./leases.ts";
import { nextDue } from "./line.ts";
import { ENDED, type Ended, type Moves } from "./moves.ts";
import type { Session } from "./session.ts";
import { followSetBack, IS_SET_BACK } from "./set-back.ts";
import { sought } from "./sought.ts";
import { texts } from "./values.ts";

/** Of the tasks `t` that are leased: those whose lease has run out, or whose worker is one of $1. */
const TAKEABLE = "(t.lease_until <= (SELECT pawl.now_ms()) OR t.worker = ANY($1::text[]))";

const EXPIRED = `(SELECT min(expiring) <= (SELECT pawl.now_ms()) FROM pawl.task WHERE expiring IS NOT NULL)`;

/** Whether a sweep would find anything: asked first, so that an idle sweep writes nothing. */
export async function canSweep(session: Session, deadWorkers: readonly string[]): Promise<boolean> {
  const row = await session.get<{ found: boolean }>(
    `SELECT coalesce(${EXPIRED}, false) OR ${IS_SET_BACK} OR EXISTS (SELECT FROM ${LEASED} WHERE ${TAKEABLE}) AS found`,
    [texts(deadWorkers)],
  );
  return row?.found ?? false;
}

interface Taken extends Ended {
  readonly state: TaskState;
}

/** Takes leases back and cancels what has expired, in a transaction. `poisoned` is part of `expired`. */
export async function sweep(
  moves: Moves,
  deadWorkers: readonly string[],
  poisonAfter: number,
): Promise<{ expired: string[]; poisoned: string[] }> {
  const { session } = moves;
  await cancelExpired(moves);
  const isSetBack = await followSetBack(session);
  lockGroupsOf(
    session,
    `t.seq = ANY(ARRAY(SELECT t.seq FROM ${LEASED} WHERE ${TAKEABLE}))`,
    [texts(deadWorkers)],
    { single: true },
  );
  // A task that is just being settled is passed over: its worker lives.
  const rows = await session.all<Taken>(
    `WITH taken AS MATERIALIZED (SELECT t.seq FROM pawl.task AS t WHERE t.seq = ANY(ARRAY(SELECT t.seq FROM ${LEASED} WHERE ${TAKEABLE}))
         AND t.state = 'leased' AND ${TAKEABLE} FOR UPDATE SKIP LOCKED)
     UPDATE pawl.task AS t SET ${crashed("(SELECT pawl.now_ms())", "$2::integer")} FROM taken WHERE ${sought("t.seq", "taken.seq")}
     RETURNING ${ENDED}, t.state`,
    [texts(deadWorkers), poisonAfter],
  );
  rows.sort((a, b) => a.seq - b.seq);
  addAttempts(
    session,
    rows.map(({ id, fence, state }) => ({ id, fence, state, result: "crashed", error: null, log: null })),
  );
  for (const task of rows) moves.end(task, "leased", task.state);
  moves.wakes = isSetBack || rows.length > 0;
  return {
    expired: rows.map(({ id }) => id),
    poisoned: rows.filter(({ state }) => state === "dead").map(({ id }) => id),
  };
}

/** Milliseconds until a task of the queues can be claimed or taken back; null never. */
export async function due(
  session: Session,
  queues: readonly string[],
  buckets: readonly BucketRate[],
): Promise<number | null> {
  const names = [...new Set(queues)];
  if (names.length === 0) return null;
  assertRates(buckets);
  const ofBucket = async (bucket: string, queue: string) => {
    const row = await session.get<{ due: number | null }>(nextDue("bucket"), [queue, bucket]);
    return { bucket, due: row?.due ?? null };
  };
  // All at once, and awaited together: should the connection break, every one of them fails.
  const [clock, leases, uses, plain, inBuckets] = await Promise.all([
    session.get<{ now: number }>("SELECT pawl.now_ms() AS now"),
    session.get<{ until: number | null }>(
      `SELECT min(t.lease_until) AS until FROM ${LEASED} WHERE t.queue = ANY($1::text[])`,
      [texts(names)],
    ),
    buckets.length === 0 ? [] : readBuckets(session, buckets),
    Promise.all(names.map((queue) => session.get<{ due: number | null }>(nextDue("plain"), [queue]))),
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
  const wait = new Map(uses.map((use) => [use.rate.bucket, bucketWait(use)]));
  for (const { bucket, due: at } of inBuckets) add(at, wait.get(bucket));
  return waits.length === 0 ? null : Math.min(...waits);
}
