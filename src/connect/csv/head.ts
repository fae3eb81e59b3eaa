import type { Readable } from "node:stream";
import { PawlError } from "../../errors.ts";
import type { FileVersion } from "./body.ts";
import { DecodedStream } from "./decoded-stream.ts";
import type { Newline } from "./layout.ts";
import type { Settings } from "./options.ts";
import { RecordScanner } from "./record-scanner.ts";
import { firstRecordEnds, sniffNewline } from "./sniff.ts";

const HEAD = 64 * 1024;

/** What the beginning of a file tells. */
export interface Head {
  readonly compression: "gzip" | "zstd" | null;
  readonly encoding: string;
  /** Bytes before the first one of `records`' text that are no text. */
  readonly bom: number;
  readonly newline: Newline;
  /** The first records without line ends, at least one. */
  readonly records: readonly Buffer[];
  /** Where the second record begins in the decoded text, and on which line. */
  readonly second: { readonly offset: number; readonly line: number };
  /** Nothing follows the first record. */
  readonly single: boolean;
}

/** Reads as much of a file as its first record needs, at least 64 KB. Errors: `csv.empty`, `csv.binary`, those of scanning. */
export async function readHead(file: FileVersion, settings: Settings, stdin: Readable | null): Promise<Head> {
  const stream = new DecodedStream(file, settings.encoding, "look", stdin);
  let bytes: Buffer = Buffer.alloc(0);
  let ended = true;
  for await (const piece of stream) {
    bytes = Buffer.concat([bytes, piece]);
    if (
      bytes.length > settings.maxRecordBytes + HEAD ||
      (bytes.length >= HEAD && firstRecordEnds(bytes, settings.quote))
    ) {
      ended = false;
      break;
    }
  }
  const newline = sniffNewline(bytes, settings.quote);
  const quote = settings.quote.charCodeAt(0);
  const { maxRecordBytes } = settings;
  if (bytes.length > 0) refuseBinary(bytes, file.name, stream.encoding);
  const rules = { quote, newline, blankIsRow: false, maxRecordBytes, name: file.name };
  const first = new RecordScanner(rules);
  const offset = first.scan(bytes, 0, bytes.length, 0, Number.POSITIVE_INFINITY, 1);
  if (ended && first.records === 0) first.finish(bytes.length);
  if (first.records === 0)
    throw new PawlError("csv.empty", `${file.name} is empty: there is not even a header.`);
  const all = new RecordScanner(rules, 0, 1, true);
  const records: Buffer[] = [];
  all.scan(bytes, 0, bytes.length, 0);
  const collect = () => {
    for (let span = 0; span < all.spanCount; span++)
      records.push(bytes.subarray(all.spans[span * 2], all.spans[span * 2 + 1]));
  };
  collect();
  if (ended && records.length === 0) {
    all.finish(bytes.length);
    collect();
  }
  return {
    compression: stream.compression,
    encoding: stream.encoding,
    bom: stream.bom,
    newline,
    records,
    second: { offset, line: first.line },
    single: ended && !hasContent(bytes, offset),
  };
}

function hasContent(bytes: Buffer, from: number): boolean {
  return bytes.subarray(from).some((byte) => byte !== 10 && byte !== 13);
}

/** A row may hold a stray NUL and is refused by itself; a file full of them is no CSV in this encoding. */
function refuseBinary(head: Buffer, name: string, encoding: string): void {
  const sample = head.subarray(0, 4096);
  const nuls = sample.reduce((sum, byte) => sum + (byte === 0 ? 1 : 0), 0);
  if (nuls * 10 < sample.length) return;
  const advice =
    encoding === "utf-8" ? "if it is UTF-16, give --encoding utf-16le or utf-16be" : "check --encoding";
  throw new PawlError(
    "csv.binary",
    `${name} holds NUL bytes from the start and is no CSV as it stands: ${advice}.`,
  );
}
