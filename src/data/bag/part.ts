import { isUtf8 } from "node:buffer";
import { closeSync, createReadStream, fstatSync, openSync, readSync } from "node:fs";
import { errorReason } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import { own } from "../../own.ts";
import { callable } from "../../pool/index.ts";
import { type Chain, chainOf, holdsBack, PartState, received } from "./chain.ts";
import { type Collected, type Collector, collecting, type ItemCollector } from "./collect.ts";
import { type Gather, gathered, type Partition, type Split } from "./exchange.ts";
import { RowFit, type SentField, whyUnfit } from "./fit.ts";
import { type Block, LineBlocks, type LongLine, mixedLines, withoutReturn } from "./line-blocks.ts";
import { QuarantineWriter, type SetAside } from "./quarantine.ts";
import { assertKept, readSegments, type Spill, SpillFile, type SpillSegment } from "./segments.ts";
import type { ItemStep, SentFunction } from "./steps.ts";
import { unpacked } from "./unpack.ts";

/** A file as it was when the bag was run. */
export interface BagFile {
  /** An absolute path. */
  readonly path: string;
  /** The path as messages show it. */
  readonly name: string;
  /** Its place among the bag's files. */
  readonly index: number;
  readonly size: number;
  readonly mtimeMs: number;
  readonly inode: number;
  readonly compression: "gzip" | "zstd" | null;
  /** Bytes of its byte order mark. */
  readonly mark: number;
}

/** How lines become items. */
export interface LineFormat {
  readonly kind: "lines" | "jsonl" | "replay";
  readonly malformed: "fail" | "drop" | "quarantine";
  readonly includePath: boolean;
  /** The columns that a line's value must have; null where it may be any. */
  readonly fields: readonly SentField[] | null;
  /** Bytes that a line may have. */
  readonly longest: number;
}

/** Where the items of a part come from. */
export type PartInput =
  | {
      readonly kind: "range";
      readonly file: BagFile;
      readonly start: number;
      readonly end: number;
      readonly format: LineFormat;
    }
  | { readonly kind: "items"; readonly items: readonly unknown[]; readonly first: number }
  | {
      readonly kind: "partition";
      readonly gather: Gather | { readonly kind: "join" };
      readonly partition: Partition;
    }
  | { readonly kind: "pairs"; readonly left: PairSide; readonly right: PairSide; readonly pairs: number };

/** Segments with values, of which the first ones are passed over. */
export interface PairSide {
  readonly segments: readonly SpillSegment[];
  readonly skip: number;
}

export interface BagPart {
  readonly input: PartInput;
  readonly steps: readonly ItemStep[];
  readonly collector: Collector;
  /** What `accumulate` begins with, one for each such step. */
  readonly states: readonly unknown[];
  /** The file that a writing collector makes. */
  readonly name: string;
  readonly spill: Spill;
  /** The first number is set where nothing more is wanted of this run. */
  readonly stop: Int32Array;
}

/** What became of the lines of a part. */
export interface PartCounts {
  readonly read: number;
  readonly kept: number;
  readonly dropped: number;
  readonly malformed: number;
}

export interface PartReply {
  readonly counts: PartCounts;
  /** The range of the file that was read as lines: from the first one that belongs to it up to behind the last one. */
  readonly lines: { readonly first: number | null; readonly behind: number; readonly count: number } | null;
  /** Whether all of the input was read. */
  readonly complete: boolean;
  readonly collected: Collected | null;
  readonly split: Split | null;
  readonly quarantined: { readonly file: string; readonly lines: number } | null;
  readonly states: readonly unknown[];
}

/** Where in the input something went wrong, as an error carries it. */
export interface Where {
  readonly file: string;
  readonly path: string;
  /** Whether offsets say nothing, because the file is packed. */
  readonly packed: boolean;
  /** The offset of the line, and how many lines of the part precede it. */
  readonly offset: number;
  readonly before: number;
}

