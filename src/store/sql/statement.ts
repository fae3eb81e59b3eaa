import type { Bind, ColumnValues, Dialect, Fragment, Value } from "./dialect.ts";
/**
 * Statements that every driver can run, and procedures made of them, written once.
 *
 * A statement is a template: what is put into it is a value that is bound, never text, or a part that each driver says
 * in its own dialect. A procedure is a generator that yields statements and is given their results. SQLite runs one from
 * beginning to end without a pause, so that nothing else comes between the statements of a transaction on its only
 * connection; PostgreSQL waits for each answer. Neither needs a second version of what the procedure decides.
 *
 * Tables are those of the schema `pawl`, and the task that a condition speaks of is called `t`.
 */

/** A statement or a part of one. */
export class Sql {
  readonly strings: readonly string[];
  readonly parts: readonly (Value | Sql | Fragment)[];

  constructor(strings: readonly string[], parts: readonly (Value | Sql | Fragment)[]) {
    this.strings = strings;
    this.parts = parts;
  }
}

/** Text with its values. */
export interface BoundStatement {
  readonly text: string;
  readonly values: readonly Value[];
}

/** A statement that is one driver's own, or that is sent all the time and must not be put together each time. */
export function statement(text: string, values: readonly Value[] = []): BoundStatement {
  return { text, values };
}

export function sql(strings: TemplateStringsArray, ...parts: (Value | Sql | Fragment)[]): Sql {
  return new Sql(strings, parts);
}

/** Text of ours as a part of a statement; never anything that was given. */
export function raw(text: string): Sql {
  return new Sql([text], []);
}

export function join(parts: readonly Sql[], between: string): Sql {
  return new Sql(["", ...parts.slice(1).map(() => between), ""], parts);
}

export const NOW: Fragment = (dialect, bind) => dialect.now(bind);

export const TRANSITIONED: Fragment = (dialect) => dialect.transitioned;

export const ATTEMPT_KEY: Fragment = (dialect) => dialect.attemptKey;

export const CHANGE_KEY: Fragment = (dialect) => dialect.changeKey;

export const HAS_EXPIRED: Fragment = (dialect, bind) => dialect.hasExpired(bind);

export function oneOf(values: readonly (string | number)[]): Fragment {
  return (dialect, bind) => dialect.oneOf(values, bind);
}

export function rows(name: string, columns: ColumnValues): Fragment {
  return (dialect, bind) => dialect.rows(name, columns, bind);
}

export function lookup(column: string, value: string): Fragment {
  return (dialect) => dialect.lookup(column, value);
}

export function forUpdate(of = ""): Fragment {
  return (dialect) => dialect.lock(of === "" ? "FOR UPDATE" : `FOR UPDATE OF ${of}`);
}

export function forShare(): Fragment {
  return (dialect) => dialect.lock("FOR SHARE");
}

/** The statement as text and values, in the dialect of one driver. */
export function bound(statement: Sql | BoundStatement, dialect: Dialect): BoundStatement {
  if (!(statement instanceof Sql)) return statement;
  const values: Value[] = [];
  const bind = (value: Value) => dialect.placeholder(values.push(value));
  return { text: textOf(statement, dialect, bind), values };
}

function textOf({ strings, parts }: Sql, dialect: Dialect, bind: Bind): string {
  let text = strings[0] ?? "";
  for (const [at, part] of parts.entries()) {
    if (part instanceof Sql) text += textOf(part, dialect, bind);
    else if (typeof part === "function") text += part(dialect, bind);
    else text += bind(part);
    text += strings[at + 1] ?? "";
  }
  return text;
}

/**
 * What a procedure asks its driver for: the rows of a statement, as objects or as arrays; how many rows it changed; only that it is run before the
 * transaction ends (`later`); that rows are locked, where others can change them at all (`lock`); several procedures,
 * which may run at the same time (`together`); or something of the driver's own, whose promise it awaits (`call`).
 */
export type Step =
  | { readonly kind: "rows" | "tuples" | "count" | "later"; readonly statement: Sql | BoundStatement }
  | { readonly kind: "lock"; readonly statement: () => Sql }
  | { readonly kind: "together"; readonly procedures: readonly Procedure<unknown>[] }
  | { readonly kind: "call"; readonly work: () => unknown };

export type Procedure<T> = Generator<Step, T, unknown>;

/** All rows of a statement. */
export function* all<Row>(statement: Sql | BoundStatement): Procedure<Row[]> {
  return (yield { kind: "rows", statement }) as Row[];
}

/** All rows of a statement as arrays, in the order of the columns: cheaper than objects where there are many. */
export function* tuples<Row>(statement: Sql | BoundStatement): Procedure<Row[]> {
  return (yield { kind: "tuples", statement }) as Row[];
}

/** The first row of a statement. */
export function* get<Row>(statement: Sql | BoundStatement): Procedure<Row | undefined> {
  return ((yield { kind: "rows", statement }) as Row[])[0];
}

/** Runs a statement; returns how many rows it changed. */
export function* run(statement: Sql | BoundStatement): Procedure<number> {
  return (yield { kind: "count", statement }) as number;
}

/** Runs a statement whose result does not matter: nothing waits for it but the end of the transaction. */
export function* later(statement: Sql | BoundStatement): Procedure<void> {
  yield { kind: "later", statement };
}

/** Locks rows, in the order of the statement, along with the statement that comes next. */
export function* lock(statement: () => Sql): Procedure<void> {
  yield { kind: "lock", statement };
}

/** Runs procedures that do not depend on each other. */
export function* together<T>(procedures: readonly Procedure<T>[]): Procedure<T[]> {
  return (yield { kind: "together", procedures }) as T[];
}

/** Does what is the driver's own; only a driver that waits for answers may give a promise. */
export function* call<T>(work: () => T | Promise<T>): Procedure<T> {
  return (yield { kind: "call", work }) as T;
}
