import type { Readable } from "node:stream";
import { PawlError } from "../../errors.ts";
import { bytes, type Size } from "../../sizes.ts";

/** In what order the numbers of a date stand: day, month, year; month, day, year; or year, month, day. */
export type DateOrder = "dmy" | "mdy" | "ymd";

/**
 * How CSV files are written and which of their columns count. Everything has a default that suits most files. Options that
 * contradict each other or have no meaning are refused by `csv()` with the PawlError `csv.option`.
 *
 * @example
 * ```ts
 * import { type CsvOptions, csv } from "pawl/connect/csv";
 *
 * const german: CsvOptions = { delimiter: ";", thousands: ".", dateOrder: "dmy", encoding: "latin1" };
 * const orders = csv("orders-*.csv", german);
 * ```
 */
export interface CsvOptions {
  /**
   * The ASCII character between values. A tab may also be written as a backslash and a `t`.
   * @default what `sep=` says in the first line, else whichever of `,` `;` tab `|` the first records agree on
   */
  readonly delimiter?: string;
  /** The ASCII character around values, doubled inside them; null where no character quotes, so that each is text. @default '"' */
  readonly quote?: string | null;
  /** One ASCII character, such as `\`: the quote, delimiter, line feed or escape that follows it is text. @default none */
  readonly escape?: string;
  /**
   * A quote opens a value only where the value begins, and closes it only before a delimiter or line end; any other
   * quote is text. Without it, such a quote is an error (`csv.stray-quote`). @default false
   */
  readonly looseQuotes?: boolean;
  /** An unquoted value equal to this, or to one of these, is null. @default "" */
  readonly nullValues?: string | readonly string[];
  /** Further null values of single columns: `{ amount: "N/A", paid: ["never", "?"] }`. @default none */
  readonly nullValuesFor?: Readonly<Record<string, string | readonly string[]>>;
  /** Blanks and tabs around unquoted values, and around quotes, do not count. @default false */
  readonly trim?: boolean;
  /** How many lines stand before the header, or before the first record where there is no header. @default 0 */
  readonly skipLines?: number;
  /** One ASCII character: a line that begins with it where a record could begin is left out. @default none */
  readonly comment?: string;
  /**
   * How to read dates such as `31.01.2026` or `1/31/26` for columns that are dates or timestamps in the target.
   * @default none: the target reads them as they are
   */
  readonly dateOrder?: DateOrder;
  /**
   * What stands before the decimals of numbers, such as `,`, for columns that are numbers in the target.
   * @default "," where a point stands between thousands, else "."
   */
  readonly decimal?: string;
  /**
   * What stands between groups of digits, such as `.` or a blank, for columns that are numbers in the target.
   * @default none
   */
  readonly thousands?: string;
  /** A record with too few values has null for the rest, instead of being refused (`csv.ragged`). @default false */
  readonly fillMissing?: boolean;
  /** Of a record with too many values those beyond the last column are dropped, instead of it being refused. @default false */
  readonly ignoreExtra?: boolean;
  /** The name of a further column that holds the file in which the row stands, as its path was given. @default none */
  readonly fileColumn?: string;
  /** The name of a further column that holds the line, from 1, on which the row begins. @default none */
  readonly lineColumn?: string;
  /**
   * A label of the WHATWG Encoding Standard, such as `latin1` or `utf-16le`; a byte order mark in the file wins over it.
   * @default "utf8"
   */
  readonly encoding?: string;
  /** Whether the first record holds the column names. @default true */
  readonly header?: boolean;
  /**
   * Column names: instead of the header's, or for a file without one; one for each field.
   * @default those of the header, or `column1`, `column2`, … without one
   */
  readonly columns?: readonly string[];
  /**
   * Columns of the file to leave out, such as those that a list of quarantined rows adds; an absent name is not an error.
   * @default []
   */
  readonly ignoreColumns?: readonly string[];
  /** The largest record, from one byte to 1 GiB; a larger one is an error (`csv.record-too-large`). @default "16MiB" */
  readonly maxRecordSize?: Size;
  /** The folder in which relative paths begin. @default process.cwd() */
  readonly cwd?: string;
  /** What the path `-` reads. @default process.stdin */
  readonly stdin?: Readable;
}

