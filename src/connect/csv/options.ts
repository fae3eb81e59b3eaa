import type { Readable } from "node:stream";
import { PawlError } from "../../errors.ts";

/** In what order the numbers of a date stand. */
export type DateOrder = "dmy" | "mdy" | "ymd";

/** How a CSV is written and which of its columns count. Everything has a default that suits most files. */
export interface CsvOptions {
  /** One ASCII character, or `\t`. Default: what `sep=` says in the first line, else whichever of `,` `;` tab `|` the first records agree on. */
  readonly delimiter?: string;
  /** One ASCII character, doubled inside quotes; null where no character quotes, so that each is text. @default '"' */
  readonly quote?: string | null;
  /** One ASCII character, such as `\`: the quote, delimiter, line feed or escape that follows it is text. Default: none. */
  readonly escape?: string;
  /**
   * A quote opens a value only where the value begins, and closes it only before a delimiter or line end; any other
   * quote is text. Without it, such a quote is an error (`csv.stray-quote`). @default false
   */
  readonly looseQuotes?: boolean;
  /** An unquoted value equal to this, or to one of these, is null. Default: the empty text. */
  readonly nullText?: string | readonly string[];
  /** Further null texts of single columns: `{ amount: "N/A", paid: ["never", "?"] }`. */
  readonly nullFor?: Readonly<Record<string, string | readonly string[]>>;
  /** Blanks and tabs around unquoted values, and around quotes, do not count. @default false */
  readonly trim?: boolean;
  /** How many lines stand before the header, or before the first record where there is none. @default 0 */
  readonly skipLines?: number;
  /** One ASCII character: a line that begins with it where a record could begin is left out. Default: none. */
  readonly comment?: string;
  /** How to read dates such as `31.01.2026` or `1/31/26` for columns that are dates or timestamps in the target. */
  readonly dateOrder?: DateOrder;
  /**
   * What stands before the decimals of numbers, such as `,`, for columns that are numbers in the target.
   * @default "," where a point stands between thousands, else "."
   */
  readonly decimal?: string;
  /** What stands between groups of digits, such as `.` or a blank, for columns that are numbers in the target. */
  readonly thousands?: string;
  /** A record with too few values has null for the rest, instead of being refused. @default false */
  readonly fillMissing?: boolean;
  /** Of a record with too many values those beyond the last column are dropped, instead of it being refused. @default false */
  readonly ignoreExtra?: boolean;
  /** A further column of this name holds the file that the row stands in, as its path was given. */
  readonly fileColumn?: string;
  /** A further column of this name holds the line, from 1, on which the row begins. */
  readonly lineColumn?: string;
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
  /** Where relative paths begin, as messages name them. Default: the working directory. */
  readonly folder?: string;
  /** What `-` reads. Default `process.stdin`. */
  readonly stdin?: Readable;
  /** About how many bytes one entry of the scan's table covers. Default: 64 KiB to 960 KiB, larger from 6 GB on. */
  readonly granuleBytes?: number;
}

/** What a reader of CSV has to know that PostgreSQL's COPY does not understand. It is stored with each shard. */
export interface Reading {
  /** The character itself, or the empty text. */
  readonly escape: string;
  readonly loose: boolean;
  readonly trim: boolean;
  readonly nulls: readonly string[];
  readonly nullFor: readonly (readonly [column: string, texts: readonly string[]])[];
  readonly dateOrder: DateOrder | null;
  readonly decimal: string;
  readonly thousands: string;
  readonly fillMissing: boolean;
  readonly ignoreExtra: boolean;
  readonly fileColumn: string | null;
  readonly lineColumn: string | null;
}

/** Options with their defaults, checked. What the file itself must tell is null. */
export interface Settings {
  readonly delimiter: string | null;
  /** The character itself, or the empty text where there is none. */
  readonly quote: string;
  readonly comment: string;
  readonly skipLines: number;
  readonly reading: Reading;
  readonly encoding: string;
  readonly header: boolean;
  readonly columns: readonly string[] | null;
  readonly ignoreColumns: readonly string[];
  readonly maxRecordBytes: number;
  readonly folder: string;
  readonly stdin: Readable | null;
  readonly granuleBytes: number | null;
}

