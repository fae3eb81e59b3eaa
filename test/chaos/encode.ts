import type { Value } from "./columns.ts";
import type { Random } from "./random.ts";

export interface Dialect {
  readonly delimiter: string;
  /** An unquoted field equal to this is NULL. */
  readonly nullText: string;
}

/** The bytes of one record without its line end. */
export function encodeRecord(random: Random, fields: readonly Value[], dialect: Dialect): Buffer {
  return Buffer.from(fields.map((value) => encodeField(random, value, dialect)).join(dialect.delimiter));
}

function encodeField(random: Random, value: Value, { delimiter, nullText }: Dialect): string {
  if (value === null) return nullText;
  // At the beginning of a record that character alone would be the mark of a file that was joined to another.
  const must = value === nullText || value.includes(delimiter) || /^\ufeff|["\r\n]/.test(value);
  return must || random.chance(0.15) ? `"${value.replaceAll('"', '""')}"` : value;
}