/** What the tests set, besides the options of `CsvOptions`. */
export interface InternalOptions extends CsvOptions {
  /** About how many bytes a block of the index of records covers. @default 64 KiB to 960 KiB, more from 6 GB on */
  readonly indexBlockBytes?: number;
}

/** How values are read, beyond what PostgreSQL's COPY understands. It is stored with each shard. */
export interface ReadingRules {
  /** The character itself, or the empty text. */
  readonly escape: string;
  readonly loose: boolean;
  readonly trim: boolean;
  readonly nulls: readonly string[];
  readonly nullsFor: readonly (readonly [column: string, texts: readonly string[]])[];
  readonly dateOrder: DateOrder | null;
  readonly decimal: string;
  readonly thousands: string;
  readonly fillMissing: boolean;
  readonly ignoreExtra: boolean;
  readonly fileColumn: string | null;
  readonly lineColumn: string | null;
}

/** Options with their defaults, checked. What the file itself must tell is null. */
export interface CheckedOptions {
  readonly delimiter: string | null;
  /** The character itself, or the empty text where there is none. */
  readonly quote: string;
  readonly comment: string;
  readonly skipLines: number;
  readonly reading: ReadingRules;
  readonly encoding: string;
  readonly header: boolean;
  readonly columns: readonly string[] | null;
  readonly ignoreColumns: readonly string[];
  readonly maxRecordBytes: number;
  readonly cwd: string;
  readonly stdin: Readable | null;
  readonly indexBlockBytes: number | null;
}

/** Offsets inside a record are 32-bit integers while it is scanned. */
const LARGEST_MAX_RECORD = 1024 * 1024 * 1024;

/** Checks the options. Errors: `csv.option`. */
export function checkedOptions(options: InternalOptions): CheckedOptions {
  const delimiter = options.delimiter === "\\t" ? "\t" : (options.delimiter ?? null);
  const quote = options.quote === null ? "" : (options.quote ?? '"');
  const { escape: escaping = "", comment = "" } = options;
  const special: [option: string, character: string][] = [];
  if (delimiter !== null) special.push(["delimiter", delimiter]);
  if (options.quote !== null) special.push(["quote", quote]);
  // A quote that escapes itself is doubled, which needs no option.
  if (options.escape !== undefined && (escaping === "" || escaping !== quote))
    special.push(["escape", escaping]);
  if (options.comment !== undefined) special.push(["comment", comment]);
  for (const [option, character] of special) checkCharacter(option, character);
  refuseSame(special);
  const reading = readingOf(options, delimiter, quote);
  const maxRecordBytes = bytes(options.maxRecordSize ?? "16MiB", "The maxRecordSize of csv");
  if (!Number.isInteger(maxRecordBytes) || maxRecordBytes < 1 || maxRecordBytes > LARGEST_MAX_RECORD)
    refuse(`\`maxRecordSize\` is ${maxRecordBytes}: give a size from 1 byte to 1 GiB`);
  const skipLines = options.skipLines ?? 0;
  if (!Number.isSafeInteger(skipLines) || skipLines < 0)
    refuse(`\`skipLines\` is ${skipLines}: give a whole number of lines`);
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
    cwd: options.cwd ?? process.cwd(),
    stdin: options.stdin ?? null,
    indexBlockBytes: options.indexBlockBytes ?? null,
  };
}

/**
 * The options without those that say what holds anyway, each in one spelling: files are read alike by options that are equal
 * then. Leaves out what changes nothing in the rows that are read (`maxRecordSize`) or is not an option of the file (`cwd`,
 * `stdin`). Errors: `csv.option`.
 */
