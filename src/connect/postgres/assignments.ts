import { PawlError } from "../../errors.ts";
import type { Session } from "./connection.ts";
import { sqlState } from "./errors.ts";
import { quoteName } from "./identifier.ts";
import { findColumn, matchColumn } from "./key.ts";
import type { Assignment } from "./layout.ts";
import type { Table } from "./table.ts";

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
    const columns = types.flatMap(({ source, type }) =>
      namesInSql(source, names).map((as) => `NULL::${type} AS ${as}`),
    );
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
    const alone = await attempt(session, `${into} SELECT (${expression}\n)`);
    assignments.push({ column, expression, ofRow: alone !== null });
  }
  return assignments;
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

/** How expressions may write a name of the source: as it is in quotes, or without quotes, which folds it. */
export function namesInSql(name: string, all: readonly string[]): string[] {
  const folded = name.toLowerCase();
  const clash = all.some((other) => other !== name && other.toLowerCase() === folded);
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
