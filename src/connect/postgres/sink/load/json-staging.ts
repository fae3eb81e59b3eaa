import type { Failure } from "../../../../batch/contract.ts";
import { ItemError, PawlError } from "../../../../errors.ts";
import { cutDown } from "../bad-row-search.ts";
import { failureOf, rowErrorOf } from "../row-errors.ts";
import type { CopyRows, Texts } from "./copy-rows.ts";
import type { Field } from "./row-layout.ts";
import type { Staging } from "./staging.ts";
import type { LoadStatements } from "./statements.ts";

const pieceLength = 64 * 1024;
/** What COPY says of a zero byte; JSON could write one, and no text of PostgreSQL can hold it. */
const zeroByte = { code: "22021", reason: 'Invalid byte sequence for encoding "UTF8": 0x00.' };

/**
 * Fills the staging table that holds each row as one JSON text, for rows with more columns, or larger, than a row of a table
 * may be. Which values are not of their column's type shows only when they are read: the rows with such are found by cutting
 * the range, and taken out.
 */
export async function fillJson(staging: Staging, rows: CopyRows): Promise<Failure[]> {
  const sql = staging.statements(rows);
  const { session } = staging;
  await session.run(sql.createJson());
  await staging.clear(sql.json);
  const failures: Failure[] = [];
  const copied = await session.copy(sql.copyJson(), texts(rows, sql.jsonFields, failures));
  if (copied + failures.length !== rows.items) {
    throw new PawlError(
      "postgres.count",
      `A chunk announced ${rows.items} rows but holds ${copied + failures.length}: nothing of it was written; please report this with its source.`,
    );
  }
  const numbers = Array.from({ length: rows.items }, (_, at) => rows.first + at);
  const refused = await cutDown(numbers, ({ numbers: some }) =>
    tryReading(staging, sql.readJson([some[0] as number, some.at(-1) as number])),
  );
  for (const [index, error] of refused) {
    const { name } = await fieldToBlame(staging, sql, index, sql.jsonFields);
    failures.push(failureOf(index, error, (staged) => sql.nameOf(staged), name));
  }
  if (refused.size > 0) await session.run(sql.dropJson([...refused.keys()]));
  return failures;
}

async function* texts(rows: CopyRows, fields: readonly Field[], failures: Failure[]): AsyncGenerator<Buffer> {
  const positions = new Map(rows.layout.fields.map((field, at) => [field.name, at]));
  const used = fields.map(({ name, staged }) => ({ key: `"${staged}":`, at: positions.get(name) as number }));
  let index = rows.first;
  let text = "";
  for await (const slice of rows.rows()) {
    for (const row of slice) {
      if (row instanceof ItemError) failures.push({ index, reason: row.message, code: row.code });
      else if (hasZeroByte(row)) failures.push({ index, ...zeroByte });
      else {
        const members = used.map(({ key, at }) => key + JSON.stringify(row[at] ?? null));
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

/** The first field of a row that cannot be read: the server does not tell which it is. */
async function fieldToBlame(
  staging: Staging,
  sql: LoadStatements,
  index: number,
  fields: readonly Field[],
): Promise<Field> {
  const [first] = fields as [Field, ...Field[]];
  if (fields.length === 1) return first;
  const half = fields.slice(0, fields.length >> 1);
  const error = await tryReading(staging, sql.readJson([index, index], half));
  return await fieldToBlame(staging, sql, index, error === null ? fields.slice(half.length) : half);
}

function tryReading({ session }: Staging, statement: string): Promise<Error | null> {
  return rowErrorOf(() => session.savepoint(() => session.run(statement)));
}
