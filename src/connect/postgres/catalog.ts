import { PawlError } from "../../errors.ts";
import { suggest } from "../../near-names.ts";
import { own } from "../../own.ts";
import { type NamePart, parseName, quoteName } from "./identifier.ts";
import { PostgresSession } from "./session.ts";

export interface Column {
  readonly name: string;
  /** As in a declaration, such as `numeric(12,2)`. */
  readonly type: string;
  /** The type without length or precision, which a cast would enforce by cutting. */
  readonly looseType: string;
  /** The type below any domains, such as `int8`; null for a type that is not built in. */
  readonly base: string | null;
  /** The built-in types of which it is made: of elements, bounds, attributes and domains, at any depth. */
  readonly within: readonly string[];
  readonly isEnum: boolean;
  /** Declared with a length or a scale. */
  readonly limited: boolean;
  readonly isArray: boolean;
  readonly isJson: boolean;
  /** `COLLATE …` for a declaration, where it is not the database's own. */
  readonly collate: string;
  /** Whether equal means the same characters. */
  readonly deterministic: boolean;
  readonly notNull: boolean;
  readonly hasDefault: boolean;
  readonly generated: boolean;
  readonly identity: "always" | "default" | null;
  readonly mayInsert: boolean;
  readonly mayUpdate: boolean;
}

/** A unique index that `ON CONFLICT` can use. */
export interface UniqueKey {
  readonly name: string;
  readonly columns: readonly string[];
  readonly primary: boolean;
  /** Two nulls count as the same key. */
  readonly nullsEqual: boolean;
}

export interface Table {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  /** For people: `public.people`. */
  readonly label: string;
  /** For SQL: `"public"."people"`. */
  readonly sql: string;
  readonly partitioned: boolean;
  readonly columns: readonly Column[];
  readonly keys: readonly UniqueKey[];
  /** BEFORE INSERT row triggers may change a row, drop it, or fill what is missing. */
  readonly triggersBefore: boolean;
  /** The same of BEFORE UPDATE and BEFORE DELETE. */
  readonly triggersBeforeUpdate: boolean;
  readonly triggersBeforeDelete: boolean;
  /** A trigger before INSERT or UPDATE may drop rows: it may return nothing. */
  readonly mayDropRows: boolean;
  /** The columns that BEFORE INSERT triggers may give another value; null where that cannot be told. */
  readonly triggeredColumns: readonly string[] | null;
  /** The same of BEFORE UPDATE triggers alone, and these. */
  readonly columnsTriggeredByUpdate: readonly string[] | null;
  readonly updateTriggers: readonly Pick<Trigger, "name" | "source">[];
  /** Constraints that rows may meet together and not alone: foreign keys into the table itself, and deferrable ones. */
  readonly mutualConstraints: readonly string[];
  /** Rules that rewrite INSERT, UPDATE or DELETE. */
  readonly rules: readonly Rule[];
  /** Row-level security applies to us, with which COPY does not work. */
  readonly rowSecurity: boolean;
  readonly maySelect: boolean;
  /** The primary key is deferrable, so that it is not among `keys`. */
  readonly keyDeferrable: boolean;
}

export interface Rule {
  readonly name: string;
  readonly event: "INSERT" | "UPDATE" | "DELETE";
  readonly enabled: boolean;
}

/** Something with rows in the catalog. */
export interface Relation {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly kind: string;
}

const kinds: Readonly<Record<string, string>> = {
  v: "a view",
  m: "a materialized view",
  f: "a foreign table",
  S: "a sequence",
  i: "an index",
  c: "a composite type",
};

/** Looks the table up as SQL would: by its exact name, or folded to lower case where it is not quoted. */
export async function findTable(session: PostgresSession, name: string): Promise<Table | null> {
  const relation = await findRelation(session, splitName(name));
  if (relation === null) return null;
  if (relation.kind !== "r" && relation.kind !== "p") {
    throw new PawlError(
      "postgres.not-a-table",
      `${relation.schema}.${relation.name} is ${own(kinds, relation.kind) ?? "not a table"}: name the table that holds its rows.`,
    );
  }
  return describe(session, relation);
}

/** The columns of the primary key of a table; null where it has none, or where there is no such table. */
export async function primaryKeyOf(url: string, name: string): Promise<readonly string[] | null> {
  return await PostgresSession.use(url, "pawl reader", async (session) => {
    const table = await findTable(session, name);
    return table?.keys.find(({ primary }) => primary)?.columns ?? null;
  });
}