/** Bytes that are read together: few enough that the text of them is made where new objects are, and goes with them. */
const PIECE = 64 * 1024;

/** Runs one part of a bag: in a worker. */
export const runPart = callable(import.meta, async (part: BagPart): Promise<PartReply> => {
  using file = new SpillFile(part.spill);
  const state = new PartState(part.states);
  const collect = await collecting(part.collector, state, file, part.name);
  const holding = part.steps.findIndex(holdsBack);
  const counted: ItemStep[] = holding < 0 ? [...part.steps] : part.steps.slice(0, holding);
  const others = holding < 0 ? [] : part.steps.slice(holding);
  const behind = await chainOf(others, state, collect.push);
  const chain = await chainOf(counted, state, (item) => {
    state.arrived++;
    behind.push(item);
  });
  const run = new PartRun(part, state, { push: chain.push, end: behind.end }, collect);
  return await run.run(file);
});

/** Folds the states of parts into one, in order: in a worker. */
export const foldStates = callable(
  import.meta,
  async (combine: SentFunction, states: readonly unknown[]): Promise<unknown> => {
    const fn = await received(combine);
    let [value] = states;
    for (const state of states.slice(1)) value = fn(value, state);
    assertKept(value);
    return value;
  },
);

class PartRun {
  readonly #part: BagPart;
  readonly #state: PartState;
  readonly #chain: Chain;
  readonly #collect: ItemCollector;
  #read = 0;
  #kept = 0;
  #malformed = 0;
  #lines = 0;
  #quarantine: QuarantineWriter | null = null;
  #parse: Parse = JSON.parse as Parse;

  constructor(part: BagPart, state: PartState, chain: Chain, collect: ItemCollector) {
    this.#part = part;
    this.#state = state;
    this.#chain = chain;
    this.#collect = collect;
  }

