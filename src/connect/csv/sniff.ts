import type { Newline } from "./layout.ts";

const CANDIDATES = [",", ";", "\t", "|"];
const LF = 10;
const CR = 13;

/**
 * The delimiter that the records agree on best: most records with as many of them outside quotes as the first
 * record has; of two that agree equally, the one that is more frequent. A comma when none occurs.
 */
export function sniffDelimiter(records: readonly Buffer[], quote: string): string {
  let best = { delimiter: ",", agreeing: 0, count: 0 };
  for (const delimiter of CANDIDATES) {
    if (delimiter === quote) continue;
    const counts = records.map((record) => occurrences(record, delimiter, quote));
    const count = counts[0] ?? 0;
    if (count === 0) continue;
    const agreeing = counts.filter((other) => other === count).length;
    if (agreeing > best.agreeing || (agreeing === best.agreeing && count > best.count))
      best = { delimiter, agreeing, count };
  }
  return best.delimiter;
}

function occurrences(record: Buffer, delimiter: string, quote: string): number {
  const byte = delimiter.charCodeAt(0);
  let count = 0;
  for (const each of outsideQuotes(record, quote)) if (each.byte === byte) count++;
  return count;
}

/** A carriage return ends records only where the first line end is a bare one and no line feed stands outside quotes. */
export function sniffNewline(head: Buffer, quote: string): Newline {
  let bare = false;
  for (const { byte, at } of outsideQuotes(head, quote)) {
    if (byte === LF) return 10;
    if (byte === CR && !bare) {
      if (head[at + 1] === LF || at + 1 === head.length) return 10;
      bare = true;
    }
  }
  return bare ? 13 : 10;
}

/** Whether a record that is not blank has its line end in these bytes. */
export function firstRecordEnds(head: Buffer, quote: string): boolean {
  let next = 0;
  for (const { byte, at } of outsideQuotes(head, quote)) {
    if (byte !== LF && byte !== CR) continue;
    if (at > next) return true;
    next = at + 1;
  }
  return false;
}

function* outsideQuotes(bytes: Buffer, quoteText: string): Generator<{ byte: number; at: number }> {
  const quote = quoteText.charCodeAt(0);
  let inside = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === quote) inside = !inside;
    else if (!inside) yield { byte, at };
  }
}
