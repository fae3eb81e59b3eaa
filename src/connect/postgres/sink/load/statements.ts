import type { Column } from "../../catalog.ts";
import { comparison, differsSql, isKnown, isNull } from "../../comparison.ts";
import { freshPrefix, quoteName } from "../../identifier.ts";
import { MOST_COLUMNS, namesFor } from "../expressions.ts";
import type { LoadTarget } from "./load-target.ts";
import { type Field, givenColumns, type RowLayout } from "./row-layout.ts";

/** The staging tables that number their rows: one column a field, or all fields in one. */
export type Numbered = "numbered" | "json";

/** Which rows a statement takes, and from where. */
export interface Selection {
  readonly from: "stage" | Numbered;
  /** Of a numbered staging table: the first and the last number, and numbers between them to leave out. */
  readonly range?: readonly [number, number];
  readonly without?: readonly number[];
  /** Just these numbers. */
  readonly only?: readonly number[];
}

/** What is known of the keys in a staging table. */
export interface StagedKeys {
  /** Between these they lie so densely that reading that range is cheaper than looking them up one by one. */
  readonly bounds: readonly [string, string] | null;
  readonly nulls: boolean;
}

/** The answer to `keyRange`: the least and the greatest key, and how many are not null. */
export interface StagedKeyRange {
  readonly low: string | null;
  readonly high: string | null;
  readonly known: number;
}

/** The SQL for one layout of one target. */
export class LoadStatements {
  readonly stage: string;
  /** The staging table that numbers its rows, for when single rows must be told apart. */
  readonly numbered: string;
  /** The same where a row has more columns, or is larger, than one of a staging table may be: its fields as one JSON text. */
  readonly json: string;
  /** The columns that tell whether a row differs. */
  readonly compared: readonly Column[];
  readonly #target: LoadTarget;
  readonly #layout: RowLayout;
  readonly #columns: readonly Column[];
  readonly #distinct: boolean;
  /** What names of our own begin with, beside those of the table, of the source, and in expressions. */
  readonly #p: string;