  async run(file: SpillFile): Promise<PartReply> {
    const { input } = this.#part;
    switch (input.kind) {
      case "range":
        return await this.#range(input);
      case "items": {
        for (const [at, item] of input.items.entries()) {
          if (this.#over()) break;
          this.#state.offset = () => input.first + at;
          try {
            await this.#item(item);
          } catch (error) {
            throw located(error, NO_FILE, input.first + at, at);
          }
        }
        return await this.#end(null, null);
      }
      case "partition": {
        const split = await gathered(input.gather, input.partition, file, (item) => this.#plain(item));
        await this.#state.settle();
        return await this.#end(null, split);
      }
      case "pairs":
        for (const pair of pairs(input)) {
          if (this.#over()) break;
          this.#plain(pair);
          if (this.#state.waiting !== null) await this.#state.settle();
        }
        return await this.#end(null, null);
    }
  }

  #over(): boolean {
    return this.#state.enough || Atomics.load(this.#part.stop, 0) !== 0;
  }

  async #end(lines: PartReply["lines"], split: Split | null): Promise<PartReply> {
    const { enough } = this.#state;
    await this.#chain.end();
    const quarantined = this.#quarantine?.finish() ?? null;
    const dropped = this.#read - this.#kept - this.#malformed;
    return {
      counts: { read: this.#read, kept: this.#kept, dropped, malformed: this.#malformed },
      lines,
      complete: !enough && Atomics.load(this.#part.stop, 0) === 0,
      collected: split === null ? this.#collect.finish() : null,
      split,
      quarantined,
      states: this.#state.states,
    };
  }

  /** An item that belongs to no line. */
  #plain(item: unknown): void {
    if (this.#state.enough) return;
    this.#state.drawnOfLine = 0;
    const at = this.#lines++;
    this.#state.offset = () => at;
    this.#chain.push(item);
  }

  async #item(item: unknown): Promise<void> {
    this.#read++;
    this.#state.drawnOfLine = 0;
    const before = this.#state.arrived;
    this.#chain.push(item);
    if (this.#state.arrived !== before) this.#kept++;
    if (this.#state.waiting !== null) await this.#state.settle();
  }

  async #range({ file, start, end, format }: Extract<PartInput, { kind: "range" }>): Promise<PartReply> {
    this.#state.file = file.index;
    this.#parse = parserOf(format);
    const isRange = start > 0;
    const from = isRange ? start - 1 : 0;
    const last = file.compression === null && end < file.size ? end : Number.POSITIVE_INFINITY;
    const lines = new LineBlocks({ from, end: last, longest: format.longest }, isRange);
    const text = this.#textOf(file, format);
    let toSkip = isRange ? 0 : file.mark;
    if (toSkip > 0) lines.skipMark(toSkip);
    for await (const piece of piecesOf(file, from)) {
      const bytes = toSkip > 0 ? piece.subarray(toSkip) : piece;
      toSkip = Math.max(0, toSkip - piece.length);
      for (const block of lines.add(bytes)) {
        await text(block);
        if (this.#over()) break;
      }
      this.#collect.relieve?.(piece.length);
      if (lines.done || this.#over()) break;
    }
    if (!lines.done && !this.#over()) for (const block of lines.finish()) await text(block);
    return await this.#end({ first: lines.first, behind: lines.behind, count: this.#lines }, null);
  }

  /** What is done with a block of lines of the file. */
  #textOf(file: BagFile, format: LineFormat): (block: Block | LongLine) => Promise<void> {
    const { kind, includePath } = format;
    const state = this.#state;
    const push = this.#chain.push;
    const parse = kind === "replay" ? (JSON.parse as Parse) : this.#parse;
    const skipsEmpty = kind !== "lines";
    return async (block) => {
      if (!("bytes" in block)) {
        this.#lines++;
        this.#read++;
        this.#bad(file, format, {
          offset: block.offset,
          bytes: null,
          reason: `is ${block.length} bytes long, more than the ${format.longest} that memory has room for`,
        });
        return;
      }
      if (block.text === null) {
        for (const { text, offset, bytes } of mixedLines(block)) {
          state.offset = () => offset;
          this.#lines++;
          if (text === null) {
            this.#read++;
            this.#bad(file, format, { offset, bytes, reason: "is not UTF-8" });
          } else await this.#line(text, file, format, offset);
          if (state.enough) return;
        }
        return;
      }
      const { text, ascii, offset } = block;
      let at = 0;
      const offsetNow = () => offset + (ascii ? at : Buffer.byteLength(text.slice(0, at)));
      state.offset = offsetNow;
      const stop = this.#part.stop;
      while (at < text.length) {
        const found = text.indexOf("\n", at);
        const next = found < 0 ? text.length : found + 1;
        const line = text.slice(at, found < 0 ? text.length : found);
        this.#lines++;
        if (skipsEmpty && isBlank(line)) {
          at = next;
          continue;
        }
        let item: unknown;
        try {
          item = parse(line);
        } catch {
          await this.#line(line, file, format, offsetNow());
          at = next;
          if (state.enough) return;
          continue;
        }
        if (kind === "replay") {
          await this.#replayed(item, line, file, format, offsetNow());
          at = next;
          if (state.enough) return;
          continue;
        }
        this.#read++;
        state.drawnOfLine = 0;
        const before = state.arrived;
        try {
          push(includePath ? [item, file.name] : item);
          if (state.waiting !== null) await state.settle();
        } catch (error) {
          throw located(error, file, offsetNow(), this.#lines - 1);
        }
        if (state.arrived !== before) this.#kept++;
        if (state.enough) return;
        at = next;
        if ((this.#lines & 1023) === 0 && Atomics.load(stop, 0) !== 0) return;
      }
    };
  }

  /** One line by itself: where it may be malformed. */
  async #line(line: string, file: BagFile, format: LineFormat, offset: number): Promise<void> {
    if (format.kind !== "lines" && isBlank(line)) return;
    let item: unknown;
    try {
      // Files that were joined have a byte order mark in front of some lines.
      const text = format.kind !== "lines" && line.charCodeAt(0) === 0xfeff ? line.slice(1) : line;
      item = format.kind === "replay" ? JSON.parse(text) : this.#parse(text);
    } catch (error) {
      this.#read++;
      this.#bad(file, format, { offset, bytes: Buffer.from(line), reason: whyBad(error) });
      return;
    }
    if (format.kind === "replay") return await this.#replayed(item, line, file, format, offset);
    this.#state.offset = () => offset;
    try {
      await this.#item(format.includePath ? [item, file.name] : item);
    } catch (error) {
      throw located(error, file, offset, this.#lines - 1);
    }
  }

  /** A record of a quarantine file: its text is the line. */
  async #replayed(
    record: unknown,
    raw: string,
    file: BagFile,
    format: LineFormat,
    offset: number,
  ): Promise<void> {
    const origin = originOf(record, raw, file, this.#lines);
    const { text } = origin;
    let item: unknown;
    try {
      if (text === undefined) throw new Error(origin.reason);
      item = this.#parse(text);
    } catch (error) {
      this.#read++;
      const reason = text === undefined ? origin.reason : whyBad(error);
      this.#bad(file, format, { offset, bytes: null, reason, origin });
      return;
    }
    try {
      await this.#item(format.includePath ? [item, origin.file] : item);
    } catch (error) {
      throw located(error, file, offset, this.#lines - 1);
    }
  }

  #bad(file: BagFile, format: LineFormat, { offset, bytes, reason, origin }: BadLine): void {
    this.#malformed++;
    if (format.malformed === "drop") return;
    const before = this.#lines - 1;
    if (format.malformed === "fail") {
      const lead = origin === undefined ? "The line" : `The line ${origin.line} of ${origin.file}`;
      const error = new PawlError(
        "bag.malformed",
        `${lead} ${reason}: fix it, or set \`malformed\` to "drop" or to { quarantine: FILE }.`,
      );
      throw located(error, file, offset, before);
    }
    this.#quarantine ??= new QuarantineWriter(this.#part.spill);
    if (origin !== undefined) {
      this.#quarantine.add({ ...origin, before, reason });
      return;
    }
    const raw =
      bytes === null ? {} : isUtf8(bytes) ? { text: bytes.toString() } : { base64: bytes.toString("base64") };
    this.#quarantine.add({ file: file.name, line: null, before, offset, reason, ...raw });
  }
}

interface BadLine {
  readonly offset: number;
  /** Null where the line is too long to be held. */
  readonly bytes: Buffer | null;
  readonly reason: string;
  /** The record of the quarantine file that it comes from. */
  readonly origin?: SetAside;
}

/** A record of a quarantine file as it was written; what is none stands for itself. */
function originOf(record: unknown, raw: string, file: BagFile, line: number): SetAside {
  const fields = (typeof record === "object" && record !== null ? record : {}) as Record<string, unknown>;
  const texts = (name: string) => {
    const value = own(fields, name);
    return typeof value === "string" ? value : undefined;
  };
  const numbers = (name: string) => {
    const value = own(fields, name);
    return typeof value === "number" ? value : undefined;
  };
  const [name, text, base64] = [texts("file"), texts("text"), texts("base64")];
  const isRecord = name !== undefined;
  const reason = texts("reason") ?? "is not a record of a quarantine file";
  return {
    file: name ?? file.name,
    line: isRecord ? (numbers("line") ?? 0) : line,
    before: 0,
    offset: numbers("offset") ?? 0,
    reason:
      text === undefined && base64 === undefined && isRecord
        ? "has no text in its record: take it from its file"
        : reason,
    ...(text === undefined ? {} : { text }),
    ...(base64 === undefined || text !== undefined ? {} : { base64 }),
    ...(isRecord ? {} : { text: raw }),
  };
}

type Parse = (line: string) => unknown;

/** What makes an item of a line. */
function parserOf({ kind, fields }: LineFormat): Parse {
  if (kind === "lines") return withoutReturn;
  if (fields === null) return JSON.parse as Parse;
  const fit = new RowFit(fields);
  return (line) => fit.parsed(line);
}

/** Why a line is not an item. JSON.parse counts lines in the one line that it was given, which says nothing. */
function whyBad(error: unknown): string {
  const unfit = whyUnfit(error);
  if (unfit !== null) return unfit;
  return `is not JSON (${errorReason(error).replace(/ \(line 1 column \d+\)$/, "")})`;
}

function isBlank(line: string): boolean {
  // Most lines begin with what no blank line has.
  const first = line.charCodeAt(0);
  return line.length === 0 || (first <= 32 && line.trim() === "");
}

function located(
  error: unknown,
  file: Pick<BagFile, "name" | "path" | "compression">,
  offset: number,
  before: number,
): unknown {
  if (!(error instanceof PawlError) || !error.code.startsWith("bag.") || "where" in error) return error;
  const where: Where = {
    file: file.name,
    path: file.path,
    packed: file.compression !== null,
    offset,
    before,
  };
  return Object.assign(error, { where });
}

/** Of items of the program. */
const NO_FILE = { name: "", path: "", compression: null };

/** The bytes of a file from an offset on, unpacked where it is packed, and proof that it is the file that was planned. */
async function* piecesOf(file: BagFile, from: number): AsyncGenerator<Buffer> {
  const handle = openSync(file.path, "r");
  try {
    assertUnchanged(handle, file);
    if (file.compression !== null) {
      const packed = createReadStream(file.path, {
        fd: handle,
        autoClose: false,
        highWaterMark: PIECE,
        start: 0,
      });
      yield* unpacked(file, packed);
      assertUnchanged(handle, file);
      return;
    }
    const buffer = Buffer.allocUnsafeSlow(Math.min(PIECE, Math.max(1, file.size - from)));
    for (let at = from; at < file.size; ) {
      const read = readSync(handle, buffer, 0, Math.min(buffer.length, file.size - at), at);
      // Before the bytes are used, so that a changed file is never read for a part that ends well.
      assertUnchanged(handle, file);
      if (read === 0) refuseChanged(file);
      at += read;
      yield buffer.subarray(0, read);
    }
  } finally {
    closeSync(handle);
  }
}

function assertUnchanged(handle: number, file: BagFile): void {
  const { size, mtimeMs, ino } = fstatSync(handle);
  if (size !== file.size || mtimeMs !== file.mtimeMs || ino !== file.inode) refuseChanged(file);
}

function refuseChanged({ name }: BagFile): never {
  throw new PawlError(
    "bag.changed",
    `${name} changed while it was read, so its lines may have moved: run it again when nothing writes to it.`,
  );
}

/** Values of both sides by their positions. */
function* pairs({
  left,
  right,
  pairs,
}: Extract<PartInput, { kind: "pairs" }>): Generator<[unknown, unknown]> {
  const [a, b] = [valuesOf(left), valuesOf(right)];
  try {
    for (let at = 0; at < pairs; at++) {
      const [one, other] = [a.next(), b.next()];
      if (one.done || other.done)
        throw new PawlError(
          "bag.spill",
          "A file in the spill folder is shorter than what was written to it: look at the disk, then run it again.",
        );
      yield [one.value, other.value];
    }
  } finally {
    a.return(undefined);
    b.return(undefined);
  }
}

function* valuesOf({ segments, skip }: PairSide): Generator<unknown, undefined> {
  let left = skip;
  for (const block of readSegments(segments)) {
    yield* left > 0 ? block.slice(left) : block;
    left = Math.max(0, left - block.length);
  }
}
