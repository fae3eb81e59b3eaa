import type { ChangeRecord } from "../contract.ts";
import { duration } from "../storable.ts";
import type { Session } from "./session.ts";

/** Changes that nobody fetched are kept this long. */
const KEPT_MS = 600_000;

/** Whether changes are kept now, as an expression. */
export const RECORDING =
  "(SELECT value > (SELECT pawl.now_ms()) FROM pawl.counter WHERE name = 'recording_until')";

/** Keeps changes for some time, in a transaction. A shorter time does not end a longer one. */
export async function record(session: Session, forMs: number): Promise<void> {
  forgetChanges(session);
  await session.run(
    "UPDATE pawl.counter SET value = greatest(value, (SELECT pawl.now_ms()) + $1::bigint) WHERE name = 'recording_until'",
    [duration(forMs)],
  );
}

/** Removes changes that are too old to be waited for, in a transaction. */
export function forgetChanges(session: Session): void {
  session.later(
    `DELETE FROM pawl.change WHERE entry <= (SELECT max(entry) FROM pawl.change WHERE at < (SELECT pawl.now_ms()) - ${KEPT_MS})`,
  );
}

/** Gives the changes that have come to light their numbers; who does so at the same time waits. */
async function number(session: Session): Promise<void> {
  const fresh = await session.get<{ found: boolean }>(
    "SELECT EXISTS (SELECT FROM pawl.change WHERE number IS NULL) AS found",
  );
  if (fresh?.found !== true) return;
  await session.get("SELECT FROM pawl.counter WHERE name = 'change_number' FOR UPDATE");
  await session.run(
    `WITH fresh AS MATERIALIZED (
       SELECT entry, row_number() OVER (ORDER BY entry) AS place FROM pawl.change WHERE number IS NULL),
     numbered AS (
       UPDATE pawl.change AS c SET number = n.value + fresh.place
       FROM fresh, pawl.counter AS n WHERE c.entry = fresh.entry AND n.name = 'change_number')
     UPDATE pawl.counter SET value = value + (SELECT count(*) FROM fresh) WHERE name = 'change_number'`,
  );
}

/** A page of the changes after `after`, in a transaction. */
export async function listChanges(
  session: Session,
  after: number | null,
  limit: number,
): Promise<{ changes: ChangeRecord[]; last: number }> {
  await number(session);
  if (after === null) {
    const row = await session.get<{ value: number }>(
      "SELECT value FROM pawl.counter WHERE name = 'change_number'",
    );
    return { changes: [], last: row?.value ?? 0 };
  }
  const changes = await session.all<ChangeRecord>(
    `SELECT number, at, task, name, queue, flow, state, fence FROM pawl.change
     WHERE number > $1 ORDER BY number LIMIT $2`,
    [after, limit],
  );
  return { changes, last: changes.at(-1)?.number ?? after };
}