const DEFAULT_MAX_RECORD = 16 * 1024 * 1024;
/** Offsets inside a record are 32-bit integers while it is scanned. */
const LARGEST_MAX_RECORD = 1024 * 1024 * 1024;

/** Checks the options. Errors: `csv.option`. */
export function settle(options: CsvOptions): Settings {
  const delimiter = options.delimiter === "\\t" ? "\t" : (options.delimiter ?? null);
  const quote = options.quote === null ? "" : (options.quote ?? '"');
  const { escape: escaping = "", comment = "" } = options;
  const special: [flag: string, character: string][] = [];
  if (delimiter !== null) special.push(["--delimiter", delimiter]);
  if (options.quote !== null) special.push(["--quote", quote]);
  // A quote that escapes itself is doubled, which needs no option.
  if (options.escape !== undefined && (escaping === "" || escaping !== quote))
    special.push(["--escape", escaping]);
  if (options.comment !== undefined) special.push(["--comment", comment]);
  for (const [flag, character] of special) checkCharacter(flag, character);
  refuseSame(special);
  const reading = readingOf(options, delimiter, quote);
  const maxRecordBytes = options.maxRecordBytes ?? DEFAULT_MAX_RECORD;
  if (!Number.isInteger(maxRecordBytes) || maxRecordBytes < 1 || maxRecordBytes > LARGEST_MAX_RECORD)
    refuse(`--max-record is ${maxRecordBytes}: give a whole number of bytes from 1 to 1 GiB`);
  const skipLines = options.skipLines ?? 0;
  if (!Number.isSafeInteger(skipLines) || skipLines < 0)
    refuse(`--skip-lines is ${skipLines}: give a whole number of lines`);
  return {
    delimiter,
    quote,
    comment,
    skipLines,
    reading,
    encoding: encodingName(options.encoding ?? "utf-8"),
    header: options.header ?? true,
    columns: options.columns ?? null,
    ignoreColumns: options.ignoreColumns ?? [],
    maxRecordBytes,
    folder: options.folder ?? process.cwd(),
    stdin: options.stdin ?? null,
    granuleBytes: options.granuleBytes ?? null,
  };
}

/**
 * The options without those that say what holds anyway, each in one spelling: files are read alike by options that are equal
 * then. Leaves out what changes nothing in the rows that are read (`maxRecordBytes`) or is no option of the file (`folder`,
 * `stdin`, `granuleBytes`). Errors: `csv.option`.
 */
export function withoutDefaults(options: CsvOptions): CsvOptions {
  const { delimiter, quote, comment, skipLines, reading, encoding, header, columns, ignoreColumns } =
    settle(options);
  const { escape: escaping, decimal, thousands, dateOrder, fileColumn, lineColumn } = reading;
  const [onlyNull] = reading.nulls;
  return {
    ...(delimiter === null ? {} : { delimiter }),
    ...(quote === '"' ? {} : { quote: quote || null }),
    ...(escaping === "" ? {} : { escape: escaping }),
    ...(reading.loose ? { looseQuotes: true } : {}),
    ...(reading.nulls.length > 1 ? { nullText: [...reading.nulls].sort() } : {}),
    ...(reading.nulls.length === 1 && onlyNull ? { nullText: onlyNull } : {}),
    ...(reading.nullFor.length === 0
      ? {}
      : {
          nullFor: Object.fromEntries(reading.nullFor.map(([column, texts]) => [column, [...texts].sort()])),
        }),
    ...(reading.trim ? { trim: true } : {}),
    ...(dateOrder === null ? {} : { dateOrder }),
    ...(decimal === (thousands === "." ? "," : "") ? {} : { decimal }),
    ...(thousands === "" ? {} : { thousands }),
    ...(skipLines === 0 ? {} : { skipLines }),
    ...(comment === "" ? {} : { comment }),
    ...(reading.fillMissing ? { fillMissing: true } : {}),
    ...(reading.ignoreExtra ? { ignoreExtra: true } : {}),
    ...(fileColumn === null ? {} : { fileColumn }),
    ...(lineColumn === null ? {} : { lineColumn }),
    ...(encoding === "utf-8" ? {} : { encoding }),
    ...(header ? {} : { header }),
    ...(columns === null ? {} : { columns }),
    ...(ignoreColumns.length === 0 ? {} : { ignoreColumns }),
  };
}