export function splitName(name: string): NamePart[] {
  const parts = parseName(name);
  if (parts !== null) return parts;
  throw new PawlError(
    "postgres.table-name",
    `${name} is not a table name: write table or schema.table, in double quotes where it has dots or capitals.`,
  );
}

/** The sentence for a table that is not there. */
export async function unknownTable(
  session: PostgresSession,
  name: string,
  otherwise = "create it first, or add `create: true`.",
): Promise<PawlError> {
  const { rows } = await session.query<{ name: string }>(
    `SELECT CASE WHEN pg_catalog.pg_table_is_visible(c.oid) THEN c.relname ELSE pg_catalog.concat(n.nspname, '.', c.relname) END AS name
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'pawl')
     LIMIT 5000`,
  );
  const advice = suggest(
    name,
    rows.map((row) => row.name),
    otherwise,
  );
  return new PawlError("postgres.unknown-table", `There is no table ${name} in the database: ${advice}`);
}

/** Looks a relation of any kind up as SQL would; null where there is none. */
export async function findRelation(
  session: PostgresSession,
  parts: readonly NamePart[],
): Promise<Relation | null> {
  const exact = parts.map((part) => part.text);
  const folded = parts.map((part) => (part.quoted ? part.text : part.text.toLowerCase()));
  for (const names of [exact, folded]) {
    const schema = names.length === 2 ? names[0] : null;
    const { rows } = await session.query<Relation>(
      `SELECT c.oid::int8::text AS oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE c.relname = $1 AND CASE WHEN $2::text IS NULL THEN pg_catalog.pg_table_is_visible(c.oid) ELSE n.nspname = $2 END`,
      [names.at(-1), schema],
    );
    const [found] = rows;
    if (found !== undefined) return { ...found, oid: Number(found.oid) };
  }
  return null;
}

async function describe(session: PostgresSession, relation: Relation): Promise<Table> {
  const { oid, schema, name } = relation;
  const columns = await session.query<Column & { identityCode: string }>(columnsSql, [oid]);
  const keys = await session.query<UniqueKey>(keysSql, [oid]);
  const rest = await session.query<
    Pick<Table, "rowSecurity" | "maySelect" | "keyDeferrable"> & Record<string, unknown>
  >(
    `SELECT pg_catalog.row_security_active($1::oid) AS "rowSecurity",
            pg_catalog.has_table_privilege($1::oid, 'SELECT') AS "maySelect",
            EXISTS (SELECT FROM pg_catalog.pg_constraint c
                    WHERE c.conrelid = $1::oid AND c.contype = 'p' AND c.condeferrable) AS "keyDeferrable"`,
    [oid],
  );
  const flags = rest.rows[0] ?? { rowSecurity: false, maySelect: true, keyDeferrable: false };
  const triggers = (await session.query<Trigger & Record<string, unknown>>(triggersSql, [oid])).rows;
  const mutual = await session.query<{ name: string }>(
    `SELECT DISTINCT c.conname AS name FROM pg_catalog.pg_constraint c
     WHERE c.conrelid = $1 AND (c.condeferrable OR (c.contype = 'f' AND c.confrelid = $1))`,
    [oid],
  );
  const rules = await session.query<Rule & Record<string, unknown>>(rulesSql, [oid]);
  return {
    oid,
    schema,
    name,
    label: `${schema}.${name}`,
    sql: `${quoteName(schema)}.${quoteName(name)}`,
    partitioned: relation.kind === "p",
    columns: columns.rows,
    keys: keys.rows,
    triggersBefore: triggers.some((trigger) => trigger.insert),
    triggersBeforeUpdate: triggers.some((trigger) => trigger.update),
    triggersBeforeDelete: triggers.some((trigger) => trigger.delete),
    mayDropRows: triggers.some((trigger) => (trigger.insert || trigger.update) && mayDrop(trigger)),
    triggeredColumns: columnsGiven(triggers.filter((trigger) => trigger.insert || trigger.update)),
    columnsTriggeredByUpdate: columnsGiven(triggers.filter((trigger) => trigger.update)),
    updateTriggers: triggers.filter((trigger) => trigger.update),
    mutualConstraints: mutual.rows.map((row) => row.name),
    rules: rules.rows,
    ...flags,
  };
}

