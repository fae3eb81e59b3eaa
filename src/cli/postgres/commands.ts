import type { Command } from "commander";
import { databaseOption, examples } from "../options/shared.ts";
import type { SqlFlags } from "./sql.ts";

/** `pawl postgres` and `pawl sql`. */
export function postgresCommands(pawl: Command): void {
  const postgres = pawl
    .command("postgres")
    .description("start or stop the embedded PostgreSQL of this folder, or print its URL")
    .argument("<what>", "start, stop or url");
  examples(postgres, "pawl postgres start", 'psql "$(pawl postgres url)"').action(async (what: string) => {
    const { postgresServer } = await import("./server.ts");
    await postgresServer(what);
  });

  const sql = pawl.command("sql").description("run one statement and print its rows").argument("<statement>");
  databaseOption(sql, "url", "postgres://… or env:NAME; default: the embedded PostgreSQL in .pawl/postgres");
  examples(
    sql.option("--json", "print the rows as JSON"),
    "pawl sql 'SELECT count(*) FROM customers'",
  ).action(async (statement: string, flags: SqlFlags) => {
    const { sql } = await import("./sql.ts");
    await sql(statement, flags);
  });
}
