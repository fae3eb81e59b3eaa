import type { GroupState, NewGroup, Settlement, TaskResult, TaskState } from "../contract.ts";
import { duration } from "../storable.ts";
import { addAttempts } from "./attempts.ts";
import { cancelWaiting } from "./cancel.ts";
import { claims, keyOf } from "./claims.ts";
import { crashed } from "./crash.ts";
import { enqueue, type Placed } from "./enqueue.ts";
import { lockGroups } from "./groups.ts";
import { type Alike, ENDED as ENDED_COLUMNS, type Ended, type Moves } from "./moves.ts";
import { prepared } from "./session.ts";
import { sought } from "./sought.ts";
import { scalars, storable, texts, toText } from "./values.ts";

type Success = Extract<TaskResult, { state: "succeeded" }>;

interface Settled extends Ended {
  readonly state: TaskState;
  readonly child_index: number | null;
}

const RETURNING = `RETURNING ${ENDED_COLUMNS}, t.state, t.child_index`;

/** Successes that nothing follows. */
const SUCCEEDED = `
  UPDATE pawl.task AS t SET state = 'succeeded', result = s.result, error = NULL, settled_at = (SELECT pawl.now_ms()),
    prune_at = (SELECT pawl.now_ms()) + t.retention_ms
  FROM ${claims("unnest($1::text[], $2::integer[], $3::text[]) WITH ORDINALITY AS u (id, fence, result, place)")}`;

/** Those of tasks in no group, which are most: told of in groups, and noted at once until when they are kept. */
const SUCCEEDED_ALONE = prepared(`
  WITH done AS (${SUCCEEDED} AND (t.group_id IS NULL) = s.alone RETURNING t.queue, t.lease, t.prune_at, t.seq, s.place),
  kept AS (
    INSERT INTO pawl.retained (prune_at, tasks)
    SELECT prune_at, array_agg(seq) FROM done WHERE prune_at IS NOT NULL GROUP BY prune_at)
  SELECT queue, lease, array_agg(place)::text AS places FROM done GROUP BY queue, lease`);

/**
 * Every other way to end a claim that is not a crash. A task that was asked to stop does not go back in line, since
 * who hands it back has stopped; and what follows a task is cancelled with it.
 */
const ENDED = `
  UPDATE pawl.task AS t SET
    state = CASE
      WHEN s.kind IN ('dead', 'cancelled') THEN s.kind
      WHEN s.kind = 'succeeded' AND NOT (s.follows AND t.cancel_requested) THEN s.kind
      WHEN t.cancel_requested THEN 'cancelled' ELSE 'waiting' END,
    due = CASE WHEN s.kind IN ('retry', 'snoozed') AND NOT t.cancel_requested THEN (SELECT pawl.now_ms()) + s.delay_ms END,
    settled_at = CASE WHEN s.kind NOT IN ('retry', 'snoozed') OR t.cancel_requested THEN (SELECT pawl.now_ms()) END,
    prune_at = CASE WHEN s.kind NOT IN ('retry', 'snoozed') OR t.cancel_requested
      THEN (SELECT pawl.now_ms()) + t.retention_ms END,
    failures = t.failures + CASE WHEN s.kind IN ('retry', 'dead') THEN 1 ELSE 0 END,
    error = CASE
      WHEN s.kind IN ('retry', 'dead') THEN s.error
      WHEN s.kind = 'succeeded' AND NOT (s.follows AND t.cancel_requested) THEN NULL
      ELSE t.error END,
    result = CASE WHEN s.kind = 'succeeded' AND NOT (s.follows AND t.cancel_requested) THEN s.result ELSE t.result END
  FROM ${claims(`unnest($1::text[], $2::integer[], $3::text[], $4::text[], $5::boolean[], $6::bigint[], $7::text[])
    AS u (id, fence, kind, result, follows, delay_ms, error)`)} ${RETURNING}`;

const CRASHED = `
  UPDATE pawl.task AS t SET ${crashed("(SELECT pawl.now_ms()) + s.delay_ms", "s.poison")}
  FROM ${claims("unnest($1::text[], $2::integer[], $3::bigint[], $4::integer[]) AS u (id, fence, delay_ms, poison)")}
  ${RETURNING}`;

