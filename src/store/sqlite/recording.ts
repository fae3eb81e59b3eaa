import type { ChangeRecord } from "../contract.ts";
import { duration } from "../storable.ts";
import type { Connection } from "./connection.ts";

/** Changes that nobody fetched are kept this long. */
const KEPT_MS = 600_000;

/** Whether changes of tasks are to be kept just now. */
export function isRecording(db: Connection): boolean {
  const row = db.get<{ value: number }>("SELECT value FROM counter WHERE name = 'recording_until'");
  return row !== undefined && row.value > db.clock.wall();
}

/** Keeps changes for some time, in a transaction. A shorter time does not end a longer one. */
export function record(db: Connection, forMs: number): void {
  const until = db.clock.wall() + duration(forMs);
  db.run("UPDATE counter SET value = max(value, ?) WHERE name = 'recording_until'", until);
  forgetChanges(db);
}

/** Removes changes that are too old to be waited for, in a transaction. */
export function forgetChanges(db: Connection): void {
  db.run(
    "DELETE FROM change WHERE number <= (SELECT max(number) FROM change WHERE at < ?)",
    db.clock.wall() - KEPT_MS,
  );
}

/** Whether there are such. The oldest stands first. */
export function hasOldChanges(db: Connection): boolean {
  const oldest = db.get<{ at: number }>("SELECT at FROM change ORDER BY number LIMIT 1");
  return oldest !== undefined && oldest.at < db.clock.wall() - KEPT_MS;
}

/** A page of the changes after `after`. */
export function listChanges(
  db: Connection,
  after: number | null,
  limit: number,
): { changes: ChangeRecord[]; last: number } {
  if (after === null) {
    // Not the greatest number there is: changes may have been removed.
    const row = db.get<{ seq: number }>("SELECT seq FROM sqlite_sequence WHERE name = 'change'");
    return { changes: [], last: row?.seq ?? 0 };
  }
  const sql = "SELECT * FROM change WHERE number > ? ORDER BY number LIMIT ?";
  const changes = db.all<ChangeRecord>(sql, after, limit).map((row) => ({ ...row }));
  return { changes, last: changes.at(-1)?.number ?? after };
}
