import {
  type Cell,
  type CellValue,
  columnLetters,
  columnOf,
  type NumberFormat,
  type SheetRow,
} from "./cell.ts";
import { type SharedStrings, unescaped } from "./shared-strings.ts";
import type { XmlHandlers } from "./xml-part.ts";

/** What a sheet has at most. */
const MOST_ROWS = 1_048_576;
const MOST_COLUMNS = 16_384;

/** What cells refer to. */
export interface CellContext {
  readonly strings: SharedStrings;
  /** What the formats of numbers show, by the style of a cell. */
  readonly formats: readonly NumberFormat[];
}

/**
 * Reads the rows of a sheet as they come. Rows and cells without a place of their own follow those before them. Throws a plain Error for
 * what is not a sheet.
 */
export function sheetHandlers({ strings, formats }: CellContext, emit: (row: SheetRow) => void): XmlHandlers {
  let row = 0;
  let column = -1;
  let cells: Cell[] = [];
  let type = "";
  let style = 0;
  let value: string | null = null;
  let hasFormula = false;
  let isInData = false;
  let isText = false;
  let phonetic = 0;

  const place = () => `${columnLetters(column)}${row}`;

  const cellValue = (): CellValue | null => {
    // Programs that compute nothing write a formula with an empty value, or none.
    if (value === null || (value === "" && type !== "str" && type !== "inlineStr"))
      return hasFormula ? { kind: "error", value: "a formula that was never computed" } : null;
    switch (type) {
      case "s": {
        const text = strings.get(Number(value));
        if (text === undefined) throw new Error(`${place()} names a text that the workbook does not have`);
        return text === "" ? null : { kind: "text", value: text };
      }
      case "str":
      case "inlineStr":
        return value === "" ? null : { kind: "text", value: unescaped(value) };
      case "b":
        return { kind: "bool", value: value.trim() === "1" || value.trim() === "true" };
      case "e":
        return { kind: "error", value };
      case "d":
        return { kind: "iso", value: value.trim() };
      default: {
        const number = value.trim() === "" ? Number.NaN : Number(value);
        if (!Number.isFinite(number))
          throw new Error(`${place()} holds ${JSON.stringify(value.slice(0, 40))} as a number`);
        return { kind: "number", value: number, shown: formats[style] ?? "number" };
      }
    }
  };

  return {
    open(name, attributes) {
      if (name === "sheetData") isInData = true;
      if (!isInData) return;
      switch (name) {
        case "row": {
          const given = attributes.r;
          const next = given === undefined ? row + 1 : Number(given);
          if (!Number.isInteger(next) || next <= row || next > MOST_ROWS)
            throw new Error(`row ${JSON.stringify(given)} comes after row ${row}`);
          row = next;
          column = -1;
          cells = [];
          break;
        }
        case "c": {
          const given = attributes.r;
          const next = given === undefined ? column + 1 : columnOf(given);
          if (next <= column || next >= MOST_COLUMNS)
            throw new Error(
              `the cell ${JSON.stringify(given)} comes after ${column < 0 ? `row ${row}` : place()}`,
            );
          column = next;
          type = attributes.t ?? "n";
          style = Number(attributes.s ?? 0);
          value = null;
          hasFormula = false;
          break;
        }
        case "f":
          hasFormula = true;
          break;
        case "rPh":
          phonetic++;
          break;
        case "v":
          isText = type !== "inlineStr";
          if (isText) value = "";
          break;
        case "t":
          isText = type === "inlineStr" && phonetic === 0;
          if (isText) value ??= "";
          break;
      }
    },
    text(piece) {
      if (isText) value += piece;
    },
    close(name) {
      if (!isInData) return;
      switch (name) {
        case "v":
        case "t":
          isText = false;
          break;
        case "rPh":
          phonetic--;
          break;
        case "c": {
          const found = cellValue();
          if (found !== null) cells.push({ column, value: found });
          break;
        }
        case "row":
          if (cells.length > 0) emit({ number: row, cells });
          break;
        case "sheetData":
          isInData = false;
          break;
      }
    },
  };
}
