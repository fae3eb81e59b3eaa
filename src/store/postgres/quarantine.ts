import { LostError } from "../../errors.ts";
import type { Lease, QuarantinedItem, QuarantineRecord } from "../contract.ts";
import type { Session } from "./session.ts";
import { scalars, storable, texts } from "./values.ts";

interface QuarantineRow {
  readonly number: number;
  readonly shard: number;
  readonly ordinal: number;
  readonly replayed_by: string | null;
  readonly place: string;
  readonly reason: string;
  readonly code: string | null;
  readonly raw: Buffer;
}

export interface QuarantinePage {
  readonly after?: { readonly shard: number; readonly ordinal: number };
  readonly limit: number;
  readonly openOnly?: boolean;
}

/** How many items, and how many of their bytes, go into one statement. */
const PAGE = 5_000;
const PAGE_BYTES = 4_000_000;

/**
 * Replaces what is quarantined of a shard from an ordinal on, in a transaction. Throws a RangeError for an item that
 * lies outside: it would outlive the attempt that is repeated; a LostError when the lease is no longer held.
 */
export async function replaceQuarantine(
  session: Session,
  run: string,
  shard: number,
  fromOrdinal: number,
  items: readonly QuarantinedItem[],
  lease?: Lease,
): Promise<void> {
  for (const item of items) {
    if (item.shard === shard && item.ordinal >= fromOrdinal) continue;
    throw new RangeError(
      `Item ${item.ordinal} of shard ${item.shard} does not lie in shard ${shard} from ${fromOrdinal} on.`,
    );
  }
  if (lease !== undefined) {
    // Held until this is done: nobody may take the task over meanwhile.
    const held = await session.get(
      "SELECT FROM pawl.task WHERE id = $1 AND fence = $2 AND state = 'leased' FOR SHARE",
      [lease.id, lease.fence],
    );
    if (held === undefined) throw new LostError(`The lease of ${lease.id} is held by another worker.`);
  }
  await session.run("DELETE FROM pawl.quarantine WHERE run_id = $1 AND shard = $2 AND ordinal >= $3", [
    run,
    shard,
    fromOrdinal,
  ]);
  for (const page of pages(items)) {
    await session.run(
      `INSERT INTO pawl.quarantine (run_id, shard, ordinal, place, reason, code, raw)
       SELECT $1, $2, q.ordinal, q.place, q.reason, q.code, q.raw
       FROM unnest($3::bigint[], $4::text[], $5::text[], $6::text[], $7::bytea[])
         WITH ORDINALITY AS q (ordinal, place, reason, code, raw, nth) ORDER BY q.nth`,
      [
        run,
        shard,
        scalars(page.map(({ ordinal }) => ordinal)),
        texts(page.map(({ at }) => storable(at))),
        texts(page.map(({ reason }) => storable(reason))),
        texts(page.map(({ code }) => code)),
        texts(page.map(({ raw }) => `\\x${hex(raw)}`)),
      ],
    );
  }
}

function hex({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("hex");
}

function* pages(items: readonly QuarantinedItem[]): Generator<QuarantinedItem[]> {
  let page: QuarantinedItem[] = [];
  let bytes = 0;
  for (const item of items) {
    page.push(item);
    bytes += item.raw.byteLength;
    if (page.length < PAGE && bytes < PAGE_BYTES) continue;
    yield page;
    page = [];
    bytes = 0;
  }
  if (page.length > 0) yield page;
}

const OPEN_ONLY = "AND replayed_by IS NULL";

export async function listQuarantined(
  session: Session,
  run: string,
  page: QuarantinePage,
): Promise<QuarantineRecord[]> {
  const { after = { shard: -1, ordinal: -1 }, limit, openOnly = false } = page;
  const rows = await session.all<QuarantineRow>(
    `SELECT number, shard, ordinal, replayed_by, place, reason, code, raw FROM pawl.quarantine
     WHERE run_id = $1 AND (shard, ordinal) > ($2::bigint, $3::bigint) ${openOnly ? OPEN_ONLY : ""}
     ORDER BY shard, ordinal LIMIT $4`,
    [run, after.shard, after.ordinal, limit],
  );
  return rows.map(({ replayed_by, place, ...row }) => ({ ...row, at: place, replayedBy: replayed_by }));
}

export async function countQuarantined(session: Session, run: string, openOnly: boolean): Promise<number> {
  const row = await session.get<{ n: number }>(
    `SELECT count(*) AS n FROM pawl.quarantine WHERE run_id = $1 ${openOnly ? OPEN_ONLY : ""}`,
    [run],
  );
  return row?.n ?? 0;
}
