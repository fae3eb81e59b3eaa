import { PawlError } from "../../../../errors.ts";
import { sqlState } from "../../../../postgres-errors.ts";
import { foreignObject } from "../../../../postgres-ownership.ts";
import { publicUrl } from "../../../../postgres-url.ts";
import { retry } from "../../../../retry.ts";
import type { Column, Table } from "../../catalog.ts";
import { comparison } from "../../comparison.ts";
import { quoteName, quoteText } from "../../identifier.ts";
import type { PostgresOptions } from "../../options.ts";
import type { PostgresSession } from "../../session.ts";
import { begunAt, noteTable } from "../same-table.ts";
import type { LoadTarget } from "./load-target.ts";
import { type Snapshot, writtenBefore } from "./snapshot.ts";

/** Where the keys that a run has seen are kept until it deletes the others: written with each chunk, in its transaction. */
export function seenTable(run: string): string {
  return `pawl.${quoteName(`seen_${run}`)}`;
}

/**
 * Makes that table, and notes when the run began, unless it only tries what would be (null); throws where the target does not let
 * the rows be told that are missing.
 */
export async function prepareSeen(
  session: PostgresSession,
  target: LoadTarget,
  run: string,
  began: Snapshot | null,
): Promise<void> {
  const { table, key, keyComputed, mode } = target;
  const why =
    key === null || mode === "fail"
      ? "rows have no key by which they are found"
      : // Also where the index takes nulls for equal, which no join of keys does.
        key.columns.some((column) => !column.notNull)
        ? "its key may be null"
        : keyComputed
          ? "a trigger may compute its key"
          : null;
  if (why !== null) {
    throw new PawlError(
      "postgres.delete-missing",
      `\`deleteMissing\` cannot tell which rows of ${table.label} are missing, for ${why}: name another unique key with \`key\`, or leave it out.`,
    );
  }
  await assertTimes(session, table);
  if (began === null) return;
  await assertMayKeep(session, run);
  const columns = key?.columns.map(({ name, type, collate }) => `${quoteName(name)} ${type}${collate}`) ?? [];
  await session.run(`CREATE TABLE IF NOT EXISTS ${seenTable(run)} (${columns.join(", ")})`);
  const found = await foreignObject(
    async (sql, values) => (await session.query(sql, values)).rows,
    { schema: "pawl", tables: [`seen_${run}`] },
    publicUrl(session.url),
  );
  // The types of its columns are those of the user's own table.
  if (found !== null && !found.startsWith("Pawl did not make a type"))
    throw new PawlError("postgres.not-ours", found);
  await noteTable(session, run, table, began);
}

/** Throws where the role may not make the table of keys in the schema that is there. */
async function assertMayKeep(session: PostgresSession, run: string): Promise<void> {
  const { me, may } = await session.one<{ me: string; may: boolean }>(
    `SELECT pg_catalog.quote_ident(CURRENT_USER::text) AS me,
            pg_catalog.has_schema_privilege('pawl', 'CREATE') OR pg_catalog.to_regclass(${quoteText(seenTable(run))}) IS NOT NULL AS may`,
  );
  if (may) return;
  throw new PawlError(
    "postgres.permission",
    `The user ${me} may not make a table in the schema pawl, where \`deleteMissing\` keeps the keys that it has seen: GRANT CREATE ON SCHEMA pawl TO ${me}.`,
  );
}

/** Throws where rows do not tell by which transaction they were written. */
async function assertTimes(session: PostgresSession, { oid, label }: Table): Promise<void> {
  const { rows } = await session.query<{ name: string }>(
    `SELECT c.oid::regclass::text AS name FROM pg_catalog.pg_partition_tree(${oid}::oid) p JOIN pg_catalog.pg_class c ON c.oid = p.relid
     WHERE c.relkind = 'f' LIMIT 1`,
  );
  if (rows[0] === undefined) return;
  throw new PawlError(
    "postgres.delete-missing",
    `\`deleteMissing\` cannot see which rows others add meanwhile to ${rows[0].name}, a partition of ${label} that is a foreign table: leave it out.`,
  );
}

export async function dropSeen(session: PostgresSession, run: string): Promise<void> {
  await session.run(`DROP TABLE IF EXISTS ${seenTable(run)}`);
}

/** What was done about missing rows; without a number where it was done before. */
export interface Missing {
  readonly told: readonly string[];
  readonly deleted?: number;
}

