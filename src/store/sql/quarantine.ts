import { LostError } from "../../errors.ts";
import type { Lease, QuarantinedItem, QuarantineRecord } from "../contract.ts";
import type { Driver } from "./driver.ts";
import { all, run as execute, forShare, get, later, oneOf, type Procedure, raw, sql } from "./statement.ts";

export interface QuarantinePage {
  readonly after?: { readonly shard: number; readonly ordinal: number };
  readonly limit: number;
  readonly openOnly?: boolean;
}

/**
 * Replaces what is quarantined of a shard from an ordinal on, in a transaction. Throws a RangeError for an item that
 * lies outside: it would outlive the attempt that is repeated; a LostError when the lease is no longer held.
 */
export function* replaceQuarantine(
  driver: Pick<Driver, "insertItems">,
  run: string,
  shard: number,
  fromOrdinal: number,
  items: readonly QuarantinedItem[],
  lease?: Lease,
): Procedure<void> {
  for (const item of items) {
    if (item.shard === shard && item.ordinal >= fromOrdinal) continue;
    throw new RangeError(
      `Item ${item.ordinal} of shard ${item.shard} does not lie in shard ${shard} from ${fromOrdinal} on.`,
    );
  }
  if (lease !== undefined) {
    // Held until this is done: no other worker may take the task over meanwhile.
    const held = yield* get(
      sql`SELECT 1 FROM pawl.task WHERE id = ${lease.id} AND fence = ${lease.fence} AND state = 'leased' ${forShare()}`,
    );
    if (held === undefined) throw new LostError(`The lease of ${lease.id} is held by another worker.`);
  }
  yield* execute(
    sql`DELETE FROM pawl.quarantine WHERE run_id = ${run} AND shard = ${shard} AND ordinal >= ${fromOrdinal}`,
  );
  yield* driver.insertItems(run, shard, items);
}

interface QuarantineRow extends Omit<QuarantineRecord, "at" | "replayedBy"> {
  readonly replayed_by: string | null;
  readonly location: string;
}

function open(openOnly: boolean) {
  return raw(openOnly ? "AND replayed_by IS NULL" : "");
}

export function* listQuarantined(run: string, page: QuarantinePage): Procedure<QuarantineRecord[]> {
  const { after = { shard: -1, ordinal: -1 }, limit, openOnly = false } = page;
  const rows = yield* all<QuarantineRow>(
    sql`SELECT number, shard, ordinal, replayed_by, location, reason, code, raw FROM pawl.quarantine
     WHERE run_id = ${run} AND (shard, ordinal) > (CAST(${after.shard} AS bigint), CAST(${after.ordinal} AS bigint))
       ${open(openOnly)} ORDER BY shard, ordinal LIMIT ${limit}`,
  );
  return rows.map(({ replayed_by, location, ...row }) => ({ ...row, at: location, replayedBy: replayed_by }));
}

export function* countQuarantined(run: string, openOnly: boolean): Procedure<number> {
  const row = yield* get<{ n: number }>(
    sql`SELECT count(*) AS n FROM pawl.quarantine WHERE run_id = ${run} ${open(openOnly)}`,
  );
  return row?.n ?? 0;
}

/** Marks items as replayed, in a transaction. The replay that came first keeps the credit. */
export function* markReplayed(numbers: readonly number[], by: string): Procedure<void> {
  if (numbers.length === 0) return;
  yield* later(
    sql`UPDATE pawl.quarantine SET replayed_by = ${by} WHERE number ${oneOf(numbers)} AND replayed_by IS NULL`,
  );
}