/** Ends claims, in a transaction. */
export async function settle(
  moves: Moves,
  settlements: readonly Settlement[],
  location: string,
): Promise<{ lost: string[] }> {
  // Everybody takes rows in the same order, so that nobody waits for somebody who waits for him. Of two settlements of
  // one claim the first one counts, and the second has lost it.
  const sorted = settlements.toSorted(
    (a, b) => (a.id < b.id ? -1 : Number(a.id > b.id)) || a.fence - b.fence,
  );
  const batch = sorted.filter(({ id, fence }, at) => {
    const before = sorted[at - 1];
    return before === undefined || before.id !== id || before.fence !== fence;
  });
  const alone = await succeedAlone(moves, batch);
  if (alone.size === settlements.length) return { lost: [] };
  const rest = batch.filter((settlement) => !alone.has(settlement));
  const held = await settleRest(moves, rest, location);
  const gone = settlements.filter((settlement) => !alone.has(settlement) && !held.has(settlement));
  return { lost: gone.map(({ id }) => id) };
}

/** Settles first successes of tasks in no group that wrote no log: nobody but their own row needs to know of them. */
async function succeedAlone(moves: Moves, batch: readonly Settlement[]): Promise<Set<Settlement>> {
  const plain = batch.filter(
    ({ fence, result, log }) =>
      fence === 1 &&
      log === undefined &&
      result.state === "succeeded" &&
      result.meta === undefined &&
      !hasNext(result),
  );
  const settled = new Set<Settlement>();
  if (plain.length === 0) return settled;
  const groups = await moves.session.all<Alike & { readonly places: string }>(SUCCEEDED_ALONE, [
    ...leasesOf(plain),
    texts(plain.map(resultOf)),
  ]);
  for (const { places, ...alike } of groups) {
    const tasks = places
      .slice(1, -1)
      .split(",")
      .map((place) => plain[Number(place) - 1] as Settlement);
    for (const settlement of tasks) settled.add(settlement);
    moves.succeed(alike, tasks);
  }
  return settled;
}

/** Settles what may be more than that; returns those whose claims were held. */
async function settleRest(
  moves: Moves,
  batch: readonly Settlement[],
  location: string,
): Promise<Set<Settlement>> {
  if (batch.length === 0) return new Set();
  moves.session.later(
    `SELECT FROM pawl.task_group AS j
     WHERE j.id = ANY(ARRAY(SELECT t.group_id FROM unnest($1::text[]) AS s (id) JOIN pawl.task AS t ON ${sought("t.id", "s.id")}))
     ORDER BY j.id FOR UPDATE`,
    [texts(batch.map(({ id }) => id))],
  );
  const settled = new Map((await write(moves, batch)).map((task) => [keyOf(task), task]));
  const held = batch.filter((settlement) => settled.has(keyOf(settlement)));
  addAttempts(
    moves.session,
    held.map(({ id, fence, result, log = null }) => {
      const { state } = settled.get(keyOf({ id, fence })) as Settled;
      const error = "error" in result ? result.error : null;
      return { id, fence, state, result: result.state, error, log };
    }),
  );
  replaceMeta(moves, held, settled);
  const passedOn = await follow(moves, held, settled, location);
  for (const { result, ...lease } of held) {
    const task = settled.get(keyOf(lease)) as Settled;
    moves.end(passedOn.has(task.id) ? { ...task, group_id: null } : task, "leased", task.state);
    if (task.state === "waiting") moves.wakes ||= result.state !== "snoozed" || result.delayMs !== null;
  }
  return new Set(held);
}

/** Writes what the layer above keeps with the tasks that succeeded, where that changed. */
function replaceMeta(moves: Moves, held: readonly Settlement[], settled: ReadonlyMap<string, Settled>): void {
  const changed = held.flatMap(({ result, ...lease }) =>
    result.state === "succeeded" &&
    result.meta !== undefined &&
    settled.get(keyOf(lease))?.state === "succeeded"
      ? [{ id: lease.id, meta: toText(result.meta) }]
      : [],
  );
  if (changed.length === 0) return;
  moves.session.later(
    `UPDATE pawl.task AS t SET meta = m.meta
     FROM unnest($1::text[], $2::text[]) AS m (id, meta) WHERE t.id = m.id`,
    [texts(changed.map(({ id }) => id)), texts(changed.map(({ meta }) => meta))],
  );
}

