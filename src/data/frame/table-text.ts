import stringWidth from "string-width";
import { clipped } from "../../clip.ts";
import { grouped, plural } from "../../count-text.ts";
import { own } from "../../own.ts";
import { visible } from "../../visible.ts";
import { type ColumnField, type ColumnType, isNumber } from "../schema/column-type.ts";

/** How rows are shown. */
export interface TableTextOptions {
  /** Cells of a terminal that a line may take; null for no limit, so that nothing is cut. */
  readonly width: number | null;
  /** Rows that there are beyond those that are shown: a count, or "some". Absent or 0: none. */
  readonly more?: number | bigint | "some";
}

/** A column is not made wider than this for the sake of one long value. */
const WIDEST = 40;

/** What can be cut is not cut below this, in favour of showing another column. */
const NARROWEST = 12;

const GAP = "  ";

/** Bytes of a value that are shown. */
const SHOWN_BYTES = 16;

/** Characters of a value that are looked at where nothing is cut. */
const LONGEST = 10_000;

/** What stands for the columns that there is no room for. */
const ELLIPSIS = "…";

interface ShownColumn {
  readonly head: string;
  readonly type: string;
  readonly cells: readonly string[];
  /** Figures stand on the right, and are not cut: a part of a number is another number. */
  readonly isNumber: boolean;
  width: number;
}

/**
 * Rows as an aligned table: names, types, and a line for each row. Nothing in a value or a name can give orders to a terminal. A null is
 * NULL; a text that could be taken for one, or for nothing, stands in quotes.
 */
export function tableText(
  fields: readonly ColumnField[],
  rows: readonly Readonly<Record<string, unknown>>[],
  { width, more = 0 }: TableTextOptions,
): string {
  const columns = fitted(
    fields.map((field) => shownColumn(field, rows, width)),
    width,
  );
  const lines = [
    lineOf(columns, ({ head }) => head),
    lineOf(columns, ({ type }) => type),
    lineOf(columns, (column) => (column.head === "" ? "" : "─".repeat(column.width))),
    ...rows.map((_, at) => lineOf(columns, ({ cells }) => cells[at] ?? "")),
  ];
  if (more === "some") lines.push(`${ELLIPSIS} more rows`);
  else if (more > 0) lines.push(`${ELLIPSIS} ${plural(more, "row")} more`);
  else if (rows.length === 0) lines.push("no rows");
  return `${lines.join("\n")}\n`;
}

/** The type of a column in a few characters; a question mark for one that may hold nulls. */
function shortType(type: ColumnType): string {
  const { kind, precision, scale, of, isNullable } = type;
  const name =
    kind === "decimal"
      ? `decimal(${precision},${scale})`
      : kind === "list" && of !== undefined
        ? `list(${shortType(of)})`
        : kind;
  return isNullable ? `${name}?` : name;
}

function shownColumn(
  { name, type }: ColumnField,
  rows: readonly Readonly<Record<string, unknown>>[],
  width: number | null,
): ShownColumn {
  const widest = width === null ? Number.POSITIVE_INFINITY : WIDEST;
  const number = isNumber(type.kind);
  // More than that cannot be seen, and a text may have a hundred million characters.
  const longest = width === null ? LONGEST : 4 * WIDEST;
  const most = number ? Number.POSITIVE_INFINITY : widest;
  const cells = rows.map((row) => clipped(cellText(own(row, name), type, longest), most));
  const head = clipped(onOneLine(name === "" ? '""' : name, longest), widest);
  const typeName = clipped(shortType(type), widest);
  return {
    head,
    type: typeName,
    cells,
    isNumber: number,
    width: Math.max(...[head, typeName].map((each) => stringWidth(each)), widestOf(cells)),
  };
}

function widestOf(cells: readonly string[]): number {
  return cells.reduce((widest, cell) => Math.max(widest, stringWidth(cell)), 0);
}

/** A value in one line. */
function cellText(value: unknown, type: ColumnType, longest = LONGEST): string {
  if (value === null || value === undefined) return "NULL";
  if (type.kind === "bytes" && value instanceof Uint8Array) return bytesText(value);
  if (type.kind === "json" || type.kind === "list" || type.kind === "struct")
    return onOneLine(jsonLike(value, type), longest);
  const text = String(value);
  if (type.kind !== "text") return onOneLine(text, longest);
  const line = onOneLine(text, longest);
  return text === "" || text !== text.trim() || /^(null$|")/i.test(text) ? `"${line}"` : line;
}

function onOneLine(text: string, longest: number): string {
  const part = text.length > longest ? `${text.slice(0, longest).toWellFormed()}…` : text;
  return visible(part).replaceAll("\t", "\\t");
}

function bytesText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.subarray(0, SHOWN_BYTES)).toString("hex");
  return bytes.length > SHOWN_BYTES ? `0x${hex}… (${grouped(bytes.length)} bytes)` : `0x${hex}`;
}

