import { PawlError } from "../../../errors.ts";
import { findRelation, type Relation, splitName, unknownTable } from "../catalog.ts";
import { quoteName } from "../identifier.ts";
import type { PostgresSession } from "../session.ts";

/** A column of a table or view, as what reads its values needs to know it. */
export interface ReadableColumn {
  readonly name: string;
  /** As in a declaration, such as `numeric(12,2)`. */
  readonly declared: string;
  /** The built-in type below any domains, such as `int8`; null for a type that is not built in. Of an array that of its elements. */
  readonly type: string | null;
  readonly isArray: boolean;
  /** Of a `numeric` with both; null for one without. */
  readonly precision: number | null;
  readonly scale: number | null;
  readonly notNull: boolean;
  /** Whether texts that are equal have the same characters. */
  readonly deterministic: boolean;
}

/** What rows can be read of: a table, a view, a materialized view, a foreign table. */
export interface ReadableTable {
  /** For people: `public.people`. */
  readonly label: string;
  /** For SQL: `"public"."people"`. */
  readonly sql: string;
  readonly columns: readonly ReadableColumn[];
}

/** Looks a table or view up as SQL would. Errors: `postgres.unknown-table`, `postgres.not-a-table`, `postgres.table-name`. */
export async function readableTable(session: PostgresSession, name: string): Promise<ReadableTable> {
  const relation = await findRelation(session, splitName(name));
  if (relation === null) throw await unknownTable(session, name, "check its name and its schema.");
  if (!"rpvmf".includes(relation.kind))
    throw new PawlError(
      "postgres.not-a-table",
      `${relation.schema}.${relation.name} has no rows: name a table or a view.`,
    );
  return {
    label: `${relation.schema}.${relation.name}`,
    sql: `${quoteName(relation.schema)}.${quoteName(relation.name)}`,
    columns: await columnsOf(session, relation),
  };
}

async function columnsOf(session: PostgresSession, { oid }: Relation): Promise<readonly ReadableColumn[]> {
  const { rows } = await session.query<ReadableColumn & Record<string, unknown>>(columnsSql, [oid]);
  return rows;
}

/** A numeric's modifier holds its precision in the upper 16 bits and its scale in the lower 11, four more than either. */
const columnsSql = `
  WITH RECURSIVE below(number, type, modifier) AS (
    SELECT a.attnum, a.atttypid, a.atttypmod FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT b.number, t.typbasetype, CASE WHEN t.typtypmod >= 0 THEN t.typtypmod ELSE b.modifier END
    FROM below b JOIN pg_catalog.pg_type t ON t.oid = b.type WHERE t.typtype = 'd'
  ),
  base AS (
    SELECT b.number, b.modifier, t.typelem <> 0 AND t.typcategory = 'A' AS is_array,
           CASE WHEN t.typelem <> 0 AND t.typcategory = 'A' THEN t.typelem ELSE t.oid END AS type
    FROM below b JOIN pg_catalog.pg_type t ON t.oid = b.type WHERE t.typtype <> 'd'
  )
  SELECT a.attname AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS declared, b.is_array AS "isArray",
         CASE WHEN n.nspname = 'pg_catalog' AND t.typtype = 'b' THEN t.typname END AS type,
         CASE WHEN t.typname = 'numeric' AND b.modifier >= 4 THEN ((b.modifier - 4) >> 16) & 65535 END AS precision,
         CASE WHEN t.typname = 'numeric' AND b.modifier >= 4
              THEN (((b.modifier - 4) & 2047) # 1024) - 1024 END AS scale,
         a.attnotnull AS "notNull", coalesce(c.collisdeterministic, true) AS deterministic
  FROM base b
  JOIN pg_catalog.pg_attribute a ON a.attrelid = $1::oid AND a.attnum = b.number
  JOIN pg_catalog.pg_type t ON t.oid = b.type
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  LEFT JOIN pg_catalog.pg_collation c ON c.oid = a.attcollation
  ORDER BY a.attnum`;