  /** `distinct`: no two rows have the same key, so that their order does not matter. */
  constructor(target: LoadTarget, layout: RowLayout, distinct: boolean) {
    this.#target = target;
    this.#layout = layout;
    this.#distinct = distinct;
    this.#p = freshPrefix([
      ...target.table.columns.map((column) => column.name),
      ...layout.fields.map((field) => field.name),
    ]);
    this.stage = `pawl_stage_${layout.number}`;
    this.numbered = `pawl_numbered_${layout.number}`;
    this.json = `pawl_json_${layout.number}`;
    this.#columns = givenColumns(layout);
    const ignored = new Set(
      layout.assignments.flatMap((each) => (each.compared ? [] : each.column.name)).concat(this.#keyNames()),
    );
    this.compared = this.#columns.filter(
      (column) => !ignored.has(column.name) && column.identity !== "always",
    );
  }

  get table(): string {
    return this.#target.table.sql;
  }

  /** Whether the bytes can go into the table as they are. */
  get canCopy(): boolean {
    const { fields, assignments } = this.#layout;
    return (
      assignments.length === 0 &&
      this.#target.seen === null &&
      fields.every((field) => field.column !== null) &&
      !this.#target.table.rowSecurity
    );
  }

  copyDirect(options: string): string {
    return `COPY ${this.table} (${list(this.#columns)}) FROM STDIN (${options})`;
  }

  copyStage(options: string): string {
    const columns = this.#layout.fields.map((field) => field.staged).join(", ");
    return `COPY pg_temp.${this.stage} (${columns}) FROM STDIN (${options})`;
  }

  copyNumbered(options: string): string {
    return `COPY pg_temp.${this.numbered} FROM STDIN (${options})`;
  }

  copyJson(): string {
    return `COPY pg_temp.${this.json} FROM STDIN (FORMAT text, ENCODING 'UTF8')`;
  }

  /** Whether a staging table can have a column for each field, and one for their number. */
  get fitsColumns(): boolean {
    return this.#layout.fields.length < MOST_COLUMNS;
  }

  createJson(): string {
    return `CREATE TEMP TABLE IF NOT EXISTS ${this.json} (n integer PRIMARY KEY, item text) ON COMMIT DELETE ROWS`;
  }

  /** Fails where a value of these rows cannot be read as its type; of all fields, or of some. */
  readJson([low, high]: readonly [number, number], fields: readonly Field[] = this.jsonFields): string {
    const casts = fields.filter(isOwnText).map((field) => `, pg_catalog.count(${readValue(field)})`);
    return `SELECT pg_catalog.count(*)${casts.join("")} FROM ${this.#jsonRows(fields)} WHERE n BETWEEN ${low} AND ${high}`;
  }

  dropJson(numbers: readonly number[]): string {
    return `DELETE FROM pg_temp.${this.json} WHERE n = ANY ('{${numbers.join(",")}}'::int4[])`;
  }

  /** The fields that something is made of. */
  get jsonFields(): readonly Field[] {
    const { fields, assignments } = this.#layout;
    const inSql = this.#namesInSql();
    return fields.filter(
      ({ name, column }) => column !== null || (assignments.length > 0 && inSql(name).length > 0),
    );
  }

  #namesInSql(): (name: string) => readonly string[] {
    const { fields, assignments } = this.#layout;
    return namesFor(
      assignments.map((each) => each.expression),
      fields.map((field) => field.name),
    );
  }

  #jsonRows(fields: readonly Field[]): string {
    const columns = fields.map((field) => {
      const { staged, column } = field;
      return column === null || isOwnText(field)
        ? `${staged} text`
        : `${staged} ${column.type}${column.collate}`;
    });
    return `pg_temp.${this.json}, LATERAL pg_catalog.json_to_record(item::json) r(${columns.join(", ")})`;
  }

  createStage(): string {
    // Rows do not lie in the order in which they came: a short one may fill a gap on an earlier page.
    const number = this.#distinct ? [] : ["n bigint GENERATED ALWAYS AS IDENTITY (CACHE 8192)"];
    return this.#create(this.stage, number, false);
  }

  createNumbered(): string {
    return this.#create(this.numbered, ["n integer PRIMARY KEY"], !this.#target.table.triggersBefore);
  }

  /** Inserts, or as the mode says. Its row count is what was written. */
  write(selection: Selection): string {
    return `${this.#insert()} SELECT ${list(this.#columns)} FROM (${this.#incoming(selection)}) i ${this.#inOrder()}${this.#onConflict()}`;
  }

  /** The same, of several rows with one key only the last; returns how many rows that left and how many it wrote. */
  writeLast(selection: Selection): string {
    const incoming = this.#incoming(selection);
    const keys = this.#keyNames().map(quoteName);
    const last = (where: string) =>
      `SELECT DISTINCT ON (${keys.join(", ")}) * FROM (${incoming}) i ${where} ORDER BY ${keys.join(", ")}, ${this.#p}n DESC`;
    const nulls = keys.map(isNull).join(" OR ");
    const kept = this.#target.key?.nullable
      ? `(${last(`WHERE NOT (${nulls})`)}) UNION ALL (SELECT * FROM (${incoming}) i WHERE ${nulls})`
      : last("");
    return (
      `WITH ${this.#p}kept AS MATERIALIZED (${kept}), ` +
      `${this.#p}done AS (${this.#insert()} SELECT ${list(this.#columns)} FROM ${this.#p}kept ${this.#onConflict()} RETURNING 1) ` +
      `SELECT (SELECT pg_catalog.count(*) FROM ${this.#p}kept)::int4 AS kept, (SELECT pg_catalog.count(*) FROM ${this.#p}done)::int4 AS written`
    );
  }

  /**
   * The same as `write`, but looks the rows up first, so that unchanged rows are neither locked nor proposed to
   * triggers. Rows that share a key with a differing row are proposed too: if they are several,
   * the server notices, and `writeLast` decides.
   */
  writeDiffering(selection: Selection, { bounds, nulls }: StagedKeys): string {
    const incoming = this.#incoming(selection);
    const names = this.#keyNames().map(quoteName);
    const wanted = [...new Set([...names, ...this.compared.map((column) => quoteName(column.name))])].join(
      ", ",
    );
    const equal = this.#equal("b", "i");
    const there =
      bounds === null
        ? // OFFSET 0 keeps the planner from turning this into a join that reads the whole table.
          `LEFT JOIN LATERAL (SELECT ${wanted} FROM ${this.table} b WHERE ${equal} OFFSET 0) t ON true`
        : `LEFT JOIN (SELECT ${wanted} FROM ${this.table} WHERE ${names[0]} BETWEEN ${bounds[0]} AND ${bounds[1]}) t ` +
          `ON ${this.#equal("t", "i")}`;
    const differs =
      this.#target.mode === "update" && this.compared.length > 0 ? ` OR ${this.#differs("t", "i")}` : "";
    const keys = names.map((name) => `i.${name}`).join(", ");
    // A null key is equal to nothing, and yet the target must get to see it, to refuse it.
    const unknown = names.map((name) => isNull(`i.${name}`)).join(" OR ");
    const also = nulls ? ` UNION ALL SELECT * FROM (${incoming}) i WHERE ${unknown}` : "";
    return (
      `WITH ${this.#p}differing AS MATERIALIZED (SELECT ${keys} FROM (${incoming}) i ${there} WHERE ${isNull(`t.${names[0]}`)}${differs}) ` +
      `${this.#insert()} SELECT ${list(this.#columns)} FROM (` +
      `SELECT * FROM (${incoming}) i WHERE (${keys}) ${comparison("=", this.#target.key?.columns ?? [])} ANY (SELECT ${names.join(", ")} FROM ${this.#p}differing)${also}) i ${this.#inOrder()}${this.#onConflict()}`
    );
  }

  /**
   * Counts rows that are not in the table after they were written, and of those with one key the last where the table has other
   * values for it: a trigger dropped them. `lastOnly`: only the last of a key was to be written. Null where that cannot be told.
   */
  dropped(selection: Selection, lastOnly: boolean): string | null {
    const { table, keyComputed, updateIf, mode } = this.#target;
    const names = this.#keyNames().map(quoteName);
    const blind = table.rowSecurity || !table.maySelect || keyComputed;
    if (!table.mayDropRows || blind || mode !== "update" || names.length === 0) return null;
    const triggered = new Set(table.triggeredColumns ?? this.compared.map(({ name }) => name));
    // What a trigger, or a condition, decides on tells nothing of the row.
    const kept = updateIf === null ? this.compared.filter(({ name }) => !triggered.has(name)) : [];
    const numbered = selection.from !== "stage" || !this.#distinct;
    const nth = numbered
      ? `pg_catalog.row_number() OVER (PARTITION BY ${names.join(", ")} ORDER BY ${this.#p}n DESC)`
      : "1";
    const wanted = [...names, ...kept.map(({ name }) => quoteName(name))].join(", ");
    const differs = kept.length === 0 ? "" : ` OR (i.${this.#p}nth = 1 AND ${this.#differs("t", "i", kept)})`;
    const absent = `${isNull(`t.${names[0]}`)}${lastOnly ? ` AND i.${this.#p}nth = 1` : ""}`;
    return (
      `SELECT pg_catalog.count(*)::int4 AS n FROM (SELECT *, ${nth} AS ${this.#p}nth FROM (${this.#incoming(selection)}) s) i ` +
      `LEFT JOIN LATERAL (SELECT ${wanted} FROM ${this.table} b WHERE ${this.#equal("b", "i")} OFFSET 0) t ON true ` +
      `WHERE ${names.map((name) => isKnown(`i.${name}`)).join(" AND ")} AND (${absent}${differs})`
    );
  }

  /** Keeps the keys of all staged rows; null where that is not asked for. */
  keepSeen(from: Selection["from"]): string | null {
    const { seen, key } = this.#target;
    if (seen === null || key === null) return null;
    return `INSERT INTO ${seen} (${list(key.columns)}) SELECT ${list(key.columns)} FROM (${this.#incoming({ from })}) i`;
  }

  /** Asks for a `KeyRange`, where the key is one whole number; otherwise null. */
  keyRange(): string | null {
    const [key, more] = this.#target.key?.columns ?? [];
    if (key === undefined || more !== undefined || !/^int[248]$/.test(key.base ?? "")) return null;
    const field = this.#layout.fields.find((each) => each.column?.name === key.name);
    if (field === undefined) return null;
    return `SELECT pg_catalog.min(${field.staged})::text AS low, pg_catalog.max(${field.staged})::text AS high, pg_catalog.count(${field.staged})::int AS known FROM pg_temp.${this.stage}`;
  }

  /** Rows whose key is in the table, or came before in the same selection: with `fail`, these are refused. */
  taken(selection: Selection): string {
    const keys = this.#keyNames().map(quoteName);
    const equal = this.#equal("t", "i");
    const known = keys.map(isKnown).join(" AND ");
    return (
      `SELECT ${this.#p}n AS n, pg_catalog.concat_ws(', ', ${keys.map((key) => `${key}::text`).join(", ")}) AS key FROM ` +
      `(SELECT *, pg_catalog.row_number() OVER (PARTITION BY ${keys.join(", ")} ORDER BY ${this.#p}n) AS nth FROM (${this.#incoming(selection)}) s) i ` +
      `WHERE ${known} AND (nth > 1 OR EXISTS (SELECT FROM ${this.table} t WHERE ${equal}))`
    );
  }

  /** Whether a later numbered row has the same key as this one. */
  comesAgain(from: Numbered, number: number): string {
    const keys = this.#keyNames().map(quoteName);
    if (keys.length === 0) return "SELECT false AS again";
    const equal = this.#equal("l", "i");
    return (
      `SELECT EXISTS (SELECT FROM (${this.#incoming({ from, range: [number, number] })}) i ` +
      `JOIN (${this.#incoming({ from })}) l ON ${equal} WHERE l.${this.#p}n > i.${this.#p}n) AS again`
    );
  }

  /** The source's name for a column of a staging table. */
  nameOf(staged: string): string | null {
    return this.#layout.fields.find((field) => field.staged === staged)?.name ?? null;
  }

  #create(name: string, first: string[], strict: boolean): string {
    const columns = this.#layout.fields.map(({ staged, column }) => {
      if (column === null) return `${staged} text`;
      return `${staged} ${column.type}${column.collate}${strict && column.notNull ? " NOT NULL" : ""}`;
    });
    return `CREATE TEMP TABLE IF NOT EXISTS ${name} (${[...first, ...columns].join(", ")}) ON COMMIT DELETE ROWS`;
  }

  /** The staged rows under the names of the table's columns, numbered in their order where that matters. */
  #incoming({ from, range, without, only }: Selection): string {
    const { fields, assignments } = this.#layout;
    const conditions = range === undefined ? [] : [`n BETWEEN ${range[0]} AND ${range[1]}`];
    if (only !== undefined) conditions.push(`n = ANY ('{${only.join(",")}}'::int4[])`);
    if (without !== undefined && without.length > 0)
      conditions.push(`n <> ALL ('{${without.join(",")}}'::int[])`);
    const where = conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`;
    const used = from === "json" ? this.jsonFields : fields;
    const source = `FROM ${from === "json" ? this.#jsonRows(used) : `pg_temp.${this[from]}`}${where}`;
    const value = from === "json" ? readValue : ({ staged }: Field) => staged;
    const number = from !== "stage" || !this.#distinct ? [`n AS ${this.#p}n`] : [];
    const mapped = fields.filter((field): field is Field & { column: Column } => field.column !== null);
    if (assignments.length === 0) {
      const columns = mapped.map((field) => `${value(field)} AS ${quoteName(field.column.name)}`);
      return `SELECT ${[...number, ...columns].join(", ")} ${source}`;
    }
    const inSql = this.#namesInSql();
    // What goes into the table has a name of ours: the server may not tell long names of the source apart.
    const inner = [
      ...mapped.map((field) => `${value(field)} AS ${this.#p}${field.staged}`),
      ...used.flatMap((field) => inSql(field.name).map((as) => `${value(field)} AS ${as}`)),
    ];
    const outer = [
      ...number.map(() => `${this.#p}n`),
      ...mapped.map(({ staged, column }) => `s.${this.#p}${staged} AS ${quoteName(column.name)}`),
      ...assignments.map(
        ({ column, expression }) =>
          `CAST((${expression}\n) AS ${column.looseType}) AS ${quoteName(column.name)}`,
      ),
    ];
    return `SELECT ${outer.join(", ")} FROM (SELECT ${[...number, ...inner].join(", ")} ${source}) s`;
  }

  #insert(): string {
    const overriding = this.#columns.some((column) => column.identity !== null)
      ? " OVERRIDING SYSTEM VALUE"
      : "";
    return `INSERT INTO ${this.table} (${list(this.#columns)})${overriding}`;
  }

  /**
   * Of several rows with one key, `ignore` takes the first. With `update` the server refuses a second change of a
   * row, but it can tell only if the row that changes nothing does not come before the one that does.
   */
  #inOrder(): string {
    const { key, mode } = this.#target;
    return this.#distinct || key === null || mode === "fail" ? "" : `ORDER BY i.${this.#p}n `;
  }

  #onConflict(): string {
    const { key, mode } = this.#target;
    if (key === null || mode === "fail") return "";
    const names = new Set(this.#keyNames());
    const arbiter = `ON CONFLICT (${list(key.columns)})`;
    if (mode === "ignore" || this.compared.length === 0) return `${arbiter} DO NOTHING`;
    const changes = this.#columns
      .filter((column) => !names.has(column.name) && column.identity !== "always")
      .map(({ name }) => `${quoteName(name)} = excluded.${quoteName(name)}`);
    const condition = this.#target.updateIf === null ? "" : ` AND (${this.#target.updateIf}\n)`;
    return `${arbiter} DO UPDATE SET ${changes.join(", ")} WHERE ${this.#differs(quoteName(this.#target.table.name), "excluded")}${condition}`;
  }

  #differs(left: string, right: string, compared = this.compared): string {
    return differsSql(left, compared, (column) => `${right}.${quoteName(column.name)}`);
  }

  /** The condition that the rows of two relations have the same key. */
  #equal(left: string, right: string): string {
    const columns = this.#target.key?.columns ?? [];
    return columns
      .map((column) => [quoteName(column.name), comparison("=", [column])] as const)
      .map(([name, equals]) => `${left}.${name} ${equals} ${right}.${name}`)
      .join(" AND ");
  }

  #keyNames(): string[] {
    return this.#target.key?.columns.map((column) => column.name) ?? [];
  }
}

function list(columns: readonly Column[]): string {
  return columns.map((column) => quoteName(column.name)).join(", ");
}

/** A text of JSON would become a JSON string there. */
function isOwnText({ column }: Field): boolean {
  return column?.base === "json" || column?.base === "jsonb";
}

function readValue(field: Field): string {
  return isOwnText(field) ? `CAST(${field.staged} AS ${field.column?.type})` : field.staged;
}