/** So often in a row other transactions may make a snapshot stale before that is an error. */
const STALE = 5;

/**
 * Deletes the rows whose key the run has not seen, but for those that others have written since it began, in one transaction
 * with the end of that knowledge, so that it happens once. Returns what to tell; throws when they are more than allowed. A run that does not know the keys of all items that it
 * read deletes none.
 */
export async function deleteMissing(
  session: PostgresSession,
  target: LoadTarget,
  run: string,
  maxDeletes: PostgresOptions["maxDeletes"] = "10%",
): Promise<Missing> {
  const attempt = async () => {
    try {
      return await deleteOnce(session, target, run, maxDeletes);
    } catch (error) {
      if (isStale(error)) await session.run("ROLLBACK");
      throw error;
    }
  };
  return await retry(attempt, { isTransient: isStale, attempts: STALE + 1, baseMs: 20 });
}

/** SQLSTATE "serialization_failure": another transaction changed rows that the snapshot shows otherwise. */
function isStale(error: unknown): boolean {
  return sqlState(error) === "40001";
}

async function deleteOnce(
  session: PostgresSession,
  target: LoadTarget,
  run: string,
  maxDeletes: NonNullable<PostgresOptions["maxDeletes"]>,
): Promise<Missing> {
  const { table } = target;
  const seen = seenTable(run);
  const rows = rowsOf(target);
  // In one snapshot, so that rows which others write meanwhile are neither deleted nor counted.
  await session.run("BEGIN ISOLATION LEVEL REPEATABLE READ");
  const there = await session.query(
    "SELECT FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass($1)",
    [seen],
  );
  if (there.rowCount === 0) {
    await session.run("ROLLBACK");
    return { told: [] };
  }
  const { bad, unknown } = await session.one<{ bad: number; unknown: number }>(
    `SELECT c.bad::float8 AS bad, (c.items - (SELECT pg_catalog.count(*) FROM ${seen}))::float8 AS unknown FROM (
       SELECT coalesce(pg_catalog.sum((c.counts ->> 'quarantined')::int8), 0::numeric) AS bad,
              coalesce(pg_catalog.sum((c.counts ->> 'read')::int8 + (c.counts ->> 'added')::int8), 0::numeric) AS items
       FROM pawl.checkpoint c WHERE c.run = ${quoteText(run)}) c`,
  );
  const why = whyNone(bad, unknown);
  if (why !== null) {
    await session.run(`DROP TABLE ${seen}; COMMIT`);
    return { told: [`no row was deleted as missing, for ${why}`], deleted: 0 };
  }
  const began = await begunAt(session, run);
  if (began === null) {
    await session.run(`DROP TABLE ${seen}; COMMIT`);
    return {
      told: [
        "no row was deleted as missing, for this run began without `deleteMissing`: load the file again",
      ],
      deleted: 0,
    };
  }
  await session.run(`ANALYZE ${seen}`);
  const old = await writtenBefore(session, began, table.sql);
  const missing = missingSql(target, table.sql, seen);
  const { n, newer, all } = await session.one<{ n: number; newer: number; all: number }>(
    `SELECT m.n, m.newer, (SELECT pg_catalog.count(*) FROM ${rows})::float8 AS all FROM (
       SELECT (pg_catalog.count(*) FILTER (WHERE ${old}))::float8 AS n, (pg_catalog.count(*) FILTER (WHERE NOT ${old}))::float8 AS newer
       FROM ${rows} WHERE ${missing}) m`,
  );
  const limit = limitOf(maxDeletes, all);
  if (n > limit) {
    await session.run("ROLLBACK");
    throw new PawlError(
      "postgres.max-deletes",
      `${n} of the ${all} rows of ${table.label} are missing in what was loaded, and \`maxDeletes: ${maxDeletes}\` allows ${limit}: nothing was deleted; ` +
        "look at the file, or allow more and give the same command again.",
    );
  }
  const deleted = (await session.query(`DELETE FROM ${rows} WHERE ${missing} AND ${old}`)).rowCount ?? 0;
  const { left } = await session.one<{ left: number }>(
    `SELECT pg_catalog.count(*)::float8 AS left FROM ${rows}`,
  );
  if (left !== all - deleted) {
    await session.run("ROLLBACK");
    throw new PawlError(
      "postgres.delete-missing",
      `Deleting the ${deleted} rows of ${table.label} that are missing changed ${Math.abs(all - deleted - left)} others, by a foreign key with ON DELETE CASCADE ` +
        "to the table itself or by a trigger: nothing was deleted; delete them in SQL, and leave `deleteMissing` out.",
    );
  }
  await session.run(`DROP TABLE ${seen}; COMMIT`);
  const told = `${deleted} of ${all} rows were deleted as missing`;
  return { told: newer === 0 ? [told] : [told, leftAlone(newer)], deleted };
}

