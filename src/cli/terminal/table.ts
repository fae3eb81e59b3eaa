import stringWidth from "string-width";
import { clipped } from "../../clip.ts";
import { isTerminal, terminalWidth, write } from "./output.ts";

export interface ListColumn<Row> {
  readonly head: string;
  readonly of: (row: Row) => string;
  /** Figures stand on the right. */
  readonly right?: boolean;
  /** Not cut, because it is there to be copied. */
  readonly whole?: boolean;
}

/** A column is not made wider than this for the sake of one long text: that is cut on a terminal, and elsewhere shifts its own line. */
const WIDEST = 32;
/** The last column gets a line of its own where the others leave it fewer cells than this. */
const LEAST_ROOM = 20;
const INDENT = "    ";

/** Prints rows under each other, page by page. Only on a terminal are they cut to its width. */
export class ListTable<Row> {
  readonly #columns: readonly ListColumn<Row>[];
  #widths: number[];
  #begun = false;
  /** The widest cell of the last column so far. */
  #widestLast = 0;

  constructor(columns: readonly ListColumn<Row>[]) {
    this.#columns = columns;
    this.#widths = columns.map(({ head }) => stringWidth(head));
  }

  /** False when the reader has closed the output. */
  async print(rows: readonly Row[]): Promise<boolean> {
    const terminal = isTerminal();
    const lines = rows.map((row) =>
      this.#columns.map(({ of, whole }, at) =>
        terminal && !whole && at < this.#columns.length - 1 ? clipped(of(row), WIDEST) : of(row),
      ),
    );
    for (const cells of lines) {
      this.#widths = this.#widths.map((width, at) =>
        Math.max(width, Math.min(WIDEST, stringWidth(cells[at] ?? ""))),
      );
    }
    for (const cells of lines) this.#widestLast = Math.max(this.#widestLast, stringWidth(cells.at(-1) ?? ""));
    if (!this.#begun) lines.unshift(this.#columns.map(({ head }) => head));
    this.#begun = true;
    return await write(lines.map((cells) => `${this.#line(cells)}\n`).join(""));
  }

  #line(cells: readonly string[]): string {
    const padded = cells.map((cell, at) => {
      const gap = " ".repeat(Math.max(0, (this.#widths[at] ?? 0) - stringWidth(cell)));
      return this.#columns[at]?.right ? gap + cell : cell + gap;
    });
    const line = padded.join("  ").trimEnd();
    const columns = terminalWidth();
    if (columns === null) return line;
    const before = padded.slice(0, -1).join("  ");
    const room = columns - stringWidth(before) - 2;
    const last = cells.at(-1) ?? "";
    if (room >= Math.min(LEAST_ROOM, this.#widestLast)) return `${before}  ${clipped(last, room)}`.trimEnd();
    // The other columns fill the terminal already.
    return last === ""
      ? before.trimEnd()
      : `${before.trimEnd()}\n${INDENT}${clipped(last, columns - INDENT.length)}`;
  }
}
