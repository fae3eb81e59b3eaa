import { type ColumnType, isFloat, isInteger } from "../../../src/data/schema/column-type.ts";
import {
  asFloat,
  type Cell,
  Decimal,
  dateText,
  daysOf,
  EvaluationError,
  fits,
  jsOf,
  microsOf,
  splitMoment,
} from "./cells.ts";

/** A value as another type: null where it does not fit, or an error where the cast is checked. */
export function castCell(cell: Cell, from: ColumnType, to: ColumnType, checked: boolean): Cell {
  if (cell === null) return null;
  const made = convert(cell, from, to);
  if (made !== null || !checked) return made;
  throw new EvaluationError(`${String(jsOf(cell, from))} does not fit into ${to.kind}`);
}

/** Null where the value has no counterpart of that type. */
function convert(cell: NonNullable<Cell>, from: ColumnType, to: ColumnType): Cell {
  if (isInteger(to.kind)) return wholeOf(cell, to);
  if (isFloat(to.kind)) {
    const value =
      typeof cell === "string" ? floatOf(cell) : asFloat(typeof cell === "boolean" ? BigInt(cell) : cell);
    if (value === null || to.kind === "float64") return value;
    const narrow = Math.fround(value);
    return Number.isFinite(value) && !Number.isFinite(narrow) ? null : narrow;
  }
  if (to.kind === "decimal") return decimalOf(cell, to);
  if (to.kind === "text") return textOf(cell, from);
  if (to.kind === "bool")
    return typeof cell === "boolean" ? cell : typeof cell === "bigint" ? cell !== 0n : null;
  if (to.kind === "date") {
    if (typeof cell === "string") return daysOf(cell);
    return from.kind === "date" ? cell : splitMoment(cell as bigint).days;
  }
  if (to.kind === "timestamp" || to.kind === "timestamptz") {
    if (typeof cell === "string") return microsOf(cell);
    return from.kind === "date" ? (cell as bigint) * 86_400_000_000n : cell;
  }
  throw new EvaluationError(`the evaluator casts no ${from.kind} to ${to.kind}`);
}

/** Only what is whole: a fraction is lost by `round()` or `trunc()`, never by a cast. */
function wholeOf(cell: NonNullable<Cell>, to: ColumnType): Cell {
  let whole: bigint | null = null;
  if (typeof cell === "bigint") whole = cell;
  else if (typeof cell === "boolean") whole = BigInt(cell);
  else if (typeof cell === "string")
    whole = /^\s*[+-]?\d+\s*$/.test(cell) ? BigInt(cell.trim().replace("+", "")) : null;
  else if (typeof cell === "number") whole = Number.isInteger(cell) ? BigInt(cell) : null;
  else if (cell instanceof Decimal) {
    const trunc = cell.unscaled / 10n ** BigInt(cell.scale);
    whole = new Decimal(trunc, 0).rescaled(cell.scale).unscaled === cell.unscaled ? trunc : null;
  }
  return whole !== null && fits(whole, to.kind) ? whole : null;
}

function floatOf(text: string): number | null {
  const trimmed = text.trim();
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed) ? Number(trimmed) : null;
}

function decimalOf(cell: NonNullable<Cell>, { precision = 38, scale = 0 }: ColumnType): Cell {
  const exact =
    cell instanceof Decimal
      ? cell
      : typeof cell === "bigint"
        ? new Decimal(cell, 0)
        : typeof cell === "string"
          ? Decimal.parse(cell)
          : null;
  const made = exact?.rescaled(scale) ?? null;
  const limit = 10n ** BigInt(precision);
  return made !== null && made.unscaled < limit && made.unscaled > -limit ? made : null;
}

function textOf(cell: NonNullable<Cell>, from: ColumnType): string {
  if (typeof cell === "string") return cell;
  if (from.kind === "date") return dateText(cell as bigint);
  return String(jsOf(cell, from));
}
