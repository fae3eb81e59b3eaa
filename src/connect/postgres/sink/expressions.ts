import { PawlError } from "../../../errors.ts";
import { sqlState } from "../../../postgres-errors.ts";
import { type Column, findColumn, type Table } from "../catalog.ts";
import { cutName, quoteName } from "../identifier.ts";
import { optionText } from "../option-text.ts";
import type { PostgresSession } from "../session.ts";

/** A column that an expression fills. */
export interface Assignment {
  readonly column: Column;
  readonly expression: string;
  /** Whether its value tells if the row differs: it looks at the row, or is the same each time it is asked; the time or a draw is neither. */
  readonly compared: boolean;
}

/** What is given with `set`, before the server has looked at it. */
export type GivenExpression = Pick<Assignment, "column" | "expression">;

/** The columns that `set` fills. `identity` says whether a column that is always numbered by the table can be given a value. */
export function givenExpressions(
  table: Table,
  set: Readonly<Record<string, string>>,
  { identity }: { readonly identity: boolean },
): GivenExpression[] {
  return Object.entries(set).map(([name, expression]) => {
    const column = findColumn(table, name, "postgres.set", `\`set: { ${optionText(name)}: "…" }\``);
    if (!column.generated && (identity || column.identity !== "always")) return { column, expression };
    throw new PawlError(
      "postgres.generated",
      `The column "${column.name}" of ${table.label} is generated: it cannot be given with \`set\`.`,
    );
  });
}

/** Where an expression of `set` will stand. */
export interface ExpressionUse {
  /** The relation whose columns it may use, as SQL behind FROM. */
  row(given: GivenExpression): string;
  /** The statement that gives the column its value. */
  statement(given: GivenExpression, row: string): string;
  /** The end of the sentence about one that does not work. */
  readonly advice: string;
}

/** Lets the server check the expressions of `set` without running them. Needs a transaction, which it leaves usable. */
export async function checkExpressions(
  session: PostgresSession,
  given: readonly GivenExpression[],
  use: ExpressionUse,
): Promise<Assignment[]> {
  const assignments: Assignment[] = [];
  for (const one of given) {
    const { column, expression } = one;
    const row = use.row(one);
    await assertExpression(session, expression, {
      row,
      statement: use.statement(one, row),
      code: "postgres.set",
      what: `The expression of \`set: { ${optionText(column.name)}: ${optionText(expression)} }\``,
      advice: use.advice,
    });
    assignments.push({ ...one, compared: await tellsDifference(session, column, expression) });
  }
  return assignments;
}

/**
 * Throws where a text is not one expression for one row of a relation, or does not fit into the statement where it will stand.
 * It must be one without our brackets too, so that it cannot close them and say more; and VALUES takes neither a function that
 * gives several rows nor one that sums several up. Needs a transaction, which it leaves usable.
 */
export async function assertExpression(
  session: PostgresSession,
  expression: string,
  use: {
    /** The relation whose columns it may use, as SQL behind FROM. */
    readonly row: string;
    readonly statement: string;
    readonly code: string;
    /** The beginning of the sentence about one that does not work, and its end. */
    readonly what: string;
    readonly advice: string;
  },
): Promise<void> {
  const bare = /^\s*(select|with|values|table)\b/i.test(expression) ? "" : "SELECT WHERE ";
  const outside = await refusal(session, `EXPLAIN ${bare}${expression}\n`);
  const failure =
    // By itself it may lack columns and be of another type; what must not be wrong is its syntax.
    (sqlState(outside) === "42601" ? outside : null) ??
    (await refusal(session, `EXPLAIN SELECT FROM ${use.row}, LATERAL (VALUES ((${expression}\n))) one`)) ??
    (await refusal(session, `EXPLAIN ${use.statement}`));
  if (failure === null) return;
  // A right that is missing is not the expression's fault.
  if (sqlState(failure) === "42501") throw failure;
  throw new PawlError(
    use.code,
    `${use.what} does not work (${failure.message}): correct it; ${use.advice}.`,
    {
      cause: failure,
    },
  );
}

/** Whether the value of an expression tells if a row differs; see `Assignment`. Needs a transaction. */
async function tellsDifference(
  session: PostgresSession,
  column: Column,
  expression: string,
): Promise<boolean> {
  const alone = await refusal(session, `EXPLAIN SELECT (${expression}\n)`);
  return alone !== null || !(await changesByItself(session, column, expression));
}

/**
 * Whether an expression that looks at no row gives another value each time it is asked: the time, a draw, or something of the
 * session. What it reads from tables, in a subquery or by a function that says it only reads, is there for every row to be as it.
 * The server tells which functions an expression calls by the parse tree of a view.
 */
async function changesByItself(
  session: PostgresSession,
  column: Column,
  expression: string,
): Promise<boolean> {
  const look = async () => {
    const view = `CREATE TEMP VIEW pawl_calls AS SELECT ((${expression}\n))::${column.looseType} AS value`;
    if ((await refusal(session, view)) !== null) return true;
    const { rows } = await session.query<{ tree: string }>(
      "SELECT ev_action::pg_catalog.text AS tree FROM pg_catalog.pg_rewrite WHERE ev_class = 'pg_temp.pawl_calls'::pg_catalog.regclass::pg_catalog.oid",
    );
    const tree = rows[0]?.tree ?? "";
    // CURRENT_TIMESTAMP, CURRENT_USER and their kind are not functions to the server.
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
  };
  return await session.savepoint(look, { trial: true });
}

/** A select list has at most 1,664 entries, and a table at most 1,600 columns. */
export const MOST_COLUMNS = 1600;

/**
 * The names under which these expressions can use the values of the source: all spellings that they may use, or, where these are
 * more columns than the server takes, those that stand in one of the expressions.
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
  if (count > MOST_COLUMNS / 2) {
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

/** Why the server refuses a statement; null when it does not. */
async function refusal(session: PostgresSession, statement: string): Promise<Error | null> {
  try {
    await session.savepoint(() => session.query(statement));
    return null;
  } catch (error) {
    if (sqlState(error) === null) throw error;
    return error as Error;
  }
}
