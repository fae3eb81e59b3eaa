import { existsSync } from "node:fs";
import { join } from "node:path";
import { int64, readCsv, readJsonl, readParquet } from "../../../src/data/index.ts";
import { columns, type Ground } from "./ground.ts";

export type Format = "parquet" | "csv" | "jsonl";
export type Shape = "file" | "partitions";
export type Mode = "new" | "overwrite" | "append";

/** What a writer is asked for. */
export interface Target {
  readonly format: Format;
  readonly shape: Shape;
  readonly mode: Mode;
  readonly path: string;
}

/** All that can be asked for: only folders can be appended to, and only Parquet is partitioned. */
export const KINDS: readonly Omit<Target, "path">[] = [
  { format: "parquet", shape: "file", mode: "new" },
  { format: "parquet", shape: "file", mode: "overwrite" },
  { format: "parquet", shape: "partitions", mode: "new" },
  { format: "parquet", shape: "partitions", mode: "overwrite" },
  { format: "parquet", shape: "partitions", mode: "append" },
  { format: "csv", shape: "file", mode: "new" },
  { format: "csv", shape: "file", mode: "overwrite" },
  { format: "jsonl", shape: "file", mode: "new" },
  { format: "jsonl", shape: "file", mode: "overwrite" },
];

/** The path that a generation is written to: its own where nothing may be there before. */
export function pathOf({ path, mode, shape, format }: Target, generation: number): string {
  const name = mode === "new" ? `${path}-${generation}` : path;
  return shape === "file" ? `${name}.${format}` : name;
}

/** How many rows of which generation another program finds. */
export async function generationsIn(
  ground: Ground,
  target: Target,
  generation: number,
): Promise<ReadonlyMap<number, number> | null> {
  const path = pathOf(target, generation);
  if (!existsSync(path)) return null;
  const place = target.shape === "file" ? path : join(path, "**", `*.${target.format}`);
  const reader =
    target.format === "parquet" ? "read_parquet" : target.format === "csv" ? "read_csv" : "read_ndjson";
  const found = await ground.query(
    `SELECT generation::INT AS generation, count(*)::INT AS n, count(DISTINCT id)::INT AS ids, sum(id)::BIGINT AS total
     FROM ${reader}('${place}') GROUP BY generation`,
  );
  const whole = (BigInt(ground.rows) * BigInt(ground.rows - 1)) / 2n;
  return new Map(
    found.map(({ generation, n, ids, total }) => [
      Number(generation),
      // Rows that came twice in the place of others are as bad as too few.
      ids === n && (n !== ground.rows || total === whole) ? Number(n) : Number.NaN,
    ]),
  );
}

/** How many rows Pawl itself finds there; it puts back what a kill between two renames of an overwrite left. */
async function rowsByPawl(target: Target, generation: number): Promise<number> {
  const path = pathOf(target, generation);
  const schema = { ...columns, generation: int64() };
  if (target.format === "csv") return await readCsv(path, schema).count();
  if (target.format === "jsonl") return await readJsonl(path, schema).count();
  // The files of folders do not hold what the folders' names say.
  const { id, generation: number } = schema;
  const place = target.shape === "file" ? path : `${path}/**/*.parquet`;
  return await readParquet(place, { id, generation: number }).count();
}

/** Says what is wrong with a target of which `last` is the latest generation that was reported as written; null where all is well. */
export async function faultOf(ground: Ground, target: Target, last: number): Promise<string | null> {
  if (target.mode === "new") {
    for (let generation = Math.max(0, last - 2); generation <= last + 1; generation++) {
      const found = await generationsIn(ground, target, generation);
      if (found === null && generation <= last) return `generation ${generation} was reported and is missing`;
      if (found !== null && !isOnly(found, generation, ground.rows))
        return `generation ${generation} is ${shown(found)}`;
    }
    return null;
  }
  const found = await generationsIn(ground, target, last);
  if (target.mode === "overwrite") {
    if (found === null) {
      if (last < 0) return null;
      const rows = await rowsByPawl(target, last);
      return rows === ground.rows
        ? null
        : `the target is gone, and Pawl finds ${rows} rows of ${ground.rows}`;
    }
    const isWhole = [last, last + 1].some((generation) => isOnly(found, generation, ground.rows));
    return isWhole ? null : `after generation ${last} was reported the target is ${shown(found)}`;
  }
  const generations = [...(found ?? [])].sort(([a], [b]) => a - b);
  const isWhole = generations.every(
    ([generation, rows], place) => generation === place && rows === ground.rows,
  );
  const counts = generations.length === last + 1 || generations.length === last + 2;
  return isWhole && counts
    ? null
    : `after ${last + 1} generations were appended the target is ${shown(found ?? new Map())}`;
}

function isOnly(found: ReadonlyMap<number, number>, generation: number, rows: number): boolean {
  return found.size === 1 && found.get(generation) === rows;
}

function shown(found: ReadonlyMap<number, number>): string {
  return (
    [...found].map(([generation, rows]) => `${rows} rows of generation ${generation}`).join(", ") || "empty"
  );
}
