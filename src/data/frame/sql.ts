import { assertObject, assertText, quoted } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import { type SqlText, sqlExpression } from "../expr/free-functions.ts";
import type { ExpressionLike, FormOf } from "../expr/typed.ts";
import { type FrameSchema, fieldsOf } from "../schema/column-type.ts";
import { type AnyFrame, Frame, planOf } from "./frame.ts";

/**
 * A query in the engine's own SQL over frames, which it names as tables; the columns of its result are declared. What no verb can say can
 * be said in it, for this engine alone.
 *
 * @param tables the frames by the names that the query has for them
 * @param query one SELECT, in DuckDB's SQL
 * @param schema the columns of the result, in the order of the query; they are matched by place and cast
 * @throws PawlError `data.argument` or `data.schema`; when it runs, what the engine says of the query
 *
 * @example
 * ```ts
 * const sales = fromRows({ user: text(), amount: float64() }, [{ user: "ada", amount: 12 }, { user: "bob", amount: 300 }]);
 * const larger = sql({ sales }, "SELECT user FROM sales WHERE amount > (SELECT avg(amount) FROM sales)", { user: text() });
 * console.log((await larger.collect())[0]?.user); // bob
 * ```
 */
export function sql<const S extends FrameSchema>(
  tables: Readonly<Record<string, AnyFrame>>,
  query: string,
  schema: S,
): Frame<S>;
/**
 * The engine's own SQL as an expression, for what there is no function: expressions and literals are put in quoted, and `as` says which
 * type its value has. It ties the program to this engine.
 *
 * @example
 * ```ts
 * const names = fromRows({ name: text() }, [{ name: "Ada" }]);
 * const near = names.with((c) => ({ distance: sql`levenshtein(${c.name}, ${"Ida"})`.as(int32()) }));
 * console.log((await near.collect())[0]?.distance); // 1
 * ```
 */
export function sql<const L extends readonly ExpressionLike[]>(
  text: TemplateStringsArray,
  ...values: L
): SqlText<FormOf<"row", L[number]>>;
export function sql(tables: object, ...others: readonly unknown[]): unknown {
  if (Array.isArray(tables) && Array.isArray((tables as Partial<TemplateStringsArray>).raw))
    return sqlExpression(tables as unknown as TemplateStringsArray, others);
  const [query, schema] = others;
  return sqlFrame(tables as Readonly<Record<string, AnyFrame>>, query as string, schema as FrameSchema);
}

function sqlFrame<S extends FrameSchema>(
  tables: Readonly<Record<string, AnyFrame>>,
  query: string,
  schema: S,
): Frame<S> {
  assertObject(tables, "What sql() is given as tables");
  assertText(query, "The query of sql()");
  const inputs = Object.entries(tables).map(([name, frame]) => {
    if (name === "" || name.includes("\0"))
      throw new PawlError("data.argument", `sql() cannot call a table ${quoted(name)}.`);
    return { name, plan: planOf(frame, "sql()") };
  });
  const fields = fieldsOf(schema, "sql()");
  if (fields.length === 0)
    throw new PawlError("data.schema", "sql() needs at least one column in its schema.");
  return new Frame({ kind: "sql", inputs, text: query.replace(/;\s*$/, ""), fields });
}
