import { PawlError } from "../../../errors.ts";
import { sqlState } from "../errors.ts";
import { cutName, quoteName } from "../identifier.ts";
import type { Session } from "../session.ts";
import { type Column, findColumn, matchColumn, type Table } from "../table.ts";
import type { Assignment } from "./load/layout.ts";

/**
 * Lets the server check the expressions of `--set` without running them. `names` are those of the source. Needs a
 * transaction, which it leaves usable.
 */
export async function checkAssignments(
  session: Session,
  table: Table,
  set: Readonly<Record<string, string>>,
  names: readonly string[],
  map: ReadonlyMap<string, string>,
): Promise<Assignment[]> {
  const assignments: Assignment[] = [];
  for (const [name, expression] of Object.entries(set)) {
    const column = findColumn(table, name, "postgres.set", `--set ${name}=…`);
    if (column.generated) {
      throw new PawlError(
        "postgres.generated",
        `The column "${column.name}" of ${table.label} is generated: it cannot be given with --set.`,
      );
    }
    const types = names.map((source) => {
      const target = map.get(source);
      const typed = target === undefined ? matchColumn(table, source) : matchColumn(table, target);
      // A value that the expression replaces does not reach the table, so it is a text like all that are left out.
      const own = typed === null || Object.hasOwn(set, typed.name) || Object.hasOwn(set, source);
      return { source, type: own ? "text" : typed.type };
    });
    const inSql = namesFor([expression], names);
    const columns = types.flatMap(({ source, type }) => inSql(source).map((as) => `NULL::${type} AS ${as}`));
    const into = `EXPLAIN INSERT INTO ${table.sql} (${quoteName(column.name)}) OVERRIDING SYSTEM VALUE`;
    const row = `(SELECT ${columns.join(", ")}) s`;
    const failure =
      (await whyNotOne(session, expression, row)) ??
      (await attempt(session, `${into} SELECT (${expression}\n) FROM ${row}`));
    if (failure !== null) {
      throw new PawlError(
        "postgres.set",
        `The expression of --set ${name}=${expression} does not work (${failure.message}): correct it; it may use the columns ${names.join(", ")}.`,
        { cause: failure },
      );
    }
    const compared = await tellsDifference(session, column, expression);
    assignments.push({ column, expression, compared });
  }
  return assignments;
}

/** Whether the value of an expression tells if a row differs; see `Assignment`. Needs a transaction. */
export async function tellsDifference(
  session: Session,
  column: Column,
  expression: string,
): Promise<boolean> {
  const alone = await attempt(session, `EXPLAIN SELECT (${expression}\n)`);
  return alone !== null || !(await changesByItself(session, column, expression));
}

/**
 * Whether an expression that looks at no row gives another value each time it is asked: the time, a draw, or something of the
 * session. What it reads from tables, in a subquery or by a function that says it only reads, is there for every row to be as it.
 * The server tells which functions an expression calls by the parse tree of a view.
 */
async function changesByItself(session: Session, column: Column, expression: string): Promise<boolean> {
  await session.run("SAVEPOINT pawl_calls");
  try {
    const view = `CREATE TEMP VIEW pawl_calls AS SELECT ((${expression}\n))::${column.looseType} AS value`;
    if ((await attempt(session, view)) !== null) return true;
    const { rows } = await session.query<{ tree: string }>(
      "SELECT ev_action::pg_catalog.text AS tree FROM pg_catalog.pg_rewrite WHERE ev_class = 'pg_temp.pawl_calls'::pg_catalog.regclass::pg_catalog.oid",
    );
    const tree = rows[0]?.tree ?? "";
    // CURRENT_TIMESTAMP, CURRENT_USER and their kind are no functions to the server.
    if (tree === "" || tree.includes("{SQLVALUEFUNCTION") || tree.includes("{NEXTVALUEEXPR")) return true;
    const called = [...tree.matchAll(/:(?:op|win|agg)?(?:func|fn)(?:o?id) (\d+)/g)].map(([, id]) =>
      Number(id),
    );
    const { rowCount } = await session.query(
      `SELECT FROM pg_catalog.pg_proc WHERE oid OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.oid[])
        AND (provolatile = 'v'::"char" OR (provolatile = 's'::"char" AND pronargs = 0::pg_catalog.int2))`,
      [called],
    );
    return (rowCount ?? 0) > 0;
  } finally {
    await session.run("ROLLBACK TO SAVEPOINT pawl_calls; RELEASE SAVEPOINT pawl_calls");
  }
}