function readingOf(options: CsvOptions, delimiter: string | null, quote: string): Reading {
  const nulls = textsOf(options.nullText ?? "");
  const nullFor = Object.entries(options.nullFor ?? {}).map(
    ([column, texts]) => [column, textsOf(texts)] as const,
  );
  for (const [flag, text] of [
    ...nulls.map((each) => ["--null", each] as const),
    ...nullFor.flatMap(([column, texts]) => texts.map((each) => [`--null-for ${column}`, each] as const)),
  ])
    if (/[\r\n]/.test(text) || (quote && text.includes(quote)) || (delimiter && text.includes(delimiter)))
      refuse(`${flag} ${JSON.stringify(text)} holds a delimiter, quote or line end: choose another text`);
  const { thousands = "", dateOrder = null, fileColumn = null, lineColumn = null } = options;
  // Who writes points between thousands writes a comma before the decimals.
  const usual = thousands === "." ? "," : "";
  if (options.decimal !== undefined) checkSeparator("--decimal", options.decimal);
  // A point is what numbers have without a word.
  const decimal = options.decimal === "." && usual === "" ? "" : (options.decimal ?? usual);
  if (options.thousands !== undefined) checkSeparator("--thousands", thousands);
  if (thousands !== "" && thousands === (decimal || "."))
    refuse(`--thousands and --decimal are both ${JSON.stringify(thousands)}: choose two`);
  if (dateOrder !== null && !["dmy", "mdy", "ymd"].includes(dateOrder))
    refuse(`--date-order is ${JSON.stringify(dateOrder)}: give dmy, mdy or ymd`);
  if (fileColumn?.trim() === "") refuse("--file-column is empty: give the column a name");
  if (lineColumn?.trim() === "") refuse("--line-column is empty: give the column a name");
  if (fileColumn !== null && fileColumn === lineColumn)
    refuse(`--file-column and --line-column are both ${JSON.stringify(fileColumn)}: choose two names`);
  if (options.looseQuotes && quote === "")
    refuse("--loose-quotes says nothing where --quote is none: leave one out");
  return {
    escape: options.escape === quote ? "" : (options.escape ?? ""),
    loose: options.looseQuotes ?? false,
    trim: options.trim ?? false,
    nulls,
    nullFor,
    dateOrder,
    decimal,
    thousands,
    fillMissing: options.fillMissing ?? false,
    ignoreExtra: options.ignoreExtra ?? false,
    fileColumn,
    lineColumn,
  };
}

function textsOf(given: string | readonly string[]): readonly string[] {
  const texts = typeof given === "string" ? [given] : [...new Set(given)];
  return texts.length === 0 ? refuse("--null has no text: leave it out, or give one") : texts;
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

/** Blanks of every kind and the apostrophe occur in numbers, a digit or a sign cannot. */
function checkSeparator(flag: string, text: string): void {
  if ([...text].length === 1 && !/[0-9+\-eE\r\n"\0]/.test(text)) return;
  refuse(
    `${flag} is ${JSON.stringify(text)}: give the one character that numbers hold there, such as , or .`,
  );
}

function refuseSame(characters: readonly (readonly [flag: string, character: string])[]): void {
  for (const [index, [flag, character]] of characters.entries())
    for (const [other, same] of characters.slice(0, index))
      if (character === same)
        refuse(`${other} and ${flag} are both ${JSON.stringify(character)}: choose two`);
}

function refuse(message: string): never {
  throw new PawlError("csv.option", `${message}.`);
}
