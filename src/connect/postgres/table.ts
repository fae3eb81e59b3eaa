import { PawlError } from "../../errors.ts";
import { own } from "../../own.ts";
import type { Session } from "./connection.ts";
import { type NamePart, parseName, quoteName } from "./identifier.ts";
import { suggest } from "./near.ts";

export interface Column {
  readonly name: string;
  /** As in a declaration, such as `numeric(12,2)`. */
  readonly type: string;
  /** The type without length or precision, which a cast would enforce by cutting. */
  readonly looseType: string;
  /** The type below any domains, such as `int8`; null for a type that is not built in. */
  readonly base: string | null;
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
  /** Row-level security applies to us, with which COPY does not work. */
  readonly rowSecurity: boolean;
  readonly maySelect: boolean;
}

interface Relation {
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
export async function findTable(session: Session, name: string): Promise<Table | null> {
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
  session: Session,
  name: string,
  otherwise = "create it first, or add --create.",
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

async function findRelation(session: Session, parts: readonly NamePart[]): Promise<Relation | null> {
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

async function describe(session: Session, relation: Relation): Promise<Table> {
  const { oid, schema, name } = relation;
  const columns = await session.query<Column & { identityCode: string }>(columnsSql, [oid]);
  const keys = await session.query<UniqueKey>(keysSql, [oid]);
  const rest = await session.query<{ triggersBefore: boolean; rowSecurity: boolean; maySelect: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = $1 AND NOT t.tgisinternal AND t.tgenabled <> 'D'
                      AND t.tgtype & 7::int2 = 7::int2) AS "triggersBefore",
            pg_catalog.row_security_active($1::oid) AS "rowSecurity",
            pg_catalog.has_table_privilege($1::oid, 'SELECT') AS "maySelect"`,
    [oid],
  );
  const flags = rest.rows[0] ?? { triggersBefore: false, rowSecurity: false, maySelect: true };
  return {
    oid,
    schema,
    name,
    label: `${schema}.${name}`,
    sql: `${quoteName(schema)}.${quoteName(name)}`,
    partitioned: relation.kind === "p",
    columns: columns.rows,
    keys: keys.rows,
    ...flags,
  };
}

const columnsSql = `
  SELECT a.attname AS name,
         pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
         pg_catalog.format_type(a.atttypid, -1) AS "looseType",
         CASE WHEN bt.typnamespace = 'pg_catalog'::regnamespace THEN bt.typname END AS base,
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
