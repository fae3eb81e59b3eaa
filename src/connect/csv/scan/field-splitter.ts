import {
  CLOSED,
  CLOSED_RETURN,
  DELIMITER,
  ENDS,
  ESCAPED,
  ESCAPED_QUOTED,
  type Grammar,
  NEWLINE,
  OPENS,
  PLAIN,
  QUOTED,
  START,
  STRAY_RETURN,
} from "./grammar.ts";

/** A file with more columns than this is most likely not a CSV, and would cost much memory a row. */
export const MOST_COLUMNS = 10_000;

/**
 * Splits records into fields by a grammar. The fields of the last record stand in its properties; of a
 * record with more than `MOST_COLUMNS` fields only the number is right.
 */
export class FieldSplitter {
  /** The values, without quotes and escapes. */
  readonly values: string[] = [];
  /** Whether the value stands there without quotes and escapes, so that it may be a null text. */
  readonly bare: boolean[] = [];
  /** Where each field as it is written begins and ends in the text. */
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  /** A carriage return outside quotes was met. */
  strayReturn = false;
  readonly #grammar: Grammar;

  constructor(grammar: Grammar) {
    this.#grammar = grammar;
  }

  /** Splits one record, given without its line end; returns the number of its fields. */
  split(text: string): number {
    const { classes, table, trim } = this.#grammar;
    let fields = 0;
    let state = START;
    let start = 0;
    /** What is known of the value, and where in the text the rest of it begins. */
    let value = "";
    let from = 0;
    let bare = true;
    let quoted = false;
    /** Where the last quote, or blank after it, stands that may turn out to be text. */
    let closedAt = 0;
    this.strayReturn = false;
    for (let at = 0; ; at++) {
      const code = at < text.length ? text.charCodeAt(at) : -1;
      const kind = code < 0 ? DELIMITER : code < 128 ? (classes[code] as number) : 0;
      const step = code < 0 ? START : (table[(state << 3) | kind] as number);
      const event = step >> 4;
      const next = step & 15;
      // The record is whole, so that a line end in it is text, as is a quote that the scan of the file has let pass.
      const after = event === ENDS ? PLAIN : next;
      if (event === STRAY_RETURN) this.strayReturn = true;
      if (code < 0 || (kind === DELIMITER && next === START)) {
        if (state < CLOSED || state > CLOSED_RETURN) value += text.slice(from, at);
        if (fields < MOST_COLUMNS) {
          this.values[fields] = trim && !quoted ? value.replace(BLANKS, "") : value;
          this.bare[fields] = bare;
          this.starts[fields] = start;
          this.ends[fields] = at;
        }
        fields++;
        if (code < 0) break;
        start = at + 1;
        from = start;
        value = "";
        bare = true;
        quoted = false;
      } else if (event === OPENS) {
        // Only blanks stand before such a quote, and only where they are trimmed.
        from = at + 1;
        bare = false;
        quoted = true;
      } else if (state === QUOTED && next === CLOSED) {
        value += text.slice(from, at);
        closedAt = at;
      } else if (state >= CLOSED && state <= CLOSED_RETURN) {
        if (state === CLOSED && next === QUOTED && code === text.charCodeAt(closedAt)) from = at;
        else if (next === QUOTED || next === ESCAPED_QUOTED) from = closedAt;
        else if (next === CLOSED) {
          // The quote before this one was text.
          value += text.slice(closedAt, at);
          closedAt = at;
        } else if (next === PLAIN || next === ESCAPED) from = at;
      } else if ((state === ESCAPED || state === ESCAPED_QUOTED) && isEscapable(kind)) {
        value += text.slice(from, at - 1);
        from = at;
        bare = false;
      }
      state = after;
    }
    return fields;
  }
}

/** Blanks of every width, such as those that spreadsheets and web pages do not break lines at. */
const BLANKS = /^[\p{Zs}\t]+|[\p{Zs}\t]+$/gu;

/** What loses its meaning behind an escape: delimiter, quote, escape and line end. */
function isEscapable(kind: number): boolean {
  return kind >= DELIMITER && kind <= NEWLINE;
}
