/** Changes of tasks, which are kept while a subscriber reads them. */
import type { ChangeRecord } from "../contract.ts";
import { duration } from "../storable.ts";
import type { StateChange } from "./state-transitions.ts";
import { all, CHANGE_KEY, later, lookup, NOW, type Procedure, raw, rows, run, sql } from "./statement.ts";

/** Changes that are not fetched are kept this long. */
export const KEPT_MS = 600_000;

/** Keeps changes for some time, in a transaction. A shorter time does not end a longer one. */
export function* recordChanges(forMs: number): Procedure<void> {
  yield* forgetChanges();
  const until = sql`${NOW} + CAST(${duration(forMs)} AS bigint)`;
  yield* run(
    sql`UPDATE pawl.counter SET value = CASE WHEN value > ${until} THEN value ELSE ${until} END
     WHERE name = 'recording_until'`,
  );
}

/** Removes changes that are too old to be waited for, in a transaction. */
export function* forgetChanges(): Procedure<void> {
  yield* later(
    sql`DELETE FROM pawl.change
     WHERE ${CHANGE_KEY} <= (SELECT max(${CHANGE_KEY}) FROM pawl.change WHERE at < ${NOW} - ${raw(String(KEPT_MS))})`,
  );
}

/** Keeps changes, in the transaction in which they happened. */
export function* keepChanges(changes: readonly StateChange[]): Procedure<void> {
  yield* later(
    sql`INSERT INTO pawl.change (at, task, name, queue, flow, state, fence)
     SELECT ${NOW}, t.id, t.name, t.queue, t.flow, c.state, c.fence
     FROM ${rows("c", {
       position: ["bigint", changes.map((_, at) => at)],
       id: ["text", changes.map(({ id }) => id)],
       state: ["text", changes.map(({ state }) => state)],
       fence: ["bigint", changes.map(({ fence }) => fence)],
     })} JOIN pawl.task AS t ON ${lookup("t.id", "c.id")}
     ORDER BY c.position`,
  );
}

/** A page of the changes after `after`. */
export function* changesAfter(
  after: number,
  limit: number,
): Procedure<{ changes: ChangeRecord[]; last: number }> {
  const changes = yield* all<ChangeRecord>(
    sql`SELECT number, at, task, name, queue, flow, state, fence FROM pawl.change
     WHERE number > ${after} ORDER BY number LIMIT ${limit}`,
  );
  return { changes, last: changes.at(-1)?.number ?? after };
}
