import type { Command } from "commander";
import { databaseOption, examples } from "../options/shared.ts";
import { collect } from "../options/usage.ts";
import type { ConvertFlags } from "./convert.ts";
import type { QueryFlags } from "./query.ts";
import type { ShowFlags } from "./show.ts";

const FILES =
  "*.csv, *.tsv, *.jsonl (each also .gz or .zst), *.parquet, *.xlsx; also s3://, az:// and https://";

/** `pawl query`, `pawl show` and `pawl convert`, with their options. */
export function queryCommands(pawl: Command): void {
  const query = pawl
    .command("query")
    .description("ask files of rows in SQL, however large they are, and print, write or load the answer")
    .argument("<sql>", `a SELECT, with files in quotes as its tables: ${FILES}`);
  output(query)
    .option(
      "--to <file>",
      "write the rows into this file, or folder with --partition-by, whose name tells its format",
    )
    .option("--rows <n>", "rows that are printed at most; default: 100, or all with --json")
    .option("--sheet <name>", "the sheet of Excel files in the query; default: the first");
  query
    .optionsGroup("Into a table:")
    .option("--table <table>", "load the rows into this table of PostgreSQL");
  databaseOption(query, "into", "postgres://… or env:NAME; default: an embedded PostgreSQL in .pawl/postgres")
    .option("--key <a,b>", "columns that identify a row; default: the primary key")
    .option("--create", "create the table, with types inferred from a sample")
    .option("--restart", "give up the interrupted load, and start again from the beginning");
  limits(query);
  examples(
    query,
    "pawl query 'select customer, sum(amount) from \"tx_*.csv\" group by customer'",
    "pawl query 'select * from \"logs/*.jsonl.gz\"' --to logs.parquet",
  ).action(async (sql: string, flags: QueryFlags) => {
    const { query: run } = await import("./query.ts");
    await run(sql, flags);
  });

  examples(
    limits(
      pawl
        .command("show")
        .description("show the columns and the first rows of files")
        .argument("<files>", FILES)
        .option("--rows <n>", "rows that are shown; default: 10")
        .option("--columns", "print the columns as a schema in TypeScript, and no rows")
        .option("--sheet <name>", "the sheet of an Excel file; default: the first")
        .option("--json", "print JSON lines"),
    ),
    "pawl show 'tx_*.csv'",
    "pawl show events.parquet --columns",
  ).action(async (files: string, flags: ShowFlags) => {
    const { show } = await import("./show.ts");
    await show(files, flags);
  });

  const convert = pawl
    .command("convert")
    .description("write files of rows in another format: CSV, JSON lines, Parquet, and from Excel")
    .argument("<from>", FILES)
    .argument("<to>", "a file whose name tells its format, or a folder with --partition-by");
  examples(
    limits(output(convert).option("--sheet <name>", "the sheet of an Excel file; default: the first")),
    "pawl convert 'tx_*.csv' tx.parquet",
    "pawl convert events.jsonl.gz events --format parquet --partition-by day",
  ).action(async (from: string, to: string, flags: ConvertFlags) => {
    const { convert: run } = await import("./convert.ts");
    await run(from, to, flags);
  });
}

function output(command: Command): Command {
  return command
    .optionsGroup("The result:")
    .option("--format <name>", "csv, jsonl or parquet, where the name of the file does not tell")
    .option("--overwrite", "replace a file that is there, once the new one is whole")
    .option(
      "--partition-by <columns>",
      "a folder for each value of these columns, such as year=2026",
      collect,
    )
    .option(
      "--compression <name>",
      "snappy, zstd, gzip, lz4 or none; default: snappy, and by the name of CSV and JSON lines",
    )
    .option("--delimiter <char>", "between the values of a CSV that is written; default: a comma")
    .option("--json", "print JSON lines, or with --to one JSON object at the end");
}

function limits(command: Command): Command {
  return command
    .optionsGroup("The limits:")
    .option("--memory <size>", "memory that the process may use; default: 1GB")
    .option(
      "--spill <folder>",
      "where what does not fit into memory is kept meanwhile; default: the system's temporary folder",
    );
}
