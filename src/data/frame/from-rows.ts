import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { assertObject, quoted, shown } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import { own } from "../../own.ts";
import { RunFolder } from "../parts/run-folder.ts";
import type { PlanNode } from "../plan/node.ts";
import {
  bool,
  type ColumnField,
  type ColumnType,
  type FrameSchema,
  fieldsOf,
  float64,
  int64,
  json,
  type Row,
  text,
  timestamptz,
} from "../schema/column-type.ts";
import { storedValue } from "../schema/stored-value.ts";
import { Frame } from "./frame.ts";
import { openRun } from "./run.ts";
import { rowsPlan, type StoredRow, stagedScan, stageRows } from "./staged-values.ts";

/** The schema of rows without one: numbers are float64, texts text, bigints int64, Dates timestamptz, all else JSON. */
export type InferredSchema<R> = {
  readonly [C in keyof R]-?: InferredType<
    Exclude<R[C], null | undefined>,
    null extends R[C] ? true : undefined extends R[C] ? true : false
  >;
};

type InferredType<V, N extends boolean> = [V] extends [string]
  ? ColumnType<"text", string, N>
  : [V] extends [number]
    ? ColumnType<"float64", number, N>
    : [V] extends [bigint]
      ? ColumnType<"int64", bigint, N>
      : [V] extends [boolean]
        ? ColumnType<"bool", boolean, N>
        : [V] extends [Date]
          ? ColumnType<"timestamptz", string, N>
          : ColumnType<"json", unknown, N>;

/** A row as a program gives it: moments may be a Date. */
export type GivenRow<S extends FrameSchema> = {
  readonly [C in keyof S]: S[C]["kind"] extends "date" | "timestamp" | "timestamptz"
    ? Row<S>[C] | Date
    : Row<S>[C];
};

/**
 * A frame of rows of the program, which are taken at the moment of the call: a later change of them changes nothing. Without a schema,
 * numbers are float64, texts are text, bigints int64, booleans bool, Dates timestamptz, and all else is JSON.
 *
 * @example
 * ```ts
 * const sales = fromRows({ user: text(), amount: float64() }, [{ user: "ada", amount: 12 }]);
 * const same = fromRows([{ user: "ada", amount: 12 }]);
 * console.log(await same.count()); // 1
 * ```
 * Rows of an async iterable are written to disk while they come; the frame is there when all of them are.
 *
 * @throws PawlError `data.row` where a value does not fit its column: the sentence names the row and the column
 */
export function fromRows<const S extends FrameSchema>(schema: S, rows: Iterable<GivenRow<S>>): Frame<S>;
export function fromRows<const S extends FrameSchema>(
  schema: S,
  rows: AsyncIterable<GivenRow<S>>,
): Promise<Frame<S>>;
export function fromRows<R extends object>(rows: Iterable<R>): Frame<InferredSchema<R>>;
export function fromRows(...given: readonly unknown[]): Frame | Promise<Frame> {
  const [first, second] = given;
  if (isAsync(second)) return streamedFrame(fieldsOf(first as FrameSchema, "fromRows()"), second);
  if (given.length < 2) {
    const rows = [...iterable(first)];
    return new Frame(valuesOf(inferredFields(rows), rows));
  }
  return new Frame(valuesOf(fieldsOf(first as FrameSchema, "fromRows()"), iterable(second)));
}

function iterable(rows: unknown): Iterable<unknown> {
  if (typeof rows === "object" && rows !== null && Symbol.iterator in rows) return rows as Iterable<unknown>;
  throw new PawlError(
    "data.argument",
    `fromRows() needs rows as an array or another iterable, not ${shown(rows)}.`,
  );
}

function isAsync(rows: unknown): rows is AsyncIterable<unknown> {
  return typeof rows === "object" && rows !== null && Symbol.asyncIterator in rows;
}

/** The rows as they are now, checked against their columns. */
function valuesOf(fields: readonly ColumnField[], rows: Iterable<unknown>): PlanNode {
  const stored = storedRows(fields);
  return rowsPlan(fields, Array.from(rows, stored));
}

/** A frame of rows that come one after the other: they are written to files of this process, which go with it. */
async function streamedFrame(fields: readonly ColumnField[], rows: AsyncIterable<unknown>): Promise<Frame> {
  const stored = storedRows(fields);
  const folder = RunFolder.create(tmpdir());
  // What a killed process leaves is removed by the next run.
  process.once("exit", () => rmSync(folder.path, { recursive: true, force: true }));
  await using run = await openRun([], {});
  async function* taken(): AsyncGenerator<StoredRow> {
    let index = 0;
    for await (const row of rows) yield stored(row, index++);
  }
  try {
    const { signal } = new AbortController();
    const { paths } = await stageRows(fields, taken(), { session: run.session, folder: folder.path, signal });
    return new Frame(stagedScan(fields, paths));
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
}

/** How a row is checked against the columns and taken. */
function storedRows(fields: readonly ColumnField[]): (row: unknown, index: number) => StoredRow {
  if (fields.length === 0) throw new PawlError("data.schema", "fromRows() needs at least one column.");
  const names = new Set(fields.map(({ name }) => name));
  return (row, index) => {
    const number = index + 1;
    assertObject(row, `Row ${number} of fromRows()`);
    for (const name of Object.keys(row))
      if (!names.has(name))
        throw new PawlError(
          "data.row",
          `Row ${number} of fromRows() has ${quoted(name)}, which is not a column of the schema.`,
        );
    return fields.map(({ name, type }) => {
      const value = own(row as Readonly<Record<string, unknown>>, name) ?? null;
      return storedValue(value, type, () => `Row ${number} of fromRows(), column ${quoted(name)}`);
    });
  };
}

/** The columns that rows have, by the kinds of their values. */
function inferredFields(rows: readonly unknown[]): readonly ColumnField[] {
  const found = new Map<string, { type: ColumnType | null; rows: number }>();
  rows.forEach((row, index) => {
    assertObject(row, `Row ${index + 1} of fromRows()`);
    for (const [name, value] of Object.entries(row) as [string, unknown][]) {
      const known = found.get(name) ?? { type: null, rows: 0 };
      found.set(name, known);
      if (value === null || value === undefined) continue;
      known.rows++;
      const type = inferredType(value);
      if (known.type === null || known.type.kind === type.kind) known.type = type;
      else
        throw new PawlError(
          "data.row",
          `Row ${index + 1} of fromRows() has ${type.kind} in the column ${quoted(name)}, and rows before it ${known.type.kind}: give a schema.`,
        );
    }
  });
  if (found.size === 0)
    throw new PawlError("data.schema", "fromRows() needs a schema where there is no row that has columns.");
  return [...found].map(([name, { type, rows: present }]) => {
    if (type === null)
      throw new PawlError(
        "data.schema",
        `All rows of fromRows() have null in the column ${quoted(name)}: give a schema.`,
      );
    return { name, type: present < rows.length ? type.nullable() : type };
  });
}

function inferredType(value: unknown): ColumnType {
  if (typeof value === "string") return text();
  if (typeof value === "number") return float64();
  if (typeof value === "bigint") return int64();
  if (typeof value === "boolean") return bool();
  return value instanceof Date ? timestamptz() : json();
}