/**
 * Why a text is not one expression for one row; null when it is. It must be one without our brackets too, so that it cannot
 * close them and say more; and VALUES takes neither a function that gives several rows nor one that sums several up.
 */
async function whyNotOne(session: Session, expression: string, row: string): Promise<Error | null> {
  const bare = /^\s*(select|with|values|table)\b/i.test(expression) ? "" : "SELECT WHERE ";
  const outside = await attempt(session, `EXPLAIN ${bare}${expression}\n`);
  // By itself it may lack columns and be of another type; what must not be wrong is its syntax.
  if (outside !== null && sqlState(outside) === "42601") return outside;
  return await attempt(session, `EXPLAIN SELECT FROM ${row}, LATERAL (VALUES ((${expression}\n))) one`);
}

/** The same for an expression over the rows of a relation; throws where it is not one. Needs a transaction. */
export async function assertOneExpression(session: Session, expression: string, row: string): Promise<void> {
  const failure = await whyNotOne(session, expression, row);
  if (failure !== null) throw failure;
}

/** A select list has at most 1,664 entries, and a table at most 1,600 columns. */
export const mostColumns = 1600;

/**
 * How the names of the source are to be called beside these expressions: in all ways in which they may write them, or, where
 * these are more than the server takes, in those that stand in one of them.
 */
export function namesFor(
  expressions: readonly string[],
  all: readonly string[],
): (name: string) => readonly string[] {
  const spellings = new Map<string, number>();
  for (const name of new Set(all)) {
    const folded = name.toLowerCase();
    spellings.set(folded, (spellings.get(folded) ?? 0) + 1);
  }
  const cut = new Map<string, number>();
  for (const name of new Set(all)) cut.set(cutName(name), (cut.get(cutName(name)) ?? 0) + 1);
  // A long name that the server cannot tell from another has none in SQL.
  const isKnown = (name: string) => cutName(name) === name || cut.get(cutName(name)) === 1;
  const known = new Map(all.map((name) => [name, isKnown(name) ? namesInSql(name, spellings) : []]));
  let count = 0;
  for (const names of known.values()) count += names.length;
  // Half of them, for they stand beside the values that go into the table.
  if (count > mostColumns / 2) {
    const text = expressions.join("\n").toLowerCase();
    for (const [name, names] of known) {
      const isMeant = text.includes(quoteName(name).slice(1, -1).toLowerCase());
      known.set(name, isMeant ? names : []);
    }
  }
  return (name) => known.get(name) ?? [];
}

/** How expressions may write a name of the source: as it is in quotes, or without quotes, which folds it. */
function namesInSql(name: string, spellings: ReadonlyMap<string, number>): string[] {
  const folded = name.toLowerCase();
  const clash = (spellings.get(folded) ?? 0) > 1;
  return folded === name || clash ? [quoteName(name)] : [quoteName(name), quoteName(folded)];
}

async function attempt(session: Session, sql: string): Promise<Error | null> {
  await session.run("SAVEPOINT pawl_try");
  try {
    await session.query(sql);
    await session.run("RELEASE SAVEPOINT pawl_try");
    return null;
  } catch (error) {
    if (sqlState(error) === null) throw error;
    await session.run("ROLLBACK TO SAVEPOINT pawl_try");
    return error as Error;
  }
}
