import type { ChangeRecord } from "../contract.ts";
import { changesAfter } from "../sql/changes.ts";
import type { Connection } from "./connection.ts";

/** Changes after `after`, in a transaction; none where it is null, and the number to continue from. */
export async function readChanges(
  connection: Connection,
  after: number | null,
  limit: number,
): Promise<{ changes: ChangeRecord[]; last: number }> {
  await numberChanges(connection);
  if (after !== null) return await connection.perform(changesAfter(after, limit));
  const row = await connection.get<{ value: number }>(
    "SELECT value FROM pawl.counter WHERE name = 'change_number'",
  );
  return { changes: [], last: row?.value ?? 0 };
}

/**
 * Gives the changes that were committed since the last look their numbers, so that a change whose transaction took long comes after those that
 * were read before. Another reader that does so at the same time waits.
 */
async function numberChanges(connection: Connection): Promise<void> {
  const fresh = await connection.get<{ found: boolean }>(
    "SELECT EXISTS (SELECT FROM pawl.change WHERE number IS NULL) AS found",
  );
  if (fresh?.found !== true) return;
  await connection.get("SELECT FROM pawl.counter WHERE name = 'change_number' FOR UPDATE");
  await connection.run(
    `WITH fresh AS MATERIALIZED (
       SELECT entry, row_number() OVER (ORDER BY entry) AS position FROM pawl.change WHERE number IS NULL),
     numbered AS (
       UPDATE pawl.change AS c SET number = n.value + fresh.position
       FROM fresh, pawl.counter AS n WHERE c.entry = fresh.entry AND n.name = 'change_number')
     UPDATE pawl.counter SET value = value + (SELECT count(*) FROM fresh) WHERE name = 'change_number'`,
  );
}
