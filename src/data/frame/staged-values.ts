import { createHash } from "node:crypto";
import type { EngineSession } from "../engine/contract.ts";
import type { LiteralValue } from "../expr/node.ts";
import type { FileScan, PlanNode } from "../plan/node.ts";
import { StagedRows } from "../read/staged-rows.ts";
import { StagingArea } from "../read/staging-area.ts";
import type { ColumnField, Kind } from "../schema/column-type.ts";
import type { RunnableStage, StageContext, StagedFiles } from "./stage.ts";

/** A row as plans keep it. */
export type StoredRow = readonly LiteralValue[];

/** Rows that stand in the text of a query; more of them, or longer ones, are written to files. */
const INLINE_ROWS = 500;
const INLINE_CHARACTERS = 200_000;
/** Characters that are written at once. */
const PIECE = 1_000_000;

/** The plan of rows of the program: a few stand in the query itself, many become files of the run. */
export function rowsPlan(fields: readonly ColumnField[], rows: readonly StoredRow[]): PlanNode {
  if (isInline(rows)) return { kind: "values", fields, rows };
  return {
    kind: "staged",
    name: "rows of the program",
    inputs: [],
    stage: new RowsStage(fields, rows),
    fields,
  };
}

function isInline(rows: readonly StoredRow[]): boolean {
  if (rows.length > INLINE_ROWS) return rows.some((row) => row.some(hasNul));
  let characters = 0;
  for (const row of rows) for (const value of row) characters += typeof value === "string" ? value.length : 1;
  return characters <= INLINE_CHARACTERS || rows.some((row) => row.some(hasNul));
}

/** A NUL cannot stand in a file of texts. */
function hasNul(value: LiteralValue): boolean {
  return typeof value === "string" && value.includes("\0");
}

class RowsStage implements RunnableStage {
  readonly #fields: readonly ColumnField[];
  readonly #rows: readonly StoredRow[];
  #identity: string | undefined;

  constructor(fields: readonly ColumnField[], rows: readonly StoredRow[]) {
    this.#fields = fields;
    this.#rows = rows;
  }

  get identity(): string {
    if (this.#identity === undefined) {
      const hash = createHash("sha256");
      for (const row of this.#rows) hash.update(`${JSON.stringify(row)}\n`);
      this.#identity = `rows ${hash.digest("hex")}`;
    }
    return this.#identity;
  }

  async run(_: readonly PlanNode[], { session, folder, signal }: StageContext): Promise<StagedFiles> {
    return await stageRows(this.#fields, this.#rows, { session, folder, signal });
  }
}

/** Writes rows into Parquet files, and resolves when all of them are there and counted. */
export async function stageRows(
  fields: readonly ColumnField[],
  rows: Iterable<StoredRow> | AsyncIterable<StoredRow>,
  {
    session,
    folder,
    signal,
  }: { readonly session: EngineSession; readonly folder: string; readonly signal: AbortSignal },
): Promise<{ readonly paths: readonly string[]; readonly rows: number }> {
  const area = new StagingArea(folder, null);
  await using staged = new StagedRows({ session, area, fields, name: "The rows of the program", signal });
  const end = staged.hasFiller ? ',"0"\n' : "\n";
  let piece = "";
  let count = 0;
  let total = 0;
  for await (const row of rows) {
    piece +=
      row.map((value, index) => csvText(value, (fields[index] as ColumnField).type.kind)).join(",") + end;
    count++;
    total++;
    if (piece.length < PIECE) continue;
    await staged.write(Buffer.from(piece), count);
    piece = "";
    count = 0;
  }
  if (count > 0) await staged.write(Buffer.from(piece), count);
  const written = await staged.finish();
  if (written.rows !== total) throw new Error(`Of ${total} rows ${written.rows} were written`);
  return written;
}

/** A value as files of texts have it: in quotes, and a null as nothing at all. */
function csvText(value: LiteralValue, kind: Kind): string {
  if (value === null) return "";
  if (kind !== "bytes") return `"${String(value).replaceAll('"', '""')}"`;
  const hex = Buffer.from(String(value), "base64").toString("hex");
  return `"${hex.replaceAll(/../g, "\\x$&")}"`;
}

/** The scan of files that were staged. */
export function stagedScan(fields: readonly ColumnField[], paths: readonly string[]): PlanNode {
  if (paths.length === 0) return { kind: "values", fields, rows: [] };
  const scan: FileScan = {
    kind: "scan",
    format: "parquet",
    locations: paths,
    fields,
    hive: [],
    fileColumn: null,
    bad: "fail",
    csv: null,
  };
  return scan;
}
