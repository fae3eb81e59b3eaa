import type { PlanOptions, Shard, ShardPlan } from "../../../batch/contract.ts";
import { PawlError } from "../../../errors.ts";
import { sqlState } from "../../../postgres-errors.ts";
import { isKnown, isNull } from "../comparison.ts";
import { freshPrefix, quoteName } from "../identifier.ts";
import type { PostgresSession } from "../session.ts";
import { between, filterSql, type KeyTexts } from "./keyset.ts";
import type { TableView } from "./table-reader.ts";

/** What is stored with a shard: the rows after `from` and up to `to`; without `to` there are none. */
export interface ShardRange {
  readonly from: KeyTexts | null;
  readonly to: KeyTexts | null;
  /** What a row takes in the table on average, to tell how many fit into a chunk. */
  readonly rowBytes: number;
}

/** Pages looked at to find out how keys are spread: enough that shards differ by a few percent. */
const samplePages = 2000;
const pageBytes = 8192;
/** A boundary should stand for at least so many rows of the sample, so that chance does not decide where it lies. */
const enoughRows = 50;
/** How long rows are counted; from there on they are estimated. Counting reads, but locks nothing. */
const countMs = 3000;

/**
 * Cuts a table into ranges of its key that hold about the same number of rows, from a sample of its pages. The greatest
 * key there is now is where the last range ends, so that the work comes to an end however many rows are added.
 */
export async function planShards(
  session: PostgresSession,
  view: TableView,
  n: number,
  options: PlanOptions,
): Promise<ShardPlan> {
  await refuseNulls(session, view);
  const { bytes, rows } = await sizeOf(session, view);
  const rowBytes = Math.max(32, Math.round(bytes / Math.max(1, rows)));
  const to = await greatest(session, view);
  if (to === null) return planOf([{ data: { from: null, to: null, rowBytes }, items: 0 }]);
  const share = Math.min(1, samplePages / Math.max(1, bytes / pageBytes));
  let sample = await boundaries(session, view, n, share, view.where);
  const found = sample.rows;
  // Where few rows meet the condition, looking for them is the work: then all rows count alike.
  if (found < n * enoughRows) sample = await boundaries(session, view, n, share, undefined);
  const bounds: (KeyTexts | null)[] = [null, ...sample.keys, to];
  const ranges = bounds.slice(1).map((end, at) => ({ from: bounds[at] ?? null, to: end, rowBytes }));
  const deadline = performance.now() + countMs;
  const shards: Shard[] = [];
  for (const data of ranges) {
    options.signal.throwIfAborted();
    const counted = await count(session, view, data, deadline - performance.now());
    const estimate = counted ?? Math.round(found / share / ranges.length);
    shards.push({ data: { ...data }, items: null, bytes: null, estimate });
    options.onProgress?.(shards.length, ranges.length);
  }
  return planOf(shards);
}

function planOf(shards: readonly (Omit<Shard, "bytes"> & { data: unknown })[]): ShardPlan {
  return { shards: shards.map((shard) => ({ ...shard, bytes: null })), duplicates: null, notes: [] };
}

/** A row without a key would never be reached. */
async function refuseNulls(session: PostgresSession, { table, keyset, where }: TableView): Promise<void> {
  const nullable = keyset.columns.filter((column) => !column.notNull);
  if (nullable.length === 0) return;
  const nulls = nullable.map((column) => isNull(quoteName(column.name))).join(" OR ");
  const { rows } = await session.query(
    `SELECT FROM ${table.sql} WHERE (${nulls})${filterSql(where)} LIMIT 1`,
  );
  if (rows.length === 0) return;
  throw new PawlError(
    "postgres.key-null",
    `Some rows of ${table.label} have no ${nullable.map((column) => column.name).join(" or ")}, by which the table is read: name a key without nulls with \`key\`, or leave these rows out with \`where\`.`,
  );
}

