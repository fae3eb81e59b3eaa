import type { CheckedOptions } from "../options.ts";
import { codeOf, type Newline } from "../record-layout.ts";
import { DELIMITER, ESCAPED_QUOTED, type Grammar, grammarOf, QUOTED, START } from "../scan/grammar.ts";

const CANDIDATES = [",", ";", "\t", "|"];
const LF = 10;
const CR = 13;

/** What is known of a file's grammar before its delimiter is known. */
export interface Detector {
  readonly grammar: Grammar;
  readonly comment: number;
}

/** Reads quotes loosely, which loses least where one is wrong: wrong quotes are refused later, when the rest is known. */
export function detectorOf(options: CheckedOptions, delimiter: string | null): Detector {
  const { quote, comment, reading } = options;
  const grammar = grammarOf({
    delimiter: delimiter === null ? CANDIDATES.map(codeOf) : codeOf(delimiter),
    quote: codeOf(quote),
    escape: codeOf(reading.escape),
    newline: LF,
    quoting: "loose",
    trim: true,
  });
  return { grammar, comment: codeOf(comment) };
}

/** The line in which Excel names the delimiter. */
export function sepLine(bytes: Buffer): { delimiter: string; length: number } | null {
  const match = /^"?sep=([^\r\n"])"?(?:\r*\n|\r|$)/i.exec(bytes.subarray(0, 16).toString("latin1"));
  const delimiter = match?.[1];
  return match && delimiter && delimiter <= "\x7f" ? { delimiter, length: match[0].length } : null;
}

/**
 * The delimiter that the records agree on best: most records with as many of them outside quotes as the first
 * record has; of two that agree equally, the one that is more frequent. A comma when none occurs.
 */
export function detectDelimiter(records: readonly Buffer[], detector: Detector): string {
  let best = { delimiter: ",", agreeing: 0, count: 0 };
  const counted = records.map((record) => occurrences(record, detector));
  for (const delimiter of CANDIDATES) {
    const byte = codeOf(delimiter);
    if (detector.grammar.classes[byte] !== DELIMITER) continue;
    const count = counted[0]?.[byte] ?? 0;
    if (count === 0) continue;
    const agreeing = counted.filter((other) => other[byte] === count).length;
    if (agreeing > best.agreeing || (agreeing === best.agreeing && count > best.count))
      best = { delimiter, agreeing, count };
  }
  return best.delimiter;
}

/** How often each byte stands outside quotes. */
function occurrences(record: Buffer, detector: Detector): Uint32Array {
  const counts = new Uint32Array(256);
  for (const { byte } of outsideQuotes(record, detector)) (counts[byte] as number)++;
  return counts;
}

/**
 * A carriage return ends records only where the first line end is a bare one and no line feed stands outside quotes.
 */
export function detectNewline(head: Buffer, detector: Detector): Newline {
  let bare = false;
  for (const { byte, at } of outsideQuotes(head, detector)) {
    if (byte === LF) return LF;
    if (byte === CR && !bare) {
      let next = at + 1;
      while (head[next] === CR && head[next + 1] !== undefined) next++;
      if (head[next] === LF || next === head.length) return LF;
      bare = true;
    }
  }
  return bare ? CR : LF;
}

/** Whether a record that is not blank has its line end in these bytes. */
export function firstRecordEnds(head: Buffer, detector: Detector): boolean {
  let next = 0;
  for (const { byte, at } of outsideQuotes(head, detector)) {
    if (byte !== LF && byte !== CR) continue;
    if (at > next && head[next] !== detector.comment) return true;
    next = at + 1;
  }
  return false;
}

function* outsideQuotes(bytes: Buffer, detector: Detector): Generator<{ byte: number; at: number }> {
  const { classes, table } = detector.grammar;
  let state = START;
  let commented = false;
  let fresh = true;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (fresh) commented = byte === detector.comment;
    const lineEnd = byte === LF || byte === CR;
    if (!commented) state = (table[(state << 3) | (classes[byte] as number)] as number) & 15;
    const inside = !commented && (state === QUOTED || state === ESCAPED_QUOTED);
    fresh = lineEnd && !inside;
    if (fresh) {
      commented = false;
      state = START;
    }
    if (!inside && !commented) yield { byte, at };
  }
}
