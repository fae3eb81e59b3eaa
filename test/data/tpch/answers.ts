/** A table of results: names, and rows of values in their order. */
export interface Answer {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
}

/** Averages are rounded in the known answers, and floats differ in their last digits. */
const TOLERANCE = 1e-12;

/** The known answer as it is written: columns divided by `|`, one row a line, their names first. */
export function parseAnswer(text: string): Answer {
  const [names = "", ...lines] = text.trimEnd().split("\n");
  return { columns: names.split("|"), rows: lines.map((line) => line.split("|")) };
}

/** Rows of a frame as a table, with the columns in the order of the known answer. Throws where a column is missing. */
export function answerOf(known: Answer, rows: readonly Readonly<Record<string, unknown>>[]): Answer {
  return {
    columns: known.columns,
    rows: rows.map((row) =>
      known.columns.map((name) => {
        if (!Object.hasOwn(row, name)) {
          throw new Error(`the result has no column ${name}; it has ${Object.keys(row).join(", ")}`);
        }
        return row[name];
      }),
    ),
  };
}

/** Says where a result differs from the known answer; null where it does not. */
export function differenceOf(known: Answer, found: Answer): string | null {
  if (found.rows.length !== known.rows.length) return `${found.rows.length} rows, not ${known.rows.length}`;
  for (const [index, row] of known.rows.entries()) {
    for (const [column, value] of row.entries()) {
      const other = found.rows[index]?.[column];
      if (!equal(String(value), String(other))) {
        return `row ${index + 1}, ${known.columns[column]}: ${String(other)}, not ${String(value)}`;
      }
    }
  }
  return null;
}

function equal(known: string, found: string): boolean {
  if (known === found) return true;
  if (!isNumber(known) || !isNumber(found)) return false;
  return Math.abs(Number(known) - Number(found)) <= TOLERANCE * Math.max(1, Math.abs(Number(known)));
}

function isNumber(text: string): boolean {
  return /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text);
}
