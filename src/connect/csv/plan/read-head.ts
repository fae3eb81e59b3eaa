import type { Readable } from "node:stream";
import { PawlError } from "../../../errors.ts";
import { refuseOtherFormat, refuseOtherText } from "../open/other-formats.ts";
import type { PlannedFile } from "../open/planned-file.ts";
import { TextStream } from "../open/text-stream.ts";
import type { CheckedOptions } from "../options.ts";
import { codeOf, type Newline } from "../record-layout.ts";
import { grammarOf } from "../scan/grammar.ts";
import { ODD_RETURNS, RecordScanner } from "../scan/record-scanner.ts";
import { detectDelimiter, detectNewline, detectorOf, firstRecordEnds, sepLine } from "./detect-delimiter.ts";

const HEAD = 64 * 1024;
/** A header that is longer than this is most likely not a header. */
const LONGEST_HEADER = 1024 * 1024;

/** What the beginning of a file says of it. */
export interface Head {
  readonly compression: "gzip" | "zstd" | null;
  readonly encoding: string;
  /** Bytes of the byte order mark before the text. */
  readonly bom: number;
  readonly newline: Newline;
  readonly delimiter: string;
  /** The first record without its line end. */
  readonly first: Buffer;
  /** Where the first record stands in the decoded text, behind lines that are left out, and on which line. */
  readonly begin: Position;
  /** Where the next one begins. */
  readonly second: Position;
  /** Nothing follows the first record. */
  readonly single: boolean;
}

interface Position {
  readonly offset: number;
  readonly line: number;
}

/** The beginning of a text behind the lines that are skipped. */
interface Opening {
  readonly bytes: Buffer;
  /** The whole text is in `bytes`. */
  readonly ended: boolean;
  readonly at: Position;
}

/**
 * Reads as much of a file as its first record needs, at least 64 KB. `delimiter` is what the options or an earlier
 * file say. Errors: `csv.empty`, `csv.binary`, `csv.other-format`, `csv.header`, those of scanning.
 */
export async function readHead(
  file: PlannedFile,
  options: CheckedOptions,
  stdin: Readable | null,
  known: string | null,
): Promise<Head> {
  const stream = new TextStream(file, options.encoding, "peek", stdin);
  const opening = await openingOf(stream, options, file.name);
  const separated = sepLine(opening.bytes);
  const text = separated === null ? opening : behindLine(opening, separated.length);
  const { bytes, ended, at } = text;
  const given = known ?? separated?.delimiter ?? null;
  const detector = detectorOf(options, given);
  const newline = detectNewline(bytes, detector);
  const found = (grammar: Parameters<typeof scannerOf>[0]) =>
    recordsOf(bytes, ended, grammar, options, file, at);
  const delimiter = given ?? detectDelimiter(found({ ...detector.grammar, newline }).records, detector);
  const { quote, reading } = options;
  const { loose, trim } = reading;
  const { records, scanner, next } = found({
    delimiter: codeOf(delimiter),
    quote: codeOf(quote),
    escape: codeOf(reading.escape),
    newline,
    quoting: loose ? "loose" : "strict",
    trim,
  });
  const [first] = records;
  if (first === undefined) {
    const what = options.skipLines > 0 ? `has no more than ${options.skipLines} lines` : "is empty";
    throw new PawlError("csv.empty", `${file.name} ${what}: there is not even a header.`);
  }
  if ((scanner.features & ODD_RETURNS) !== 0) refuseMixed(file.name, at.line);
  if (options.header && first.length > LONGEST_HEADER)
    throw new PawlError(
      "csv.header",
      `${file.name} line ${at.line}: the header is longer than 1 MB; check that the file is a CSV and its quotes are closed.`,
    );
  return {
    compression: stream.compression,
    encoding: stream.encoding,
    bom: stream.bom,
    newline,
    delimiter,
    first,
    begin: at,
    second: { offset: at.offset + next, line: scanner.line },
    single: ended && !hasContent(bytes, next),
  };
}

async function openingOf(stream: TextStream, options: CheckedOptions, name: string): Promise<Opening> {
  const detector = detectorOf(options, null);
  const most =
    (options.header ? Math.min(options.maxRecordBytes, LONGEST_HEADER) : options.maxRecordBytes) + HEAD;
  let bytes: Buffer = Buffer.alloc(0);
  let at = { offset: 0, line: 1 };
  let ended = true;
  let checked = false;
  /** Scanning again only each time the bytes have doubled keeps the work linear. */
  let scanAt = HEAD;
  for await (const piece of stream) {
    bytes = Buffer.concat([bytes, piece]);
    if (!checked && bytes.length >= 512) {
      refuseUnreadable(bytes, name, stream.encoding);
      checked = true;
    }
    const skipped = skipLines(bytes, options.skipLines + 1 - at.line, false);
    at = { offset: at.offset + skipped.bytes, line: at.line + skipped.lines };
    bytes = bytes.subarray(skipped.bytes);
    if (at.line <= options.skipLines) {
      if (bytes.length > most) tooLong(name, at.line);
      continue;
    }
    if (bytes.length < scanAt) continue;
    if (bytes.length > most || firstRecordEnds(bytes, detector)) {
      ended = false;
      break;
    }
    scanAt = bytes.length * 2;
  }
  if (!checked && bytes.length > 0) refuseUnreadable(bytes, name, stream.encoding);
  const rest = skipLines(bytes, options.skipLines + 1 - at.line, ended);
  at = { offset: at.offset + rest.bytes, line: at.line + rest.lines };
  bytes = bytes.subarray(rest.bytes);
  if (options.header && options.delimiter === null && options.columns === null) refuseOtherText(bytes, name);
  return { bytes, ended, at };
}

