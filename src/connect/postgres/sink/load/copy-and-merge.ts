import type { QueryResult } from "pg";
import type { WriteOutcome } from "../../../../batch/contract.ts";
import { PawlError } from "../../../../errors.ts";
import { sqlState } from "../../../../postgres-errors.ts";
import { isDuplicateInStatement } from "../row-errors.ts";
import { NOTHING } from "../table-writer.ts";
import type { CopyRows } from "./copy-rows.ts";
import { Miscount, type Staging } from "./staging.ts";
import type { LoadStatements, Selection, StagedKeyRange, StagedKeys } from "./statements.ts";

/** What became of the rows of a merge, by which the next chunk is planned. */
export interface MergeResult {
  /** The share of rows that were in the table as they should be. */
  readonly unchangedShare: number;
  /** Whether every row was new; null where the server does not tell. */
  readonly allNew: boolean | null;
  readonly duplicates: boolean;
}

/** How rows that are staged go into the table. */
export interface MergePlan {
  /** Look rows up before writing: pays where most are unchanged. */
  readonly lookFirst: boolean;
  /** Several rows with one key are likely: look for the last ones at once. */
  readonly lastOnly: boolean;
}

/** A range of keys this much wider than the number of rows is still read rather than looked up one by one. */
const density = 4n;

/**
 * COPY straight into the table: the fastest mode while every key is new. Throws the server's unique violation when
 * one is not, and Miscount when the server took another number of rows: a trigger may drop rows, and a line of `\.` alone ends
 * the data before PostgreSQL 18.
 */
export async function copyDirect(staging: Staging, rows: CopyRows): Promise<WriteOutcome> {
  const written = await staging.session.copy(staging.statements(rows).copyDirect(rows.options), rows.bytes());
  if (written !== rows.items) throw new Miscount();
  return { ...NOTHING, written };
}

/** COPY into a staging table, then one statement that inserts and updates. */
export async function copyAndMerge(
  staging: Staging,
  rows: CopyRows,
  plan: MergePlan,
): Promise<{ outcome: WriteOutcome; result: MergeResult }> {
  const sql = staging.statements(rows);
  await staging.clear(sql.stage);
  const staged = await staging.session.copy(sql.copyStage(rows.options), rows.bytes());
  if (staged !== rows.items) throw new Miscount();
  const before = await insertions(staging);
  const written = await writeStaged(staging, sql, { from: "stage" }, rows.items, plan);
  const inserted = (await insertions(staging)) - before;
  const outcome = await countOutcome(staging, sql, { from: "stage" }, rows.items, written);
  return {
    outcome,
    result: {
      unchangedShare: outcome.unchanged / rows.items,
      allNew: staging.target.table.partitioned ? null : inserted >= rows.items,
      duplicates: outcome.duplicates > 0,
    },
  };
}

interface Written {
  readonly written: number;
  /** Rows that gave way to a later one with the same key. */
  readonly superseded: number;
}

/**
 * Runs the statement that suits; of rows with one key the last wins, however that is found out. When it
 * throws the server's error, the transaction is as it was before.
 */
export async function writeStaged(
  staging: Staging,
  sql: LoadStatements,
  selection: Selection,
  rows: number,
  plan: MergePlan,
): Promise<Written> {
  const { target } = staging;
  const numbered = selection.from !== "stage" || !staging.distinct;
  // Where a condition decides, each row meets the one before it: which is the last to win shows only one by one.
  const canRepeat = target.key !== null && target.mode === "update" && numbered && target.updateIf === null;
  if (plan.lastOnly && canRepeat) return writeLast(staging, sql, selection, rows);
  // Of two rows that a trigger gives one key, the one that changes nothing by its looks may be the last.
  const lookFirst =
    plan.lookFirst &&
    target.key !== null &&
    !target.key.nullable &&
    target.mode !== "fail" &&
    !(target.keyComputed && numbered);
  const statement = lookFirst
    ? sql.writeDiffering(selection, selection.from === "stage" ? await keysOf(staging, sql, rows) : anyKeys)
    : sql.write(selection);
  try {
    return { written: (await attempt(staging, statement)).rowCount ?? 0, superseded: 0 };
  } catch (error) {
    if (canRepeat && isDuplicateInStatement(error)) return writeLast(staging, sql, selection, rows);
    throw error;
  }
}

/** Counts what became of rows of a selection that did not fail. */
export async function countOutcome(
  staging: Staging,
  sql: LoadStatements,
  selection: Selection,
  rows: number,
  { written, superseded }: Written,
): Promise<WriteOutcome> {
  const rest = rows - written - superseded;
  if (rest < 0) {
    throw new PawlError(
      "postgres.count",
      `PostgreSQL wrote ${written} rows of ${rows} into ${staging.target.table.label}: something there makes several of one; please report it.`,
    );
  }
  const { mode, key } = staging.target;
  // Not written although nothing stood against it: an update that changes nothing, or else a row that a rule of
  // the target (`ignore`, or a trigger that returns nothing) drops on purpose.
  const updates = mode === "update" && key !== null;
  const count = updates && rest > 0 ? sql.dropped(selection, superseded > 0) : null;
  const dropped = count === null ? 0 : Math.min(rest, (await staging.session.one<{ n: number }>(count)).n);
  const unchanged = updates ? rest - dropped : 0;
  return { written, unchanged, skipped: superseded + rest - unchanged, duplicates: superseded, failures: [] };
}

async function writeLast(
  staging: Staging,
  sql: LoadStatements,
  selection: Selection,
  rows: number,
): Promise<Written> {
  const result = await attempt(staging, sql.writeLast(selection));
  const { kept, written } = result.rows[0] as { kept: number; written: number };
  return { written, superseded: rows - kept };
}

/** Runs a statement in a savepoint, in one message to the server when it succeeds. */
async function attempt(staging: Staging, statement: string): Promise<QueryResult> {
  const { session } = staging;
  try {
    const [, result] = await session.run(`SAVEPOINT pawl_write; ${statement}; RELEASE SAVEPOINT pawl_write`);
    return result as QueryResult;
  } catch (error) {
    if (sqlState(error) !== null && !session.isLost) {
      await session.run("ROLLBACK TO SAVEPOINT pawl_write; RELEASE SAVEPOINT pawl_write");
    }
    throw error;
  }
}

const anyKeys: StagedKeys = { bounds: null, nulls: true };

/** What can be told of the staged keys at little cost. */
async function keysOf(staging: Staging, sql: LoadStatements, rows: number): Promise<StagedKeys> {
  const query = sql.keyRange();
  if (query === null) return anyKeys;
  const { low, high, known } = await staging.session.one<StagedKeyRange>(query);
  const nulls = known < rows;
  if (low === null || high === null) return { bounds: null, nulls };
  const dense = BigInt(high) - BigInt(low) < density * BigInt(rows);
  return { bounds: dense ? [low, high] : null, nulls };
}

/** Rows that this session inserted so far, by the server's running statistics: a hint, and a cheap one. */
async function insertions(staging: Staging): Promise<number> {
  const { n } = await staging.session.one<{ n: number }>(
    `SELECT coalesce(pg_catalog.pg_stat_get_xact_tuples_inserted(${staging.target.table.oid}), 0)::float8 AS n`,
  );
  return n;
}
