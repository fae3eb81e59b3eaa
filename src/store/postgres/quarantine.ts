import type { QuarantinedItem } from "../contract.ts";
import { type BoundStatement, type Procedure, run, statement } from "../sql/statement.ts";
import { scalars, texts, withoutNul } from "./dialect.ts";

/** Stores quarantined items of a shard. A page is written before the next is turned into text, so that memory is bounded. */
export function* insertItems(
  runId: string,
  shard: number,
  items: readonly QuarantinedItem[],
): Procedure<void> {
  for (const page of pages(items)) yield* run(itemsOf(runId, shard, page));
}

/** How many items, and how many of their bytes, go into one statement. */
const PAGE = 5_000;
const PAGE_BYTES = 4_000_000;

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

function itemsOf(runId: string, shard: number, page: readonly QuarantinedItem[]): BoundStatement {
  return statement(
    `INSERT INTO pawl.quarantine (run_id, shard, ordinal, location, reason, code, raw)
     SELECT $1, $2, q.ordinal, q.location, q.reason, q.code, q.raw
     FROM unnest($3::bigint[], $4::text[], $5::text[], $6::text[], $7::bytea[])
       WITH ORDINALITY AS q (ordinal, location, reason, code, raw, nth) ORDER BY q.nth`,
    [
      runId,
      shard,
      scalars(page.map(({ ordinal }) => ordinal)),
      texts(page.map(({ at }) => withoutNul(at))),
      texts(page.map(({ reason }) => withoutNul(reason))),
      texts(page.map(({ code }) => code)),
      texts(page.map(({ raw }) => `\\x${hex(raw)}`)),
    ],
  );
}

function hex({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("hex");
}
