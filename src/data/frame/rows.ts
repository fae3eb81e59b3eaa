import { setOwn } from "../../own.ts";
import type { Batch } from "../engine/contract.ts";
import type { ColumnField } from "../schema/column-type.ts";

/** The rows of a batch as objects. */
export function* rowsOf(
  { rows, columns }: Batch,
  fields: readonly ColumnField[],
): Iterable<Record<string, unknown>> {
  for (let row = 0; row < rows; row++) {
    const made: Record<string, unknown> = {};
    for (let index = 0; index < fields.length; index++) {
      const column = columns[index];
      const field = fields[index];
      if (column === undefined || field === undefined) continue;
      setOwn(made, field.name, column.valid === null || column.valid[row] === 1 ? column.values[row] : null);
    }
    yield made;
  }
}
