import type { Command } from "commander";
import { databaseOption, examples, runOptions } from "../options/shared.ts";
import { collect, needed, once } from "../options/usage.ts";
import { withStore } from "../with-store.ts";
import type { LoadFlags } from "./load.ts";

/** `pawl load`, with its options. */
export function loadCommand(pawl: Command): void {
  const load = pawl
    .command("load")
    .description("load files of rows into a PostgreSQL table, every row exactly once; run it again to resume")
    .argument(
      "<file...>",
      "CSV files, patterns such as 'in/*.csv', .gz, .zst or .zip, s3://bucket/key, https://host/path, or - for standard input; also *.parquet, *.jsonl and *.xlsx",
    )
    .optionsGroup("The table:");
  needed(load, "--table <table>", "the table to load into, with its schema where needed");
  databaseOption(load, "into", "postgres://… or env:NAME; default: an embedded PostgreSQL in .pawl/postgres")
    .option("--key <a,b>", "columns that identify a row; default: the primary key")
    .option(
      "--map <csv=col>",
      "a column of the file that has another name in the table; csv=- leaves it out",
      collect,
    )
    .option("--set <col=expr>", "a column computed by PostgreSQL, such as processed_at=now()", collect)
    .option("--transform <module>", "a module whose default export is called with each row")
    .option(
      "--on-conflict <what>",
      "what happens to a row whose key is in the table: update, ignore or fail; default: update (append, where --create makes a table without a key)",
    )
    .option("--append", "add every row, whatever its key; each once, however often the load is interrupted")
    .option(
      "--update-if <condition>",
      "change a row only where this is true, such as 'excluded.updated_at > customers.updated_at'",
      once,
    )
    .option("--delete-missing", "at the end, delete the rows of the table whose key is not in the files")
    .option(
      "--max-deletes <n|n%>",
      "how many rows --delete-missing may delete: with more, the load fails and deletes none; default: 10%",
    )
    .option(
      "--reset-sequence",
      "set the sequences of loaded columns to their greatest values, where they are behind",
    )
    .option("--create", "create the table, with types inferred from a sample")
    .option("--unique", "promise that no key is in the files twice, which saves the check")
    .optionsGroup("The files:")
    .option("--sheet <name>", "the sheet of an Excel file; default: the first")
    .option(
      "--delimiter <c>",
      "the character between values; default: what a sep= line says, or detected among , ; tab |",
    )
    .option("--quote <c>", 'the character around values; default: "; none takes every quote as text')
    .option(
      "--escape <c>",
      "the character that makes a quote, delimiter or line end after it a part of the value, such as '\\'",
    )
    .option("--loose-quotes", "take a quote that neither begins nor ends a value as text")
    .option(
      "--null <text>",
      "an unquoted text that means NULL, given once or more; default: the empty text",
      collect,
    )
    .option("--null-for <col=text>", "a text that also means NULL in one column, such as paid=never", collect)
    .option("--trim", "remove white space of every kind around values")
    .option("--date-order <dmy>", "dmy, mdy or ymd: how to read dates such as 31.01.2026")
    .option("--decimal <c>", "the character before the decimals of numbers, such as ,")
    .option("--thousands <c>", "the character between the thousands of numbers, such as .")
    .option("--skip-lines <n>", "how many lines before the header to leave out")
    .option("--comment <c>", "leave out lines that begin with this character, such as '#'")
    .option("--fill-missing", "NULL for the values that a short row lacks; default: quarantine the row")
    .option("--ignore-extra", "drop the values that a long row has too many; default: quarantine the row")
    .option("--file-column <col>", "a column that gets the file which the row is from")
    .option("--line-column <col>", "a column that gets the line on which the row begins")
    .option("--encoding <name>", "the encoding of the files; default: utf8, or what a byte order mark says")
    .option("--no-header", "the first line is a row; name the columns with --columns")
    .option("--columns <a,b>", "names of the file's columns, in place of its header")
    .option("--max-record <size>", "the longest row to accept; default: 16MB")
    .optionsGroup("The limits:")
    .option("--max-quarantined <n|n%>", "fail when more rows than this are quarantined; default: 1000")
    .option("--memory <size>", "memory that the process may use; default: 256MB")
    .option("--concurrency <n>", "connections that load at once; default: one for each core, at most 4")
    .option(
      "--at-least-once",
      "accept that rows may be written again after a crash, where exactly once is not possible",
    );
  examples(
    runOptions(load, "load"),
    "pawl load customers.csv --table customers --create",
    "pawl load 'in/*.csv.gz' --into env:DATABASE_URL --table people --key email",
  ).action((files: string[], flags: LoadFlags) =>
    withStore(async (store, location) => {
      const { load } = await import("./load.ts");
      await load(files, flags, store, location);
    }),
  );
}
