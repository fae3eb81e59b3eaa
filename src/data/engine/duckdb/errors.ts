import { errorText, withoutFullStop } from "../../../error-text.ts";
import { PawlError } from "../../../errors.ts";

import { sizeText } from "../../../sizes.ts";

/** What the types of DuckDB are called here, where its messages name them. */
const TYPES: ReadonlyMap<string, string> = new Map([
  ["BOOL", "bool"],
  ["BOOLEAN", "bool"],
  ["TINYINT", "int8"],
  ["INT8", "int8"],
  ["SMALLINT", "int16"],
  ["INT16", "int16"],
  ["INTEGER", "int32"],
  ["INT32", "int32"],
  ["BIGINT", "int64"],
  ["INT64", "int64"],
  ["UTINYINT", "uint8"],
  ["UINT8", "uint8"],
  ["USMALLINT", "uint16"],
  ["UINT16", "uint16"],
  ["UINTEGER", "uint32"],
  ["UINT32", "uint32"],
  ["UBIGINT", "uint64"],
  ["UINT64", "uint64"],
  ["HUGEINT", "a whole number of 128 bits"],
  ["INT128", "a whole number of 128 bits"],
  ["FLOAT", "float32"],
  ["DOUBLE", "float64"],
  ["VARCHAR", "text"],
  ["BLOB", "bytes"],
  ["DATE", "date"],
  ["TIME", "time"],
  ["TIMESTAMP", "timestamp"],
  ["TIMESTAMP WITH TIME ZONE", "timestamptz"],
  ["UUID", "uuid"],
  ["JSON", "json"],
]);

/** A type of DuckDB as it is called here. */
export function typeName(name: string): string {
  const decimal = /^DECIMAL\((\d+), ?(\d+)\)$/.exec(name);
  if (decimal !== null) return `decimal(${decimal[1]}, ${decimal[2]})`;
  return TYPES.get(name) ?? name.toLowerCase();
}

/** What DuckDB puts before the error of a query that has already ended when it is asked for. */
const PENDING =
  /^Invalid Input Error: Attempting to execute an unsuccessful or closed pending query result\s+Error: /;

/** What DuckDB threw as one sentence of ours. `memory` is the limit of the engine in bytes. */
export function engineError(thrown: unknown, memory: number): unknown {
  if (thrown instanceof PawlError) return thrown;
  const text = errorText(thrown).replace(PENDING, "");
  const [, kind = "", said = text] = /^([A-Z][A-Za-z -]*? Error): ([\s\S]*)$/.exec(text) ?? [];
  const options = { cause: thrown };
  if (kind === "") return thrown;
  if (/No space left on device|max_temp_directory_size|ENOSPC|disk full/i.test(said))
    return new PawlError(
      "data.disk-full",
      "There is no room left for what does not fit into memory: free space where the run spills, name another folder or a larger limit (spill, spillLimit), or give the run more memory.",
      options,
    );
  if (kind === "Out of Memory Error")
    return new PawlError(
      "data.memory",
      `The query needs more than the ${sizeText(memory)} that the engine has of the run's memory: give it more (memory), fewer threads, or let it hold less at once.`,
      options,
    );
  const cast =
    /^(?:Could not convert|Failed to cast|Unable to cast) (?:string|value)? ?['"]([\s\S]*)['"] to '?([A-Z0-9 (,)]+)'?/i.exec(
      said,
    );
  if (kind === "Conversion Error" && cast !== null)
    return new PawlError(
      "data.cast",
      // Casts of ours say in brackets what a value is not, which the sentence says by itself.
      `${JSON.stringify((cast[1] ?? "").replace(/ \(not [a-z0-9]+\)$/, ""))} is not ${article(typeName((cast[2] ?? "").trim()))}: use tryCast() for null instead.`,
      options,
    );
  const range =
    /^Type ([A-Z0-9 ]+) with value ([\s\S]+?) can't be cast (?:because|to)[\s\S]*?(?:destination type ([A-Z0-9 ]+))/.exec(
      said,
    );
  if (range !== null)
    return new PawlError(
      "data.cast",
      `${range[2]} does not fit in ${typeName((range[3] ?? "").trim())}: use tryCast() for null instead.`,
      options,
    );
  if (/overflow/i.test(said) || kind === "Out of Range Error")
    return new PawlError(
      "data.overflow",
      `A value does not fit its type: ${withoutFullStop(plain(said))}. Cast to a larger type or to float64() first.`,
      options,
    );
  const half =
    /magic bytes found at end of file '([\s\S]*?)'|File '([\s\S]*?)' too small to be a Parquet/i.exec(said);
  if (half !== null)
    return new PawlError(
      "data.damaged",
      `${half[1] ?? half[2]} is not a whole Parquet file: its end is missing. Write or fetch it again.`,
      options,
    );
  if (/thrift|TProtocol|don't know what type|Invalid Error/i.test(text))
    return new PawlError("data.damaged", `A file is damaged: ${withoutFullStop(plain(said))}.`, options);
  if (kind === "INTERNAL Error" || kind === "Fatal Error" || kind === "FATAL Error")
    return new PawlError("data.engine", `DuckDB has failed: ${withoutFullStop(plain(said))}.`, options);
  return new PawlError("data.engine", `${withoutFullStop(capital(plain(said)))}.`, options);
}

/** The first line of a message, without the part of the query that it points at, and with our names of types. */
function plain(said: string): string {
  const [line = said] = said.split(/\n\n|\nLINE \d|\nCandidate|\nPossible /);
  return line
    .replaceAll(/\s*\n\s*/g, " ")
    .replaceAll(
      /\b(?:INT(?:8|16|32|64|128)|UINT(?:8|16|32|64)|BIGINT|INTEGER|SMALLINT|TINYINT|DOUBLE|VARCHAR|HUGEINT)\b/g,
      typeName,
    )
    .replaceAll("!", ".")
    .trim();
}

function article(name: string): string {
  return /^[aeiou]/.test(name) && !name.startsWith("u") ? `an ${name}` : `a ${name}`;
}

function capital(sentence: string): string {
  return sentence.slice(0, 1).toUpperCase() + sentence.slice(1);
}