export function withoutDefaults(options: CsvOptions): CsvOptions {
  const { delimiter, quote, comment, skipLines, reading, encoding, header, columns, ignoreColumns } =
    checkedOptions(options);
  const { escape: escaping, decimal, thousands, dateOrder, fileColumn, lineColumn } = reading;
  const [onlyNull] = reading.nulls;
  return {
    ...(delimiter === null ? {} : { delimiter }),
    ...(quote === '"' ? {} : { quote: quote || null }),
    ...(escaping === "" ? {} : { escape: escaping }),
    ...(reading.loose ? { looseQuotes: true } : {}),
    ...(reading.nulls.length > 1 ? { nullValues: [...reading.nulls].sort() } : {}),
    ...(reading.nulls.length === 1 && onlyNull ? { nullValues: onlyNull } : {}),
    ...(reading.nullsFor.length === 0
      ? {}
      : {
          nullValuesFor: Object.fromEntries(
            reading.nullsFor.map(([column, texts]) => [column, [...texts].sort()]),
          ),
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

function readingOf(options: CsvOptions, delimiter: string | null, quote: string): ReadingRules {
  const nulls = textsOf(options.nullValues ?? "");
  const nullsFor = Object.entries(options.nullValuesFor ?? {}).map(
    ([column, texts]) => [column, textsOf(texts)] as const,
  );
  for (const [option, text] of [
    ...nulls.map((each) => ["nullValues", each] as const),
    ...nullsFor.flatMap(([column, texts]) =>
      texts.map((each) => [`nullValuesFor: ${column}`, each] as const),
    ),
  ])
    if (/[\r\n]/.test(text) || (quote && text.includes(quote)) || (delimiter && text.includes(delimiter)))
      refuse(
        `\`${option}\` ${JSON.stringify(text)} holds a delimiter, quote or line end: choose another text`,
      );
  const { thousands = "", dateOrder = null, fileColumn = null, lineColumn = null } = options;
  // Where points stand between thousands, a comma stands before the decimals.
  const usual = thousands === "." ? "," : "";
  if (options.decimal !== undefined) checkSeparator("decimal", options.decimal);
  // A point before the decimals is what numbers have by default.
  const decimal = options.decimal === "." && usual === "" ? "" : (options.decimal ?? usual);
  if (options.thousands !== undefined) checkSeparator("thousands", thousands);
  if (thousands !== "" && thousands === (decimal || "."))
    refuse(`\`thousands\` and \`decimal\` are both ${JSON.stringify(thousands)}: choose two`);
  if (dateOrder !== null && !["dmy", "mdy", "ymd"].includes(dateOrder))
    refuse(`\`dateOrder\` is ${JSON.stringify(dateOrder)}: give dmy, mdy or ymd`);
  if (fileColumn?.trim() === "") refuse("`fileColumn` is empty: give the column a name");
  if (lineColumn?.trim() === "") refuse("`lineColumn` is empty: give the column a name");
  if (fileColumn !== null && fileColumn === lineColumn)
    refuse(`\`fileColumn\` and \`lineColumn\` are both ${JSON.stringify(fileColumn)}: choose two names`);
  if (options.looseQuotes && quote === "")
    refuse("`looseQuotes` has no effect with `quote: null`: leave one out");
  return {
    escape: options.escape === quote ? "" : (options.escape ?? ""),
    loose: options.looseQuotes ?? false,
    trim: options.trim ?? false,
    nulls,
    nullsFor,
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
  return texts.length === 0 ? refuse("`nullValues` has no text: leave it out, or give one") : texts;
}

function encodingName(label: string): string {
  try {
    return new TextDecoder(label).encoding;
  } catch {
    return refuse(
      `\`encoding\` ${JSON.stringify(label)} is unknown: give utf8, utf-16le, latin1, windows-1252 or another label of the Encoding Standard`,
    );
  }
}

function checkCharacter(option: string, text: string): void {
  if (text.length === 1 && text > "\0" && text <= "\x7f" && text !== "\n" && text !== "\r") return;
  refuse(`\`${option}\` is ${JSON.stringify(text)}: give one ASCII character that is not a line end`);
}

/** Blanks of every kind and the apostrophe occur as separators in numbers, a digit or a sign cannot. */
function checkSeparator(option: string, text: string): void {
  if ([...text].length === 1 && !/[0-9+\-eE\r\n"\0]/.test(text)) return;
  refuse(
    `\`${option}\` is ${JSON.stringify(text)}: give the one character that numbers hold there, such as , or .`,
  );
}

function refuseSame(characters: readonly (readonly [option: string, character: string])[]): void {
  for (const [index, [option, character]] of characters.entries())
    for (const [other, same] of characters.slice(0, index))
      if (character === same)
        refuse(`\`${other}\` and \`${option}\` are both ${JSON.stringify(character)}: choose two`);
}

function refuse(message: string): never {
  throw new PawlError("csv.option", `${message}.`);
}
