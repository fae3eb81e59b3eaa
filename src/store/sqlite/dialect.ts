import type { Clock } from "../clock.ts";
import type { Bind, ColumnValues, Dialect } from "../sql/dialect.ts";

/** The dialect of SQLite. A transaction has the file to itself, so that there is nothing to lock. */
export class SqliteDialect implements Dialect {
  readonly isDead = "t.state = 'dead'";
  readonly transitioned = "seq, id, queue, fence, group_id";
  readonly attemptKey = "t.seq";
  readonly changeKey = "number";
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  placeholder(number: number): string {
    return `?${number}`;
  }

  now(bind: Bind): string {
    return bind(this.#clock.wall());
  }

  oneOf(values: readonly (string | number)[], bind: Bind): string {
    const [only] = values;
    if (values.length === 1 && only !== undefined) return `= ${bind(only)}`;
    return `IN (SELECT value FROM json_each(${bind(JSON.stringify(values))}))`;
  }

  rows(name: string, columns: ColumnValues, bind: Bind): string {
    const lists = Object.entries(columns).map(([column, [, values]]) => ({ column, values }));
    const count = lists[0]?.values.length ?? 0;
    if (count === 1) {
      const row = lists.map(({ column, values }) => `${bind(wellFormed(values[0]))} AS ${column}`);
      return `(SELECT ${row.join(", ")}) AS ${name}`;
    }
    const rows = Array.from({ length: count }, (_, at) => lists.map(({ values }) => wellFormed(values[at])));
    const parts = lists.map(({ column }, at) => `value ->> ${at} AS ${column}`);
    return `(SELECT ${parts.join(", ")} FROM json_each(${bind(JSON.stringify(rows))})) AS ${name}`;
  }

  lookup(column: string, value: string): string {
    return `${column} = ${value}`;
  }

  lock(): string {
    return "";
  }

  holdsKey(values: readonly string[], bind: Bind): string {
    return `t.unique_key ${this.oneOf(values, bind)} AND t.state IN ('waiting', 'leased')`;
  }

  sharesKey(open: string, other: string): string {
    return `${open}.unique_key = ${other}.unique_key AND ${open}.state IN ('waiting', 'leased')`;
  }

  hasExpired(bind: Bind): string {
    return `t.state = 'waiting' AND t.fence = 0 AND t.expires_at IS NOT NULL AND t.expires_at <= ${this.now(bind)}`;
  }

  payloadHolds(text: string, bind: Bind): string {
    return `instr(pawl_lower(t.payload), ${bind(text.toLowerCase())}) > 0`;
  }
}

/** JSON would keep half of a character as such, and SQLite make three others of it. */
function wellFormed(value: string | number | null | undefined): string | number | null {
  return typeof value === "string" ? value.toWellFormed() : (value ?? null);
}
