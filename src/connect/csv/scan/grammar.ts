/**
 * What becomes of quotes that do not stand where the format has them.
 * - `strict`: they are refused
 * - `loose`: a quote opens a field only at its beginning and closes it only before a delimiter or line end; any other is text
 */
export type Quoting = "strict" | "loose";

/** The bytes that structure a CSV; -1 where there is none. */
export interface GrammarRules {
  /** Several, while it is not known which one it is. */
  readonly delimiter: number | readonly number[];
  readonly quote: number;
  /** Makes the delimiter, quote, line feed or escape after it a part of the value; -1 where only quotes are doubled. */
  readonly escape: number;
  /** The byte that ends a record: 10, or 13 in a file whose lines end with a bare carriage return. */
  readonly newline: number;
  readonly quoting: Quoting;
  /** Blanks around a quoted value do not count. */
  readonly trim: boolean;
}

/** Where in a record the reader is. */
export const START = 0;
export const PLAIN = 1;
export const QUOTED = 2;
/** After a quote in a quoted field: it has ended, or the quote is doubled. */
export const CLOSED = 3;
const CLOSED_BLANK = 4;
export const CLOSED_RETURN = 5;
export const ESCAPED = 6;
export const ESCAPED_QUOTED = 7;
/** After a carriage return outside quotes, which may belong to a line end. */
export const RETURNED = 8;

/** What a byte may be. */
const OTHER = 0;
export const DELIMITER = 1;
const QUOTE = 2;
const ESCAPE = 3;
export const NEWLINE = 4;
const RETURN = 5;
export const BLANK = 6;
/** A line feed where lines end with carriage returns. */
const MIXED = 7;

/** What happens at a byte, beside the change of state. */
export const ENDS = 1;
export const OPENS = 2;
/** A line end that does not end the record. */
export const LINE = 3;
export const STRAY_QUOTE = 4;
/** A carriage return outside quotes did not belong to a line end. */
export const STRAY_RETURN = 5;
export const MIXED_END = 6;

/**
 * The grammar of a CSV as a table of transitions. It is the one definition of where fields and records end: the scan
 * for boundaries, the split into fields, the detection of the delimiter and the search for a wrong quote all follow it. `PlainRowDecoder` and
 * `KeyReader` are faster ways through records that the scan has passed in a plain layout.
 */
export interface Grammar extends GrammarRules {
  /** The class of each byte. */
  readonly classes: Uint8Array;
  /** Of `state << 3 | class`: the next state, and `event << 4`. */
  readonly table: Uint8Array;
}

export function grammarOf(rules: GrammarRules): Grammar {
  return { ...rules, classes: classesOf(rules), table: tableOf(rules) };
}

function classesOf({ delimiter, quote, escape: escaping, newline, trim }: GrammarRules): Uint8Array {
  const classes = new Uint8Array(256);
  if (trim) for (const blank of [32, 9]) classes[blank] = BLANK;
  classes[newline] = NEWLINE;
  if (newline === 10) classes[13] = RETURN;
  else classes[10] = MIXED;
  if (escaping >= 0) classes[escaping] = ESCAPE;
  if (quote >= 0) classes[quote] = QUOTE;
  for (const each of typeof delimiter === "number" ? [delimiter] : delimiter)
    if (each >= 0 && each !== quote && each !== escaping) classes[each] = DELIMITER;
  return classes;
}

function tableOf({ quoting }: GrammarRules): Uint8Array {
  const table = new Uint8Array(16 << 3);
  const on = (state: number, byte: number, next: number, event = 0) => {
    table[(state << 3) | byte] = next | (event << 4);
  };
  /** The transitions of most states outside quotes; `event` is what any byte but a line end means. */
  const outside = (state: number, other: number, event = 0) => {
    for (const byte of [OTHER, BLANK]) on(state, byte, other, event);
    on(state, DELIMITER, START, event);
    on(state, ESCAPE, ESCAPED, event);
    on(state, NEWLINE, START, ENDS);
    on(state, RETURN, RETURNED, event);
    on(state, MIXED, other, MIXED_END);
    on(state, QUOTE, PLAIN, quoting === "strict" ? STRAY_QUOTE : event);
  };
  outside(START, PLAIN);
  on(START, BLANK, START);
  on(START, QUOTE, QUOTED, OPENS);
  outside(PLAIN, PLAIN);
  outside(RETURNED, PLAIN, STRAY_RETURN);
  on(RETURNED, RETURN, RETURNED);
  // After a closing quote a field must end; anything else shows that the quote did not close it, or is wrong.
  for (const state of [CLOSED, CLOSED_BLANK, CLOSED_RETURN]) {
    if (quoting === "loose") {
      for (const byte of [OTHER, BLANK]) on(state, byte, QUOTED);
      on(state, ESCAPE, ESCAPED_QUOTED);
    } else {
      for (const byte of [OTHER, BLANK]) on(state, byte, PLAIN, STRAY_QUOTE);
      on(state, ESCAPE, ESCAPED, STRAY_QUOTE);
    }
    on(state, QUOTE, CLOSED, quoting === "strict" ? STRAY_QUOTE : 0);
    on(state, DELIMITER, START);
    on(state, NEWLINE, START, ENDS);
    on(state, RETURN, CLOSED_RETURN);
    on(state, MIXED, PLAIN, MIXED_END);
  }
  on(CLOSED, QUOTE, QUOTED);
  on(CLOSED, BLANK, CLOSED_BLANK);
  on(CLOSED_BLANK, BLANK, CLOSED_BLANK);
  for (const byte of [OTHER, BLANK, DELIMITER, RETURN, MIXED]) on(QUOTED, byte, QUOTED);
  on(QUOTED, QUOTE, CLOSED);
  on(QUOTED, ESCAPE, ESCAPED_QUOTED);
  on(QUOTED, NEWLINE, QUOTED, LINE);
  for (const byte of [OTHER, BLANK, DELIMITER, QUOTE, ESCAPE, RETURN, MIXED]) {
    on(ESCAPED, byte, PLAIN);
    on(ESCAPED_QUOTED, byte, QUOTED);
  }
  // An escape before a carriage return escapes nothing: the line ends as it would without it.
  on(ESCAPED, RETURN, RETURNED);
  on(ESCAPED, MIXED, PLAIN, MIXED_END);
  on(ESCAPED, NEWLINE, PLAIN, LINE);
  on(ESCAPED_QUOTED, NEWLINE, QUOTED, LINE);
  return table;
}