/** JSON, but for what JSON has not: whole numbers of any size as digits, bytes as in a column. */
function jsonLike(value: unknown, type: ColumnType): string {
  if (typeof value === "bigint") return String(value);
  if (value instanceof Uint8Array) return bytesText(value);
  if (type.kind === "list" && Array.isArray(value)) {
    const { of } = type;
    return `[${value.map((each) => (of === undefined ? jsonLike(each, type) : jsonLike(each, of))).join(", ")}]`;
  }
  if (type.kind === "struct" && typeof value === "object" && value !== null) {
    const parts = (type.fields ?? []).map(
      (field) =>
        `${JSON.stringify(field.name)}: ${jsonLike(own(value as Record<string, unknown>, field.name), field.type)}`,
    );
    return `{${parts.join(", ")}}`;
  }
  return JSON.stringify(value) ?? "null";
}

/** The columns that there is room for: texts are cut first, then columns in the middle make way for their number. */
function fitted(columns: readonly ShownColumn[], width: number | null): readonly ShownColumn[] {
  if (width === null || totalOf(columns) <= width) return columns;
  const cuttable = columns.filter((column) => !column.isNumber && column.width > NARROWEST);
  const tooMuch = () => totalOf(columns) - width;
  while (tooMuch() > 0) {
    const widest = cuttable.reduce<ShownColumn | null>(
      (best, each) => (each.width > (best?.width ?? NARROWEST) ? each : best),
      null,
    );
    if (widest === null) return withoutMiddle(columns, width);
    widest.width = Math.max(NARROWEST, widest.width - Math.max(1, Math.floor(tooMuch() / cuttable.length)));
  }
  return columns;
}

function withoutMiddle(columns: readonly ShownColumn[], width: number): readonly ShownColumn[] {
  const left: ShownColumn[] = [];
  const right: ShownColumn[] = [];
  let used = 0;
  const hidden = () => columns.length - left.length - right.length;
  for (;;) {
    const isLeft = left.length <= right.length;
    const next = isLeft ? columns[left.length] : columns[columns.length - 1 - right.length];
    if (next === undefined) break;
    const gap = left.length + right.length === 0 ? 0 : GAP.length;
    const rest = hidden() > 1 ? GAP.length + stringWidth(hiddenHead(hidden() - 1)) : 0;
    if (used + gap + next.width + rest > width) break;
    used += gap + next.width;
    if (isLeft) left.push(next);
    else right.unshift(next);
  }
  const [first] = columns;
  if (left.length === 0 && first !== undefined) {
    // Not even the first one fits: as much of it as does.
    const rest = columns.length > 1 ? GAP.length + stringWidth(hiddenHead(columns.length - 1)) : 0;
    left.push({ ...first, width: Math.max(1, width - rest) });
  }
  return [...left, elision(hidden(), left[0]?.cells.length ?? 0), ...right].filter((each) => each !== null);
}

/** The count of the columns that are not shown. */
function hiddenHead(count: number): string {
  return `${ELLIPSIS} ${grouped(count)} more ${ELLIPSIS}`;
}

function elision(count: number, rows: number): ShownColumn | null {
  if (count === 0) return null;
  const head = hiddenHead(count);
  const cells = Array.from({ length: rows }, () => ELLIPSIS);
  return { head, type: "", cells, isNumber: false, width: stringWidth(head) };
}

function totalOf(columns: readonly ShownColumn[]): number {
  return columns.reduce((sum, { width }) => sum + width, 0) + GAP.length * Math.max(0, columns.length - 1);
}

function lineOf(columns: readonly ShownColumn[], textOf: (column: ShownColumn) => string): string {
  const cells = columns.map((column) => {
    const text = clipped(textOf(column), column.width);
    const room = " ".repeat(Math.max(0, column.width - stringWidth(text)));
    return column.isNumber ? room + text : text + room;
  });
  return cells.join(GAP).trimEnd();
}
