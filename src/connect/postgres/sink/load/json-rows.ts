import type { Failure } from "../../../../batch/contract.ts";
import { ItemError, PawlError } from "../../../../errors.ts";
import { mayBeOfRows, reasonOf, sqlState } from "../../errors.ts";
import type { Feed, Texts } from "./copy-rows.ts";
import type { Field } from "./layout.ts";
import type { Work } from "./staging.ts";
import type { Statements } from "./statements.ts";

/** Into how many a range is cut that holds a bad row. */
const parts = 4;
const pieceLength = 64 * 1024;
/** What COPY says of a zero byte; JSON could write one, and no text of PostgreSQL can hold it. */
const zeroByte = { code: "22021", reason: 'Invalid byte sequence for encoding "UTF8": 0x00.' };

/**
 * Fills the staging table that holds each row as one JSON text, for rows with more columns, or larger, than a row of a table
 * may be. Which values are not of their column's type shows only when they are read: the rows with such are found by cutting
 * the range, and taken out.
 */
export async function fillWide(work: Work, feed: Feed): Promise<Failure[]> {
  const sql = work.statements(feed);
  const { session } = work;
  await session.run(sql.createWide());
  await work.clear(sql.wide);
  const failures: Failure[] = [];
  const copied = await session.copy(sql.copyWide(), texts(feed, sql.wideFields, failures));
  if (copied + failures.length !== feed.items) {
    throw new PawlError(
      "postgres.count",
      `A chunk announced ${feed.items} rows but holds ${copied + failures.length}: nothing of it was written; please report this with its source.`,
    );
  }
  const unreadable: Failure[] = [];
  await findUnreadable(work, sql, [feed.first, feed.first + feed.items - 1], unreadable);
  if (unreadable.length > 0) await session.run(sql.dropWide(unreadable.map(({ index }) => index)));
  return [...failures, ...unreadable];
}

async function* texts(feed: Feed, fields: readonly Field[], failures: Failure[]): AsyncGenerator<Buffer> {
  const places = new Map(feed.layout.fields.map((field, place) => [field.name, place]));
  const used = fields.map(({ name, staged }) => ({ key: `"${staged}":`, place: places.get(name) as number }));
  let index = feed.first;
  let text = "";
  for await (const slice of feed.rows()) {
    for (const row of slice) {
      if (row instanceof ItemError) failures.push({ index, reason: row.message, code: row.code });
      else if (hasZeroByte(row)) failures.push({ index, ...zeroByte });
      else {
        const members = used.map(({ key, place }) => key + JSON.stringify(row[place] ?? null));
        text += `${index}\t{${members.join(",")}}`.replaceAll("\\", "\\\\");
        text += "\n";
      }
      index++;
      if (text.length < pieceLength) continue;
      yield Buffer.from(text);
      text = "";
    }
  }
  if (text !== "") yield Buffer.from(text);
}

function hasZeroByte(row: Texts): boolean {
  return row.some((value) => value?.includes("\0") ?? false);
}

async function findUnreadable(
  work: Work,
  sql: Statements,
  [low, high]: readonly [number, number],
  found: Failure[],
): Promise<void> {
  const error = await attempt(work, sql.readWide([low, high]));
  if (error === null) return;
  if (low === high) {
    const field = await fieldToBlame(work, sql, low, sql.wideFields);
    const code = sqlState(error);
    const reason = reasonOf(error, (staged) => sql.nameOf(staged), field.name);
    found.push({ index: low, reason, ...(code === null ? {} : { code }) });
    return;
  }
  const step = Math.ceil((high - low + 1) / parts);
  for (let at = low; at <= high; at += step)
    await findUnreadable(work, sql, [at, Math.min(at + step - 1, high)], found);
}

/** The first field of a row that cannot be read: the server does not tell which it is. */
async function fieldToBlame(
  work: Work,
  sql: Statements,
  index: number,
  fields: readonly Field[],
): Promise<Field> {
  const [first] = fields as [Field, ...Field[]];
  if (fields.length === 1) return first;
  const half = fields.slice(0, fields.length >> 1);
  const error = await attempt(work, sql.readWide([index, index], half));
  return await fieldToBlame(work, sql, index, error === null ? fields.slice(half.length) : half);
}

/** Runs a statement in a savepoint; returns the error if a row is to blame. */
async function attempt(work: Work, statement: string): Promise<Error | null> {
  const { session } = work;
  await session.run("SAVEPOINT pawl_read");
  try {
    await session.run(statement);
    await session.run("RELEASE SAVEPOINT pawl_read");
    return null;
  } catch (error) {
    if (!mayBeOfRows(error)) throw error;
    await session.run("ROLLBACK TO SAVEPOINT pawl_read; RELEASE SAVEPOINT pawl_read");
    return error as Error;
  }
}
