import { LostError } from "../../errors.ts";
import type { Lease, QuarantinedItem, QuarantineRecord } from "../contract.ts";
import { HELD } from "./claims.ts";
import type { Connection } from "./connection.ts";

interface QuarantineRow {
  readonly number: number;
  readonly shard: number;
  readonly ordinal: number;
  readonly replayed_by: string | null;
  readonly place: string;
  readonly reason: string;
  readonly code: string | null;
  readonly raw: Uint8Array;
}

export interface QuarantinePage {
  readonly after?: { readonly shard: number; readonly ordinal: number };
  readonly limit: number;
  readonly openOnly?: boolean;
}

/**
 * Replaces what is quarantined of a shard from an ordinal on, in a transaction. Throws a RangeError for an item that
 * lies outside: it would outlive the attempt that is repeated; a LostError when the lease is no longer held.
 */
export function replaceQuarantine(
  db: Connection,
  run: string,
  shard: number,
  fromOrdinal: number,
  items: readonly QuarantinedItem[],
  lease?: Lease,
): void {
  if (lease && !db.get(`SELECT 1 FROM task WHERE ${HELD}`, lease.id, lease.fence)) {
    throw new LostError(`The lease of ${lease.id} is held by another worker.`);
  }
  db.run("DELETE FROM quarantine WHERE run_id = ? AND shard = ? AND ordinal >= ?", run, shard, fromOrdinal);
  for (const item of items) {
    if (item.shard !== shard || item.ordinal < fromOrdinal) {
      throw new RangeError(
        `Item ${item.ordinal} of shard ${item.shard} does not lie in shard ${shard} from ${fromOrdinal} on.`,
      );
    }
    db.run(
      `INSERT INTO quarantine (run_id, shard, ordinal, place, reason, code, raw) VALUES (?, ?, ?, ?, ?, ?, ?)`,
      run,
      shard,
      item.ordinal,
      item.at,
      item.reason,
      item.code,
      item.raw,
    );
  }
}

const OPEN_ONLY = "replayed_by IS NULL";

export function listQuarantined(db: Connection, run: string, page: QuarantinePage): QuarantineRecord[] {
  const { after = { shard: -1, ordinal: -1 }, limit, openOnly = false } = page;
  const rows = db.all<QuarantineRow>(
    `SELECT number, shard, ordinal, replayed_by, place, reason, code, raw FROM quarantine
     WHERE run_id = ? AND (shard, ordinal) > (?, ?) ${openOnly ? `AND ${OPEN_ONLY}` : ""}
     ORDER BY shard, ordinal LIMIT ?`,
    run,
    after.shard,
    after.ordinal,
    limit,
  );
  return rows.map(({ replayed_by, place, ...row }) => ({ ...row, at: place, replayedBy: replayed_by }));
}

export function countQuarantined(db: Connection, run: string, openOnly: boolean): number {
  const sql = `SELECT count(*) AS n FROM quarantine WHERE run_id = ? ${openOnly ? `AND ${OPEN_ONLY}` : ""}`;
  return db.get<{ n: number }>(sql, run)?.n ?? 0;
}

/** Marks items as mended, in a transaction. The replay that came first keeps the credit. */
export function markReplayed(db: Connection, numbers: readonly number[], by: string): void {
  for (const number of numbers) {
    db.run(`UPDATE quarantine SET replayed_by = ? WHERE number = ? AND ${OPEN_ONLY}`, by, number);
  }
}
