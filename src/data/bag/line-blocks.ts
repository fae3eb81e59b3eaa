import { isAscii, isUtf8 } from "node:buffer";

/** Whole lines of a file, in a buffer that is good until the next block is asked for. */
export interface Block {
  /** The bytes of whole lines; the last one may lack its line feed where the file ends without one. */
  readonly bytes: Buffer;
  /** The lines as text; null where some of the bytes are not UTF-8. */
  readonly text: string | null;
  /** Whether every character is one byte, so that positions in the text are positions in the file. */
  readonly ascii: boolean;
  /** The offset of the first byte in the file. */
  readonly offset: number;
}

/** A line that is longer than may be held. Its bytes were passed over. */
export interface LongLine {
  readonly offset: number;
  readonly length: number;
}

/** What a range of a file owns: the lines that begin in it. */
export interface OwnedLines {
  /** The offset of the first byte that is read: one before the range, which tells whether a line begins with it. */
  readonly from: number;
  /** Lines that begin here or later belong to the next range. */
  readonly end: number;
  /** Bytes that a line may have. */
  readonly longest: number;
}

const LF = 10;

/**
 * Cuts bytes that come in pieces of any size into blocks of whole lines. A line belongs to the range in which its first byte is, so that
 * ranges may be cut anywhere: each skips to its first line and reads its last one to its end.
 */
export class LineBlocks {
  readonly #end: number;
  readonly #longest: number;
  /** Bytes that are held, `#filled` of them, from `#base` in the file. */
  #held: Buffer = Buffer.alloc(0);
  #filled = 0;
  #base: number;
  /** The first line end is still to be found: what stands before it belongs to the range before. */
  #skipping: boolean;
  /** Where the line began that is being passed over; null where none is. */
  #longFrom: number | null = null;
  /** The offset of the first line that is owned, once it is known, and behind the last one. */
  #first: number | null;
  #behind: number;
  #done = false;

  constructor({ from, end, longest }: OwnedLines, isRange: boolean) {
    this.#base = from;
    this.#end = end;
    this.#longest = longest;
    this.#skipping = isRange;
    this.#first = isRange ? null : from;
    this.#behind = from;
  }

  /** The offset of the first line that this range owns; null where it owns none. */
  get first(): number | null {
    return this.#first;
  }

  /** The offset behind the last line that this range owns. */
  get behind(): number {
    return this.#behind;
  }

  /** Whether all lines of the range were given, so that no more bytes are needed. */
  get done(): boolean {
    return this.#done;
  }

  /** Passes over the bytes of a byte order mark at the beginning of the file. */
  skipMark(bytes: number): void {
    this.#base += bytes;
    this.#first = this.#base;
    this.#behind = this.#base;
  }

