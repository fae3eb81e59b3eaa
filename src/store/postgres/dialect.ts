import type { Json } from "../contract.ts";
import { JsonText } from "../json-text.ts";
import type { Bind, ColumnValues, Dialect } from "../sql/dialect.ts";

const NOW = "(SELECT pawl.now_ms())";

/** The dialect of PostgreSQL. */
export const postgresDialect: Dialect = {
  isDead: "t.dead",
  transitioned: "id, queue, fence, group_id, seq, lease, prune_at",
  attemptKey: "t.id",
  changeKey: "entry",
  placeholder: (number) => `$${number}`,
  now: () => NOW,
  oneOf: (values: readonly (string | number)[], bind: Bind) =>
    typeof values[0] === "number"
      ? `= ANY(${bind(scalars(values as readonly number[]))}::bigint[])`
      : `= ANY(${bind(texts(values as readonly string[]))}::text[])`,
  rows: (name: string, columns: ColumnValues, bind: Bind) => {
    const lists = Object.values(columns).map(([type, values]) =>
      type === "text"
        ? `${bind(texts(values.map((value) => (typeof value === "string" ? withoutNul(value) : null))))}::text[]`
        : `${bind(scalars(values as readonly (number | null)[]))}::bigint[]`,
    );
    return `unnest(${lists.join(", ")}) AS ${name} (${Object.keys(columns).join(", ")})`;
  },
  lookup,
  lock: (clause) => clause,
  holdsKey: (values, bind) => `t.open_key IS NOT NULL AND t.open_key = ANY(${bind(texts(values))}::text[])`,
  sharesKey: (open, other) => `${open}.open_key IS NOT NULL AND ${open}.open_key = ${other}.unique_key`,
  hasExpired: () => `t.expiring IS NOT NULL AND t.expiring <= ${NOW}`,
  payloadHolds: (text, bind) => `strpos(lower(coalesce(t.payload, 'null')), lower(${bind(text)}::text)) > 0`,
};

/**
 * The condition that a column has a value of another row, for a table that is to be looked up row by row. It says the same
 * as `column = value`, but leaves the planner one way only: an index on the column, once for each value. With a plain
 * equality a join may as well walk the whole table in the order of that index, which is as cheap as can be where the
 * statistics say that the table is small. A plan that was made then is kept, and the table grows a thousandfold.
 */
export function lookup(column: string, value: string): string {
  return `${column} = ANY(ARRAY[${value}])`;
}

/** What PostgreSQL cannot keep in a text. Errors and logs may hold it; it is shown as the picture of a null. */
const NUL = /\0/g;

/** A text such as an error or a log as the server can store it. */
export function withoutNul(text: string): string {
  return text.includes("\0") ? text.replace(NUL, "\u2400") : text;
}

/** JSON text of a value; null for null, so that what is not used takes no room. */
export function toText(value: Json | JsonText | undefined): string | null {
  const { text } = JsonText.of(value);
  return text === "null" ? null : text;
}

/**
 * The literal of an array of texts; null when there is none among them. `unnest` fills a null array up with nulls, so
 * a column that is not used costs nothing.
 */
export function texts(values: readonly (string | null | undefined)[]): string | null {
  let used = false;
  const parts = values.map((value) => {
    if (value === null || value === undefined) return "NULL";
    used = true;
    return `"${/["\\]/.test(value) ? value.replace(/["\\]/g, "\\$&") : value}"`;
  });
  return used || values.length === 0 ? `{${parts.join(",")}}` : null;
}

/** The same for numbers and truth values. */
export function scalars(values: readonly (number | boolean | null | undefined)[]): string | null {
  if (values.length > 0 && values.every((value) => value === null || value === undefined)) return null;
  return `{${values.map((value) => value ?? "NULL").join(",")}}`;
}