/** How many bytes the next lines take, at most so many lines of which the end is known. */
function skipLines(bytes: Buffer, wanted: number, ended: boolean): { bytes: number; lines: number } {
  let at = 0;
  let lines = 0;
  while (lines < wanted) {
    const feed = bytes.indexOf(10, at);
    const limit = feed === -1 ? bytes.length : feed;
    const back = bytes.subarray(at, limit).indexOf(13);
    let end = back === -1 ? limit : at + back;
    if (end === bytes.length) break;
    // A carriage return at the end may be the first half of a line end.
    if (bytes[end] === 13) {
      let last = end;
      while (bytes[last + 1] === 13) last++;
      if (last + 1 === bytes.length && !ended) break;
      if (bytes[last + 1] === 10) end = last + 1;
    }
    at = end + 1;
    lines++;
  }
  return { bytes: at, lines };
}

function behindLine({ bytes, ended, at }: Opening, length: number): Opening {
  return { bytes: bytes.subarray(length), ended, at: { offset: at.offset + length, line: at.line + 1 } };
}

function scannerOf(
  grammar: Parameters<typeof grammarOf>[0],
  options: CheckedOptions,
  file: PlannedFile,
  at: Position,
  spans: boolean,
): RecordScanner {
  const { comment, maxRecordBytes } = options;
  const rules = { grammar: grammarOf(grammar), comment: codeOf(comment), blankIsRow: false, maxRecordBytes };
  return new RecordScanner({ ...rules, name: file.name }, 0, at.line, spans);
}

/** The records of the head; the scanner has seen the first one alone, and `next` is where the one after it begins. */
function recordsOf(
  bytes: Buffer,
  ended: boolean,
  grammar: Parameters<typeof grammarOf>[0],
  options: CheckedOptions,
  file: PlannedFile,
  at: Position,
) {
  const scanner = scannerOf(grammar, options, file, at, false);
  let next = 0;
  while (next < bytes.length && scanner.records === 0)
    next = scanner.scan(bytes, next, bytes.length, 0, Number.POSITIVE_INFINITY, 1);
  if (ended && scanner.records === 0) scanner.finish(bytes.length);
  const records: Buffer[] = [];
  if (scanner.records === 0) return { records, scanner, next };
  // The delimiter is judged by what follows the header too; a quote that is wrong there is named when it is read.
  const all = scannerOf({ ...grammar, quoting: "loose" }, options, file, at, true);
  const collect = () => {
    for (let span = 0; span < all.spanCount; span++)
      records.push(bytes.subarray(all.spans[span * 2], all.spans[span * 2 + 1]));
  };
  all.scan(bytes, 0, bytes.length, 0);
  collect();
  if (ended && records.length === 0) {
    all.finish(bytes.length);
    collect();
  }
  return { records, scanner, next };
}

function hasContent(bytes: Buffer, from: number): boolean {
  return bytes.subarray(from).some((byte) => byte !== 10 && byte !== 13);
}

function refuseMixed(name: string, line: number): never {
  throw new PawlError(
    "csv.mixed-line-ends",
    `${name} line ${line} ends with a carriage return alone, and a later line with a line feed: end all lines in the same way.`,
  );
}

function tooLong(name: string, line: number): never {
  throw new PawlError(
    "csv.header",
    `${name} line ${line}: the line to skip is longer than 1 MB; check \`skipLines\`.`,
  );
}

/**
 * A row may hold a stray NUL and is refused by itself; a file full of them is not a CSV in this encoding. Of a few bytes a few may
 * be strays and already a tenth.
 */
function refuseUnreadable(head: Buffer, name: string, encoding: string): void {
  refuseOtherFormat(head, name);
  const sample = head.subarray(0, 4096);
  const nuls = sample.reduce((sum, byte) => sum + (byte === 0 ? 1 : 0), 0);
  if (nuls * 10 < sample.length || (nuls < 8 && nuls * 4 < sample.length)) return;
  const advice =
    encoding === "utf-8"
      ? 'if it is UTF-16, give `encoding: "utf-16le"` or `encoding: "utf-16be"`'
      : "check `encoding`";
  throw new PawlError(
    "csv.binary",
    `${name} holds NUL bytes from the start and is not a CSV as it stands: ${advice}.`,
  );
}