  /** Adds the bytes that follow, and gives the lines that are whole by now. */
  *add(piece: Buffer): Generator<Block | LongLine> {
    let rest = piece;
    if (this.#skipping) {
      const at = rest.indexOf(LF);
      // The line of the range before goes on to the end of this piece, and perhaps of the range.
      if (at < 0 || this.#base + at + 1 >= this.#end) {
        this.#base += at < 0 ? rest.length : at + 1;
        this.#skipping = at < 0 && this.#base < this.#end;
        if (!this.#skipping) this.#close(this.#base);
        return;
      }
      this.#base += at + 1;
      this.#skipping = false;
      this.#first = this.#base;
      this.#behind = this.#base;
      rest = rest.subarray(at + 1);
    }
    if (this.#longFrom !== null) {
      const at = rest.indexOf(LF);
      this.#base += at < 0 ? rest.length : at + 1;
      if (at < 0) return;
      yield this.#long();
      rest = rest.subarray(at + 1);
      if (this.#done) return;
    }
    if (rest.length === 0) return;
    this.#hold(rest);
    yield* this.#whole();
  }

  /** The file is at its end: what is held is its last line. */
  *finish(): Generator<Block | LongLine> {
    if (this.#longFrom !== null) yield this.#long();
    if (this.#skipping) this.#close(this.#base);
    if (this.#filled === 0) return;
    const last = this.#held.subarray(0, this.#filled);
    this.#behind = this.#base + this.#filled;
    yield* this.#blocks(last);
    this.#base = this.#behind;
    this.#filled = 0;
  }

  #close(at: number): void {
    this.#skipping = false;
    this.#first = null;
    this.#behind = at;
    this.#base = at;
    this.#done = true;
  }

  #hold(piece: Buffer): void {
    const want = this.#filled + piece.length;
    if (want > this.#held.length) {
      const larger = Buffer.allocUnsafeSlow(
        Math.max(want, Math.min(2 * this.#held.length, want + this.#longest)),
      );
      this.#held.copy(larger, 0, 0, this.#filled);
      this.#held = larger;
    }
    piece.copy(this.#held, this.#filled);
    this.#filled = want;
  }

  /** The lines that are whole, up to the last one that belongs to the range. */
  *#whole(): Generator<Block | LongLine> {
    const held = this.#held.subarray(0, this.#filled);
    const lastOwned = this.#end - 1 - this.#base;
    const isOver = lastOwned < this.#filled;
    // Of the line that reaches over the end of the range the line feed may already be behind it.
    const at = isOver ? held.indexOf(LF, Math.max(0, lastOwned)) : held.lastIndexOf(LF);
    const until = at >= 0 ? at + 1 : isOver ? held.lastIndexOf(LF, Math.max(0, lastOwned)) + 1 : 0;
    if (until > 0) {
      this.#behind = this.#base + until;
      yield* this.#blocks(held.subarray(0, until));
      this.#base = this.#behind;
      this.#filled -= until;
      if (this.#behind >= this.#end) {
        this.#done = true;
        return;
      }
      held.copy(this.#held, 0, until);
    }
    if (this.#filled > this.#longest) {
      this.#longFrom = this.#base;
      this.#base += this.#filled;
      this.#filled = 0;
    }
  }

  #long(): LongLine {
    const offset = this.#longFrom ?? this.#base;
    this.#longFrom = null;
    this.#behind = this.#base;
    this.#done = this.#behind >= this.#end;
    return { offset, length: this.#base - offset };
  }

  /** The bytes as one block; as several where lines among them are too long. */
  *#blocks(bytes: Buffer): Generator<Block | LongLine> {
    const base = this.#base;
    let from = 0;
    // Whole lines within this length are none that is longer.
    for (let at = 0; bytes.length > this.#longest && at < bytes.length; ) {
      const end = bytes.indexOf(LF, at) + 1 || bytes.length;
      if (end - at > this.#longest) {
        if (at > from) yield blockOf(bytes.subarray(from, at), base + from);
        yield { offset: base + at, length: end - at };
        from = end;
      }
      at = end;
    }
    if (from < bytes.length) yield blockOf(bytes.subarray(from), base + from);
  }
}

function blockOf(bytes: Buffer, offset: number): Block {
  const ascii = isAscii(bytes);
  // Latin-1 gives strings of one byte a character without looking at them again.
  const text = ascii ? bytes.toString("latin1") : isUtf8(bytes) ? bytes.toString("utf8") : null;
  return { bytes, text, ascii, offset };
}

/** The lines of a block whose text is not UTF-8 throughout: each with its offset, and null as its text where it is the one to blame. */
export function* mixedLines({
  bytes,
  offset,
}: Block): Generator<{ text: string | null; offset: number; bytes: Buffer }> {
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(LF, at);
    const line = bytes.subarray(at, end < 0 ? bytes.length : end);
    yield { text: isUtf8(line) ? line.toString("utf8") : null, offset: offset + at, bytes: line };
    at = end < 0 ? bytes.length : end + 1;
  }
}

/** The text of a line without the carriage return that a line end of Windows leaves. */
export function withoutReturn(line: string): string {
  return line.charCodeAt(line.length - 1) === 13 ? line.slice(0, -1) : line;
}
