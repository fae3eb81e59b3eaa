import type { WriteOutcome } from "../../../batch/contract.ts";
import { PawlError } from "../../../errors.ts";
import type { Session } from "../connection.ts";
import { sqlState } from "../errors.ts";
import { quoteName } from "../identifier.ts";
import { reasonOf } from "../reason.ts";
import { bisect } from "./bisect.ts";
import type { RangeChunk } from "./chunk.ts";
import { between, filterSql, type KeyTexts } from "./keyset.ts";
import type { LiveTarget } from "./target.ts";

/** Changes the rows of a range where they are, by one statement. Leaves the transaction open. */
export async function changeRange(
  session: Session,
  target: LiveTarget,
  chunk: RangeChunk,
): Promise<WriteOutcome> {
  checkSame(target, chunk);
  let written = 0;
  const failures: { index: number; reason: string; code?: string }[] = [];
  const refused: KeyTexts[] = [];
  const refuse = (key: KeyTexts, error: unknown) => {
    const code = sqlState(error);
    failures.push({ index: refused.length, reason: reasonOf(error, () => null), ...(code ? { code } : {}) });
    refused.push(key);
  };
  const all = async () => {
    const values: unknown[] = [];
    written += await change(session, target, chunk.condition(values), values);
  };
  let failed = false;
  await bisect(session, 0, 1, all, () => {
    failed = true;
  });
  if (failed) {
    const keys = await chunk.keys();
    const some = async (low: number, high: number) => {
      const values: unknown[] = [];
      written += await change(session, target, partOf(chunk, keys, low, high, values), values);
    };
    await bisect(session, 0, keys.length, some, (at, error) => refuse(keys[at] as KeyTexts, error));
  }
  chunk.settle(written + failures.length, refused);
  const skipped = chunk.items - Math.min(chunk.items, written) - failures.length;
  return { written: Math.min(chunk.items, written), unchanged: 0, skipped, duplicates: 0, failures };
}

async function change(
  session: Session,
  { change, table, set }: LiveTarget,
  condition: string,
  values: readonly unknown[],
): Promise<number> {
  const statement =
    change === "delete" ? `DELETE FROM ${table.sql}` : `UPDATE ${table.sql} SET ${setSql(set).join(", ")}`;
  const { rowCount } = await session.query(`${statement} WHERE ${condition}`, values);
  return rowCount ?? 0;
}

export function setSql(set: LiveTarget["set"]): string[] {
  return set.map(({ column, expression }) => `${quoteName(column.name)} = (${expression}\n)`);
}

function partOf(
  chunk: RangeChunk,
  keys: readonly KeyTexts[],
  low: number,
  high: number,
  values: unknown[],
): string {
  const { range, view } = chunk;
  if (range === null) return chunk.condition(values);
  const from = low === 0 ? range.from : (keys[low - 1] as KeyTexts);
  return between(view.table, view.keyset, from, keys[high - 1] as KeyTexts, values) + filterSql(view.where);
}

function checkSame(target: LiveTarget, chunk: RangeChunk): void {
  const { table } = chunk.view;
  if (chunk.reader.place !== target.place || table.oid !== target.table.oid) {
    throw new PawlError(
      "postgres.other-table",
      `Rows of ${table.label} at ${chunk.reader.place} cannot be changed where they are in ${target.table.label} at ${target.place}: give the source and the sink the same URL and table, or put a step between them.`,
    );
  }
  if (target.change === "delete" || target.set.length > 0) return;
  throw new PawlError(
    "postgres.nothing-to-change",
    `Nothing says what to change in ${table.label}: give update() a set, or put a step between that returns the columns to change.`,
  );
}