/** What a table without a key to use has instead, for sentences. */
export function withoutKey(table: Table): string {
  const has = table.keyDeferrable
    ? "only a deferrable primary key, which tells no two rows apart at once"
    : "no primary key";
  return `${table.label} has ${has}`;
}

/** A row trigger that fires before, of the table or of one of its partitions. */
interface Trigger {
  readonly name: string;
  readonly insert: boolean;
  readonly update: boolean;
  readonly delete: boolean;
  readonly language: string;
  readonly source: string;
}

const triggersSql = `
  WITH RECURSIVE part(oid) AS (
    SELECT $1::oid UNION SELECT h.inhrelid FROM pg_catalog.pg_inherits h JOIN part ON h.inhparent = part.oid
  )
  SELECT DISTINCT t.tgname AS name, t.tgtype & 4::int2 <> 0::int2 AS insert, t.tgtype & 16::int2 <> 0::int2 AS update,
         t.tgtype & 8::int2 <> 0::int2 AS delete, l.lanname AS language, p.prosrc AS source
  FROM pg_catalog.pg_trigger t JOIN part ON t.tgrelid = part.oid
  JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid JOIN pg_catalog.pg_language l ON l.oid = p.prolang
  WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgtype & 3::int2 = 3::int2`;

const rulesSql = `
  SELECT r.rulename AS name, CASE r.ev_type WHEN '2' THEN 'UPDATE' WHEN '3' THEN 'INSERT' ELSE 'DELETE' END AS event,
         r.ev_enabled <> 'D' AS enabled
  FROM pg_catalog.pg_rewrite r
  WHERE r.ev_class = $1 AND r.ev_type IN ('2', '3', '4') ORDER BY r.rulename`;

/** A variable as PL/pgSQL writes it. */
const variable = String.raw`(?:"(?:[^"]|"")+"|[\p{L}_][\p{L}\p{N}_$]*)(?:\s*\.\s*(?:"(?:[^"]|"")+"|[\p{L}_][\p{L}\p{N}_$]*))*`;
/** What is given a value by `:=` or `=` (which may also compare), or by INTO. */
const assigned = new RegExp(`(${variable})\\s*(?:\\[[^\\]]*\\]\\s*)*:?=`, "giu");
const filled = new RegExp(`\\binto\\s+(?:strict\\s+)?((?:${variable}\\s*,\\s*)*${variable})`, "giu");

/** Whether a trigger may return something else than NEW, or make nothing of it. */
function mayDrop({ language, source }: Trigger): boolean {
  return (
    language !== "plpgsql" ||
    /\breturn\b(?!\s+new\s*;)/i.test(source) ||
    /\bnew\s*:?=|\binto\s+(?:strict\s+)?new\b(?!\s*\.)/i.test(source)
  );
}

/**
 * The columns that triggers may give another value; null where that cannot be told. A trigger in PL/pgSQL returns NEW as it
 * is but for what it assigns to its columns by name, unless it does something that is not looked at here.
 */
function columnsGiven(triggers: readonly Trigger[]): readonly string[] | null {
  const columns = new Set<string>();
  for (const { language, source, update } of triggers) {
    // Before INSERT there is no OLD.
    const known = update ? /\breturn\s+(new|null)\s*;/gi : /\breturn\s+(new|old|null)\s*;/gi;
    const text = source.replaceAll(known, "");
    if (language !== "plpgsql" || /\b(return|alias|call|foreach|diagnostics)\b|\bfor\s+new\b/i.test(text))
      return null;
    const lists = [...text.matchAll(assigned), ...text.matchAll(filled)].map(([, list = ""]) => list);
    for (const name of lists.flatMap((list) => list.split(",")).map((each) => each.trim())) {
      const [, column] = /^new(?:\s*\.\s*("(?:[^"]|"")+"|[^.\s]+).*)?$/isu.exec(name) ?? [];
      if (/^new$/i.test(name)) return null;
      if (column === undefined) continue;
      columns.add(column.startsWith('"') ? column.slice(1, -1).replaceAll('""', '"') : column.toLowerCase());
    }
  }
  return [...columns];
}

/**
 * Refuses a table whose rules would fire for some of our statements: COPY knows none, and INSERT … ON CONFLICT takes no
 * table with one on UPDATE, also where it is disabled.
 */
