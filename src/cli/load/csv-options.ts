import type { CsvOptions, DateOrder } from "../../connect/csv/index.ts";
import { withoutDefaults } from "../../connect/csv/internal.ts";
import { PawlError } from "../../errors.ts";
import { parseCount, parseNames } from "../options/parse.ts";

/** The flags that say how a CSV is to be read, as the command line gives them. */
export interface CsvFlags {
  delimiter?: string;
  quote?: string;
  escape?: string;
  looseQuotes?: boolean;
  null?: string[];
  nullFor?: string[];
  trim?: boolean;
  dateOrder?: string;
  decimal?: string;
  thousands?: string;
  skipLines?: string;
  comment?: string;
  fillMissing?: boolean;
  ignoreExtra?: boolean;
  fileColumn?: string;
  lineColumn?: string;
  encoding?: string;
  header: boolean;
  columns?: string;
  maxRecord?: string;
}

/**
 * How the flags say that files are read: without what holds anyway and in one spelling, so that a load that says a default is the
 * same work as one that does not.
 */
export function csvOptions(flags: CsvFlags): CsvOptions {
  const { delimiter, quote, null: nulls, header, columns, skipLines } = flags;
  const options: { -readonly [Name in keyof CsvOptions]: CsvOptions[Name] | undefined } = {
    delimiter: delimiter === "\\t" ? "\t" : delimiter,
    quote: quote === "none" ? null : quote,
    nullValues: nulls,
    encoding: flags.encoding,
    header: header ? undefined : false,
    columns: columns === undefined ? undefined : parseNames(columns, "--columns"),
    escape: flags.escape,
    looseQuotes: flags.looseQuotes,
    nullValuesFor: flags.nullFor === undefined ? undefined : nullTexts(flags.nullFor),
    trim: flags.trim,
    dateOrder: flags.dateOrder as DateOrder | undefined,
    decimal: flags.decimal,
    thousands: flags.thousands,
    skipLines: skipLines === undefined ? undefined : parseCount(skipLines, "--skip-lines", 0),
    comment: flags.comment,
    fillMissing: flags.fillMissing,
    ignoreExtra: flags.ignoreExtra,
    fileColumn: flags.fileColumn,
    lineColumn: flags.lineColumn,
  };
  return withoutDefaults(
    Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)),
  );
}

/** One column may have several texts, so that the name may come again. */
function nullTexts(pairs: readonly string[]): Record<string, string[]> {
  const texts = new Map<string, string[]>();
  for (const pair of pairs) {
    const at = pair.indexOf("=");
    if (at < 1) throw new PawlError("usage.pair", `--null-for takes column=text, not "${pair}".`);
    const name = pair.slice(0, at).trim();
    texts.set(name, [...(texts.get(name) ?? []), pair.slice(at + 1)]);
  }
  return Object.fromEntries(texts);
}
