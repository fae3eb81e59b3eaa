import type { Readable } from "node:stream";
import { PawlError } from "../../errors.ts";

/** How a CSV is written and which of its columns count. Everything has a default that suits most files. */
export interface CsvOptions {
  /** One ASCII character, or `\t`. Default: whichever of `,` `;` tab `|` the first records agree on. */
  readonly delimiter?: string;
  /** One ASCII character; doubled inside quotes. Default `"`. */
  readonly quote?: string;
  /** An unquoted value equal to this is null. Default: the empty text. */
  readonly nullText?: string;
  /** A label of the WHATWG Encoding Standard, such as `latin1` or `utf-16le`. Default `utf8`; a BOM wins over it. */
  readonly encoding?: string;
  /** Whether the first record holds the column names. Default true. */
  readonly header?: boolean;
  /** Column names: instead of the header's, or for a file without one (default there: `column1`, `column2`, …). */
  readonly columns?: readonly string[];
  /** Columns of the file to leave out, such as those that a list of failures adds; a name that is absent is no error. */
  readonly ignoreColumns?: readonly string[];
  /** A record may not be larger than this many bytes. Default 16 MiB. */
  readonly maxRecordBytes?: number;
  /** What `-` reads. Default `process.stdin`. */
  readonly stdin?: Readable;
  /** About how many bytes one entry of the scan's table covers. Default: 64 KiB to 960 KiB, larger from 6 GB on. */
  readonly granuleBytes?: number;
}

/** Options with their defaults, checked. What the file itself must tell is null. */
export interface Settings {
  readonly delimiter: string | null;
  readonly quote: string;
  readonly nullText: string;
  readonly encoding: string;
  readonly header: boolean;
  readonly columns: readonly string[] | null;
  readonly ignoreColumns: readonly string[];
  readonly maxRecordBytes: number;
  readonly stdin: Readable | null;
  readonly granuleBytes: number | null;
}

const DEFAULT_MAX_RECORD = 16 * 1024 * 1024;
/** Offsets inside a record are 32-bit integers while it is scanned. */
const LARGEST_MAX_RECORD = 1024 * 1024 * 1024;

/** Checks the options. Errors: `csv.option`. */
export function settle(options: CsvOptions): Settings {
  const delimiter = options.delimiter === "\\t" ? "\t" : (options.delimiter ?? null);
  const quote = options.quote ?? '"';
  const nullText = options.nullText ?? "";
  const maxRecordBytes = options.maxRecordBytes ?? DEFAULT_MAX_RECORD;
  if (delimiter !== null) checkCharacter("--delimiter", delimiter);
  checkCharacter("--quote", quote);
  if (delimiter === quote) refuse(`--delimiter and --quote are both ${JSON.stringify(quote)}: choose two`);
  if (/[\r\n]/.test(nullText) || nullText.includes(quote) || (delimiter && nullText.includes(delimiter)))
    refuse(`--null ${JSON.stringify(nullText)} holds a delimiter, quote or line end: choose another text`);
  if (!Number.isInteger(maxRecordBytes) || maxRecordBytes < 1 || maxRecordBytes > LARGEST_MAX_RECORD)
    refuse(`--max-record is ${maxRecordBytes}: give a whole number of bytes from 1 to 1 GiB`);
  return {
    delimiter,
    quote,
    nullText,
    encoding: encodingName(options.encoding ?? "utf-8"),
    header: options.header ?? true,
    columns: options.columns ?? null,
    ignoreColumns: options.ignoreColumns ?? [],
    maxRecordBytes,
    stdin: options.stdin ?? null,
    granuleBytes: options.granuleBytes ?? null,
  };
}

function encodingName(label: string): string {
  try {
    return new TextDecoder(label).encoding;
  } catch {
    return refuse(
      `--encoding ${JSON.stringify(label)} is unknown: give utf8, utf-16le, latin1, windows-1252 or another label of the Encoding Standard`,
    );
  }
}

function checkCharacter(flag: string, text: string): void {
  if (text.length === 1 && text > "\0" && text <= "\x7f" && text !== "\n" && text !== "\r") return;
  refuse(`${flag} is ${JSON.stringify(text)}: give one ASCII character that is not a line end`);
}

function refuse(message: string): never {
  throw new PawlError("csv.option", `${message}.`);
}
