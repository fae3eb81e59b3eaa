import { PawlError } from "../../../errors.ts";
import { codeOf, type Newline, type RecordLayout, rulesOf } from "../record-layout.ts";
import {
  CLOSED,
  CLOSED_RETURN,
  ENDS,
  ESCAPED_QUOTED,
  grammarOf,
  LINE,
  OPENS,
  QUOTED,
  START,
} from "./grammar.ts";

/** Whether the error says that a quote stands where none may stand, or is never closed. */
export function isQuoteError(error: unknown): error is PawlError {
  return (
    error instanceof PawlError && (error.code === "csv.stray-quote" || error.code === "csv.unclosed-quote")
  );
}

/**
 * What is wrong with the quotes of a text that begins with a record, as near as can be known. It is read again with every quote as text
 * that cannot open or close a field. A line with an odd number of such quotes, or a quoted field that continues over a
 * line end although another quote stands in it, has most likely lost one; inches and the like come in any number.
 */
export async function explainQuotes(
  text: AsyncIterable<Buffer>,
  layout: RecordLayout,
  { name, newline, line }: { readonly name: string; readonly newline: Newline; readonly line: number },
  signal: AbortSignal,
): Promise<PawlError> {
  const search = new QuoteSearch(layout, newline, line);
  for await (const piece of text) {
    signal.throwIfAborted();
    search.add(piece);
  }
  const { first, lonely, lines } = search.finish();
  const open = search.openAt;
  // Where quotes may stand anywhere, only one that never closes is wrong.
  if (first === null || layout.reading.loose)
    return new PawlError(
      "csv.unclosed-quote",
      `${name} line ${open ?? line}: the quote that opens here is never closed; close or double it, or say how quotes are meant: \`quote: null\` takes all as text.`,
    );
  const many = lines === 1 ? "" : ` (${lines} lines have such quotes, the first is line ${first})`;
  const what =
    lonely === null
      ? "a quote stands inside a field, or text follows a closing quote"
      : "a quote here has no partner, inside a field or before the text that follows it";
  return new PawlError(
    "csv.stray-quote",
    `${name} line ${lonely ?? first}: ${what}${many}; double the quotes in the file, or say how they are meant with \`looseQuotes\`, \`quote: null\`, \`escape\` or \`trim\`.`,
  );
}

class QuoteSearch {
  /** The line on which the field opens that is still open at the end. */
  openAt: number | null = null;
  readonly #grammar: ReturnType<typeof grammarOf>;
  readonly #comment: number;
  #state = START;
  #line: number;
  #fieldLine: number;
  #fresh = true;
  #commented = false;
  /** Quotes on this line, outside quoted fields, that are text. */
  #odd = 0;
  #strayInside = false;
  #first: number | null = null;
  #lonely: number | null = null;
  #lines = 0;
  #noted = 0;

  constructor(layout: RecordLayout, newline: Newline, line: number) {
    const { grammar, comment } = rulesOf(layout, newline, "");
    this.#grammar = grammarOf({ ...grammar, delimiter: codeOf(layout.dialect.delimiter), quoting: "loose" });
    this.#comment = comment;
    this.#line = line;
    this.#fieldLine = line;
  }

  add(piece: Buffer): void {
    const { classes, table, quote, newline } = this.#grammar;
    for (const byte of piece) {
      if (this.#fresh) this.#commented = byte === this.#comment;
      this.#fresh = false;
      if (this.#commented) {
        if (byte === newline) this.#endLine(true);
        continue;
      }
      const before = this.#state;
      const step = table[(before << 3) | (classes[byte] as number)] as number;
      const event = step >> 4;
      this.#state = event === ENDS ? START : step & 15;
      if (event === OPENS) {
        this.#fieldLine = this.#line;
        this.#strayInside = false;
      } else if (byte === quote && before !== QUOTED && before !== CLOSED && this.#state !== QUOTED) {
        if (before < QUOTED || before > CLOSED_RETURN) this.#stray(this.#line, 1);
      }
      // What follows a closing quote shows that the quote was text.
      const reopened = before >= CLOSED && before <= CLOSED_RETURN && this.#isOpen && byte !== quote;
      if (reopened) {
        this.#strayInside = true;
        this.#stray(this.#fieldLine, 0);
      }
      if (event === ENDS || event === LINE) this.#endLine(event === ENDS);
    }
  }

  finish(): { first: number | null; lonely: number | null; lines: number } {
    if (this.#isOpen) this.openAt = this.#fieldLine;
    this.#endLine(true);
    // A field that never closes has a quote too few, whatever stands before it.
    if (this.openAt !== null && this.#first !== null) this.#lonely ??= this.openAt;
    return { first: this.#first, lonely: this.#lonely, lines: this.#lines };
  }

  get #isOpen(): boolean {
    return this.#state === QUOTED || this.#state === ESCAPED_QUOTED;
  }

  #stray(line: number, quotes: number): void {
    this.#odd += quotes;
    this.#first ??= line;
    if (this.#noted === line) return;
    this.#noted = line;
    this.#lines++;
  }

  #endLine(fresh: boolean): void {
    if (this.#odd % 2 === 1) this.#lonely ??= this.#line;
    this.#odd = 0;
    if (this.#strayInside && this.#fieldLine < this.#line) this.#lonely ??= this.#fieldLine;
    if (fresh) this.#strayInside = false;
    this.#fresh = fresh;
    this.#commented = false;
    this.#line++;
  }
}