export function refuseRules(table: Table, ...events: readonly (Rule["event"] | "ON CONFLICT")[]): void {
  const rule = table.rules.find(
    ({ event, enabled }) =>
      (enabled && events.includes(event)) || (event === "UPDATE" && events.includes("ON CONFLICT")),
  );
  if (rule === undefined) return;
  throw new PawlError(
    "postgres.rule",
    `${table.label} has the rule ${rule.name} on ${rule.event}, which PostgreSQL follows for some ways to write and not for others: ` +
      "make a trigger of it and drop it (DROP RULE), or work on another table.",
  );
}

const columnsSql = `
  SELECT a.attname AS name,
         pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
         pg_catalog.format_type(a.atttypid, -1) AS "looseType",
         CASE WHEN bt.typnamespace = 'pg_catalog'::regnamespace THEN bt.typname END AS base,
         array(
           WITH RECURSIVE part(oid) AS (
             SELECT a.atttypid UNION
             SELECT deeper.oid FROM part JOIN pg_type p ON p.oid = part.oid CROSS JOIN LATERAL (
               SELECT p.typbasetype UNION ALL
               SELECT p.typelem WHERE p.typcategory = 'A' UNION ALL
               SELECT r.rngsubtype FROM pg_range r WHERE r.rngtypid = p.oid OR r.rngmultitypid = p.oid UNION ALL
               SELECT m.atttypid FROM pg_attribute m WHERE m.attrelid = p.typrelid AND p.typrelid <> 0::oid AND m.attnum > 0 AND NOT m.attisdropped
             ) deeper(oid)
           )
           SELECT p.typname::text FROM part JOIN pg_type p ON p.oid = part.oid
           WHERE p.typnamespace = 'pg_catalog'::regnamespace) AS within,
         bt.typtype = 'e' AS "isEnum",
         a.atttypmod >= 0 OR base.mod >= 0 AS limited,
         bt.typcategory = 'A' AS "isArray",
         bt.typname IN ('json', 'jsonb') AS "isJson",
         CASE WHEN co.oid IS NULL OR a.attcollation = t.typcollation THEN ''
              ELSE ' COLLATE ' || pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(co.collname) END AS collate,
         coalesce(co.collisdeterministic, true) AS deterministic,
         a.attnotnull OR t.typnotnull AS "notNull",
         a.atthasdef OR t.typdefault IS NOT NULL AS "hasDefault",
         a.attgenerated <> '' AS generated,
         CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'default' END AS identity,
         pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'INSERT') AS "mayInsert",
         pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'UPDATE') AS "mayUpdate"
  FROM pg_attribute a
  JOIN pg_type t ON t.oid = a.atttypid
  CROSS JOIN LATERAL (
    WITH RECURSIVE domains AS (
      SELECT a.atttypid AS oid, a.atttypmod AS mod
      UNION ALL
      SELECT d.typbasetype, d.typtypmod FROM domains JOIN pg_type d ON d.oid = domains.oid WHERE d.typtype = 'd'
    )
    SELECT domains.oid, domains.mod FROM domains JOIN pg_type d ON d.oid = domains.oid WHERE d.typtype <> 'd'
  ) base
  JOIN pg_type bt ON bt.oid = base.oid
  LEFT JOIN pg_collation co ON co.oid = a.attcollation
  LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace
  WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
  ORDER BY a.attnum`;

const keysSql = `
  SELECT c.relname AS name,
         i.indisprimary AS primary,
         coalesce((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) AS "nullsEqual",
         array(SELECT a.attname::text
               FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, position)
               JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
               WHERE k.position <= i.indnkeyatts ORDER BY k.position) AS columns
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
  WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indimmediate
    AND i.indpred IS NULL AND i.indexprs IS NULL
  ORDER BY i.indisprimary DESC, c.relname`;

/** A column by the name a person wrote: exactly, or but for the case. */
export function findColumn(table: Table, name: string, code: string, where: string): Column {
  const found = matchColumn(table, name);
  if (found !== null) return found;
  const names = table.columns.map((column) => column.name);
  throw new PawlError(
    code,
    `${table.label} has no column "${name}" (${where}): ${suggest(name, names, `its columns are ${names.join(", ")}.`)}`,
  );
}

export function matchColumn(table: Table, name: string): Column | null {
  const exact = table.columns.find((column) => column.name === name);
  if (exact !== undefined) return exact;
  const alike = table.columns.filter((column) => column.name.toLowerCase() === name.toLowerCase());
  return alike.length === 1 ? (alike[0] ?? null) : null;
}