async function sizeOf(
  session: PostgresSession,
  { table }: TableView,
): Promise<{ bytes: number; rows: number }> {
  const { rows } = await session.query<{ bytes: string; rows: number }>(
    `SELECT pg_catalog.sum(pg_catalog.pg_relation_size(c.oid)) AS bytes, pg_catalog.sum(greatest(c.reltuples, 0))::float8 AS rows
     FROM pg_class c
     WHERE c.oid = $1::oid OR c.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree($1::oid) WHERE isleaf)`,
    [table.oid],
  );
  const bytes = Number(rows[0]?.bytes ?? 0);
  const known = Number(rows[0]?.rows ?? 0);
  if (known > 0) return { bytes, rows: known };
  // Never analysed: what a row takes shows in a few pages.
  const share = Math.min(100, (100 * 100) / Math.max(1, bytes / pageBytes));
  const sampled = await session.query<{ n: number }>(
    `SELECT pg_catalog.count(*)::int AS n FROM ${table.sql} TABLESAMPLE SYSTEM ($1::float8)`,
    [share],
  );
  return { bytes, rows: ((sampled.rows[0]?.n ?? 0) * 100) / share };
}

async function greatest(session: PostgresSession, { table, keyset }: TableView): Promise<KeyTexts | null> {
  const names = keyset.columns.map((column) => quoteName(column.name));
  const known = keyset.columns.map((column) => isKnown(quoteName(column.name))).join(" AND ");
  const {
    rows: [row],
  } = await session.arrays(
    `SELECT ${names.map((name) => `${name}::text`).join(", ")} FROM (SELECT ${names.join(", ")} FROM ${table.sql} ` +
      `WHERE ${known} ORDER BY ${names.map((name) => `${name} DESC`).join(", ")} LIMIT 1) pawl_last`,
    [],
    texts,
  );
  return (row as string[] | undefined) ?? null;
}

const texts = { getTypeParser: () => (text: string) => text } as Parameters<PostgresSession["arrays"]>[2];

/** Keys that divide a share of the pages into `n` parts of the same number of rows, and how many rows that were. */
async function boundaries(
  session: PostgresSession,
  { table, keyset }: TableView,
  n: number,
  share: number,
  where: string | undefined,
): Promise<{ keys: KeyTexts[]; rows: number }> {
  const names = keyset.columns.map((column) => quoteName(column.name));
  const order = names.join(", ");
  const p = freshPrefix(keyset.columns.map((column) => column.name));
  const sample = share < 1 ? ` TABLESAMPLE SYSTEM (${share * 100})` : "";
  const found = await session.arrays(
    `SELECT ${names.map((name) => `${name}::text`).join(", ")}, ${p}all FROM (
       SELECT ${order}, pg_catalog.row_number() OVER (ORDER BY ${order}) AS ${p}n, pg_catalog.count(*) OVER () AS ${p}all
       FROM ${table.sql}${sample} WHERE true${filterSql(where)}) ${p}sample
     WHERE ${p}n % greatest(1, pg_catalog.ceil(${p}all::numeric / $1::numeric)::bigint) = 0 OR ${p}n = ${p}all ORDER BY ${p}n`,
    [n],
    texts,
  );
  const rows = found.rows as string[][];
  const keys = rows.slice(0, -1).map((row) => row.slice(0, -1));
  const distinct = keys.filter((key, at) => key.join("\0") !== keys[at - 1]?.join("\0"));
  return { keys: distinct, rows: Number(rows[0]?.at(-1) ?? 0) };
}

/** How many rows of a range there are; null when that takes too long. */
async function count(
  session: PostgresSession,
  view: TableView,
  range: ShardRange,
  ms: number,
): Promise<number | null> {
  if (ms < 1) return null;
  const values: unknown[] = [];
  const condition = between(view.table, view.keyset, range.from, range.to, values);
  try {
    await session.run(`BEGIN; SET LOCAL statement_timeout = ${Math.ceil(ms)}`);
    const { rows } = await session.query<{ n: string }>(
      `SELECT pg_catalog.count(*) AS n FROM ${view.table.sql} WHERE ${condition}${filterSql(view.where)}`,
      values,
    );
    await session.run("COMMIT");
    return Number(rows[0]?.n ?? 0);
  } catch (error) {
    if (!session.isLost) await session.run("ROLLBACK");
    if (sqlState(error) === "57014") return null;
    throw error;
  }
}