function leftAlone(newer: number): string {
  return `${newer === 1 ? "1 row that is" : `${newer} rows that are`} in no file came or changed since the load began, and ${newer === 1 ? "was" : "were"} left`;
}

/** Why none may be deleted, as the end of a sentence: the keys of these items are not among those that were seen. */
export function whyNone(bad: number, unknown: number): string | null {
  const rows = (n: number) => (n === 1 ? "1 row was" : `${n} rows were`);
  if (bad > 0) return `${rows(bad)} quarantined: correct the file and load it again`;
  if (unknown <= 0) return null;
  return `${rows(unknown)} left out by the transform, whose keys are not known: let it return them, or delete what is missing in SQL`;
}

/** The rows of the target itself: those of tables that inherit from it are not under its key. */
export function rowsOf({ table }: LoadTarget): string {
  return table.partitioned ? table.sql : `ONLY ${table.sql}`;
}

/** The condition for rows of a relation whose key is not in another one. */
export function missingSql({ key }: LoadTarget, of: string, other: string): string {
  const same = key?.columns
    .map((column) => [quoteName(column.name), comparison("=", [column])] as const)
    .map(([name, equals]) => `pawl_other.${name} ${equals} ${of}.${name}`);
  return `NOT EXISTS (SELECT FROM ${other} pawl_other WHERE ${same?.join(" AND ")})`;
}

/** How many rows may be deleted of so many. Throws where that is neither a number nor a share. */
export function limitOf(maxDeletes: NonNullable<PostgresOptions["maxDeletes"]>, all: number): number {
  const share = /^(\d+(?:\.\d+)?)%$/.exec(String(maxDeletes))?.[1];
  if (share !== undefined && Number(share) <= 100) return Math.floor((all * Number(share)) / 100);
  if (/^\d+$/.test(String(maxDeletes))) return Number(maxDeletes);
  throw new PawlError(
    "postgres.max-deletes",
    `\`maxDeletes\` takes a number of rows or a share such as 10%, not "${maxDeletes}".`,
  );
}

/**
 * Tells which sequences are behind the values that were loaded, so that the next row that the table numbers itself would be
 * refused; with `reset` sets them to the greatest.
 */
export async function checkSequences(
  session: PostgresSession,
  table: Table,
  columns: readonly Column[],
  reset: boolean,
): Promise<string[]> {
  const notes: string[] = [];
  for (const { name, base } of columns) {
    if (!/^int[248]$/.test(base ?? "")) continue;
    try {
      const { rows } = await session.query<{ sequence: string | null }>(
        "SELECT pg_catalog.pg_get_serial_sequence($1, $2) AS sequence",
        [table.sql, name],
      );
      const sequence = rows[0]?.sequence ?? null;
      if (sequence === null) continue;
      const { greatest, next } = await session.one<{ greatest: string | null; next: string }>(
        `SELECT (SELECT pg_catalog.max(${quoteName(name)})::text FROM ${table.sql}) AS greatest,
                (CASE WHEN is_called THEN last_value + 1::int8 ELSE last_value END)::text AS next FROM ${sequence}`,
      );
      if (greatest === null || BigInt(greatest) < BigInt(next)) continue;
      const set = `setval(${quoteText(sequence)}, ${greatest})`;
      if (reset)
        await session.run(`SELECT pg_catalog.setval(${quoteText(sequence)}::regclass, ${greatest}::int8)`);
      notes.push(
        reset
          ? `the sequence ${sequence} was set to ${greatest}`
          : `the sequence ${sequence} is behind: its next number is ${next}, and "${name}" goes up to ${greatest}: set it with \`resetSequence: true\`, or SELECT ${set}`,
      );
    } catch (error) {
      // Who may not look at a sequence does not number rows by it; who asked to set it is to know.
      if (sqlState(error) !== "42501" || reset) throw error;
    }
  }
  return notes;
}
