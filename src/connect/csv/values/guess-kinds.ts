import type { ColumnKind } from "../../../batch/contract.ts";
import { own } from "../../../own.ts";
import type { CsvRow } from "../contract.ts";
import type { Layout } from "../layout.ts";
import { dateReader } from "./dates.ts";
import { numberReader } from "./numbers.ts";

/**
 * Which columns of a sample are numbers or dates as the options write them, where no target says it yet: those with a
 * value whose every value is one. A column of digits alone is left as it is, for those are numbers in any case.
 */
export function guessKinds(
  { columns, reading }: Layout,
  rows: readonly CsvRow[],
): (readonly [column: string, kind: ColumnKind])[] {
  const { decimal, thousands, dateOrder } = reading;
  const number = decimal === "" && thousands === "" ? null : numberReader(decimal, thousands);
  const date = dateOrder === null ? null : dateReader(dateOrder);
  return columns.flatMap((name): [] | [readonly [string, ColumnKind]] => {
    const values = rows.flatMap((row) => own(row, name) ?? []);
    const all = (read: ((text: string) => string | null) | null) =>
      read !== null && values.length > 0 && values.every((value) => read(value) !== null);
    if (all(number)) return values.every((value) => /^\d+$/.test(value)) ? [] : [[name, "number"]];
    const dated = all(date) && values.every((value) => /^\d{1,4}[./-] ?\d{1,2}[./-] ?\d/.test(value.trim()));
    return dated ? [[name, "date"]] : [];
  });
}
