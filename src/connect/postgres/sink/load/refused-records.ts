import type { Failure } from "../../../../batch/contract.ts";
import { PawlError } from "../../../../errors.ts";
import { kindOfError } from "../../errors.ts";
import { failureOf } from "../row-errors.ts";
import type { CopyRows } from "./copy-rows.ts";
import type { Staging } from "./staging.ts";
import type { LoadStatements } from "./statements.ts";

/** The least window; it doubles while all goes well. */
const smallest = 32;
/** So many good records are sent once more with the next window rather than on their own. */
const fewGood = 32;
const pieceBytes = 64 * 1024;
const newline = 10;

/**
 * Fills the numbered staging table record by record number and finds the records that COPY refuses. COPY stops at
 * the first bad record and tells its line; what stood before it is good and is sent again without it. Records go in
 * windows that shrink after a bad one, so that the work stays linear however many are bad.
 */
export async function fillNumbered(staging: Staging, rows: CopyRows): Promise<Failure[]> {
  const sql = staging.statements(rows);
  await staging.clear(sql.numbered);
  const records = await gather(rows);
  const failures: Failure[] = [];
  let good: number[] = [];
  let size = records.length;
  for (let next = 0; next < records.length || good.length > 0; ) {
    const end = Math.min(next + size, records.length);
    const window = [...good, ...range(next, end)];
    const error = await tryCopy(staging, rows, records, window);
    if (error === null) {
      good = [];
      next = end;
      size *= 2;
      continue;
    }
    const told = badRecord(error, records, window, isCsv(rows));
    if (told === null && end - next > 1) {
      // The server does not tell which: halve until it is one.
      size = Math.floor((end - next) / 2);
      continue;
    }
    const at = told ?? window.length - 1;
    const bad = window[at] as number;
    failures.push(failed(rows, bad, records[bad] as Buffer, error, sql));
    good = window.slice(0, at);
    next = Math.max(next, bad + 1);
    size = Math.max(smallest, at);
    if (good.length > fewGood) {
      const again = await tryCopy(staging, rows, records, good);
      if (again !== null) throw again;
      good = [];
    }
  }
  return failures;
}

/** A record that is not a row has the reason that its source gives wherever rows are read, rather than COPY's words for it. */
function failed(rows: CopyRows, index: number, record: Buffer, error: Error, sql: LoadStatements): Failure {
  const refused = rows.refusal(record);
  if (refused !== null) return { index: rows.first + index, reason: refused.message, code: refused.code };
  return failureOf(rows.first + index, error, (name) => sql.nameOf(name));
}

function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, i) => start + i);
}

async function gather(rows: CopyRows): Promise<Buffer[]> {
  const records: Buffer[] = [];
  for await (const some of rows.records()) for (const record of some) records.push(record);
  if (records.length !== rows.items) {
    throw new PawlError(
      "postgres.count",
      `A chunk announced ${rows.items} rows but holds ${records.length}: nothing of it was written; please report this with its source.`,
    );
  }
  return records;
}

/** Copies records in a savepoint; returns the error if one of them is to blame. */
async function tryCopy(
  staging: Staging,
  rows: CopyRows,
  records: readonly Buffer[],
  window: readonly number[],
): Promise<Error | null> {
  const { session } = staging;
  const header = isCsv(rows);
  // A header tells COPY how lines end before it counts any, so that line numbers can be relied on.
  const options = header ? `${rows.options}, HEADER true` : rows.options;
  try {
    await session.savepoint(async () => {
      const copied = await session.copy(
        staging.statements(rows).copyNumbered(options),
        pieces(rows, records, window, header),
      );
      if (copied !== window.length) throw new OtherRecords(copied);
    });
    return null;
  } catch (error) {
    if (error instanceof OtherRecords || kindOfError(error) === "row") return error as Error;
    throw error;
  }
}

/** PostgreSQL saw other records in these bytes than the source did. */
class OtherRecords extends Error {
  constructor(rows: number) {
    super(`PostgreSQL reads this row as ${rows} rows; its quotes or line ends are not what they should be`);
  }
}

async function* pieces(
  rows: CopyRows,
  records: readonly Buffer[],
  window: readonly number[],
  header: boolean,
): AsyncGenerator<Buffer> {
  let parts: Buffer[] = header ? [Buffer.from("n\n")] : [];
  let size = 0;
  const lineEnd = Buffer.from("\n");
  for (const index of window) {
    const record = records[index] as Buffer;
    parts.push(Buffer.from(rows.prefix(rows.first + index)), record, lineEnd);
    size += record.length + 16;
    if (size >= pieceBytes) {
      yield Buffer.concat(parts);
      parts = [];
      size = 0;
    }
  }
  if (parts.length > 0) yield Buffer.concat(parts);
}

/**
 * Where in the window the record stands that COPY complains about, by the line in the error's context. That counts
 * line ends in quotes too; a record may be reported at any line of its own. Null when the error does not tell.
 */
function badRecord(
  error: Error,
  records: readonly Buffer[],
  window: readonly number[],
  header: boolean,
): number | null {
  if (window.length === 1) return 0;
  const where = "where" in error && typeof error.where === "string" ? error.where : "";
  // The words around the number may be in any language.
  const match = /COPY pawl_numbered_\d+\D+(\d+)/.exec(where);
  if (match === null) return null;
  const line = Number(match[1]);
  let next = header ? 2 : 1;
  const at = window.findIndex((index) => {
    next += 1 + lineEnds(records[index] as Buffer);
    return line < next;
  });
  return at === -1 ? null : at;
}

function lineEnds(record: Buffer): number {
  let count = 0;
  for (let at = record.indexOf(newline); at !== -1; at = record.indexOf(newline, at + 1)) count++;
  return count;
}

function isCsv(rows: CopyRows): boolean {
  return rows.options.startsWith("FORMAT csv");
}
