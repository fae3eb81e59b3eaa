import type { QuarantinedItem } from "../contract.ts";
import type { Connection } from "./connection.ts";

/** Stores quarantined items of a shard, in a transaction. Not as JSON, which would hold the bytes of an item twice over. */
export function insertItems(
  db: Connection,
  runId: string,
  shard: number,
  items: readonly QuarantinedItem[],
): void {
  for (const { ordinal, at, reason, code, raw } of items) {
    db.run(
      "INSERT INTO quarantine (run_id, shard, ordinal, location, reason, code, raw) VALUES (?, ?, ?, ?, ?, ?, ?)",
      runId,
      shard,
      ordinal,
      at,
      reason,
      code,
      raw,
    );
  }
}