/** One statement a kind of result. */
async function write(moves: Moves, batch: readonly Settlement[]): Promise<Settled[]> {
  const {
    plain = [],
    dead = [],
    other = [],
  } = Object.groupBy(batch, ({ result }) => {
    if (result.state === "crashed") return "dead";
    return result.state === "succeeded" && !hasNext(result) ? "plain" : "other";
  });
  const delay = ({ result }: Settlement) =>
    "delayMs" in result && result.delayMs !== null ? duration(result.delayMs) : null;
  const pages: Promise<Settled[]>[] = [];
  if (plain.length > 0) {
    const values = [...leasesOf(plain), texts(plain.map(resultOf))];
    pages.push(moves.session.all(`${SUCCEEDED} ${RETURNING}`, values));
  }
  if (other.length > 0) {
    pages.push(
      moves.session.all(ENDED, [
        ...leasesOf(other),
        texts(other.map(({ result }) => result.state)),
        texts(other.map(resultOf)),
        scalars(other.map(({ result }) => result.state === "succeeded" && hasNext(result))),
        scalars(other.map(delay)),
        texts(other.map(({ result }) => ("error" in result ? storable(result.error) : null))),
      ]),
    );
  }
  if (dead.length > 0) {
    pages.push(
      moves.session.all(CRASHED, [
        ...leasesOf(dead),
        scalars(dead.map(delay)),
        scalars(dead.map(({ result }) => (result.state === "crashed" ? result.poisonAfter : null))),
      ]),
    );
  }
  return (await Promise.all(pages)).flat();
}

function leasesOf(some: readonly Settlement[]): [string | null, string | null] {
  return [texts(some.map(({ id }) => id)), scalars(some.map(({ fence }) => fence))];
}

function resultOf({ result }: Settlement): string | null {
  return result.state === "succeeded" ? toText(result.value) : null;
}

function hasNext({ next = [], groups = [] }: Success): boolean {
  return next.length > 0 || groups.length > 0;
}

interface Passing {
  readonly from: Settled;
  readonly heir: string;
}

/** Enqueues what follows the tasks that succeeded; returns the ids of those whose place in a group was taken by an heir. */
async function follow(
  moves: Moves,
  held: readonly Settlement[],
  settled: ReadonlyMap<string, Settled>,
  location: string,
): Promise<Set<string>> {
  const going = held.flatMap(({ result, ...lease }) => {
    const from = settled.get(keyOf(lease)) as Settled;
    const goes = result.state === "succeeded" && from.state === "succeeded" && hasNext(result);
    return goes ? [{ from, result }] : [];
  });
  if (going.length === 0) return new Set();
  // A group may have been cleaned up with its callback.
  const left = going.flatMap(({ from, result }) => (result.successor == null ? [] : (from.group_id ?? [])));
  const there = left.length === 0 ? new Map() : await lockGroups(moves.session, new Set(left));
  const next: Placed[] = [];
  const groups: NewGroup[] = [];
  const passing: Passing[] = [];
  for (const { from, result } of going) {
    for (const task of result.next ?? []) {
      const inherits = task.id === result.successor && from.group_id !== null && there.has(from.group_id);
      if (inherits) passing.push({ from, heir: task.id });
      // The place is given up only when the heir is stored, so that none of the others can take it meanwhile.
      next.push({ task, childOf: inherits ? undefined : task.childOf });
    }
    groups.push(...(result.groups ?? []));
  }
  const added = new Set(await enqueue(moves, next, groups, location));
  // One that could not be stored, because its id or its unique key is taken, leaves the place to who has it.
  const passed = passing.filter(({ heir }) => added.has(heir));
  if (passed.length > 0) await passOn(moves, passed, there);
  return new Set(passed.map(({ from }) => from.id));
}

/** Gives heirs the places of those they come after. Where the group has failed meanwhile they are cancelled at once. */
async function passOn(
  moves: Moves,
  passed: readonly Passing[],
  states: ReadonlyMap<string, GroupState>,
): Promise<void> {
  moves.session.later("UPDATE pawl.task SET group_id = NULL, child_index = NULL WHERE id = ANY($1::text[])", [
    texts(passed.map(({ from }) => from.id)),
  ]);
  moves.session.later(
    `UPDATE pawl.task AS t SET group_id = p.group_id, child_index = p.child_index
     FROM unnest($1::text[], $2::text[], $3::bigint[]) AS p (id, group_id, child_index) WHERE ${sought("t.id", "p.id")}`,
    [
      texts(passed.map(({ heir }) => heir)),
      texts(passed.map(({ from }) => from.group_id)),
      scalars(passed.map(({ from }) => from.child_index)),
    ],
  );
  const late = passed.filter(({ from }) => from.group_id !== null && states.get(from.group_id) === "failed");
  if (late.length === 0) return;
  await cancelWaiting(moves, "t.id = ANY($1::text[])", [texts(late.map(({ heir }) => heir))]);
}
