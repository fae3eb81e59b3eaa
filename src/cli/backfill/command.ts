import type { Command } from "commander";
import { databaseOption, examples, runOptions, throttleOptions } from "../options/shared.ts";
import { collect, needed, once } from "../options/usage.ts";
import { withStore } from "../with-store.ts";
import type { BackfillFlags } from "./backfill.ts";

/** `pawl backfill`, with its options. */
export function backfillCommand(pawl: Command): void {
  const backfill = pawl
    .command("backfill")
    .description("change the rows of a PostgreSQL table in use, each exactly once; run it again to resume")
    .optionsGroup("The change:");
  needed(backfill, "--table <table>", "the table to change, with its schema where needed");
  databaseOption(
    backfill,
    "url",
    "postgres://… or env:NAME; default: the embedded PostgreSQL in .pawl/postgres",
  )
    .option("--set <col=expr>", "a column and its new value as SQL, such as token=gen_random_uuid()", collect)
    .option(
      "--transform <module>",
      "a module whose default export is called with each row, and returns what to change",
    )
    .option("--columns <a,b>", "the columns that the transform gets; default: all")
    .option("--where <condition>", "only the rows for which this is true, such as 'token IS NULL'", once)
    .option("--key <a,b>", "unique columns, in whose order the table is read; default: the primary key");
  throttleOptions(backfill)
    .option("--max-lag <time|size>", "wait while a replica is farther behind, such as 5s or 100MB")
    .option("--max-active <n>", "wait while more connections than this are at work")
    .option("--pause-query <sql>", "wait while this query gives true, a number, or a text (the reason)")
    .optionsGroup("The limits:")
    .option("--commit-time <time>", "how long a transaction should take; default: 200ms")
    .option("--lock-timeout <time>", "how long to wait for a row that is locked; default: 1s")
    .option("--statement-timeout <time>", "how long one statement may take; default: 10s")
    .option("--max-quarantined <n|n%>", "fail when more rows than this are quarantined; default: 1000")
    .option("--memory <size>", "memory that the process may use; default: 128MB")
    .option(
      "--concurrency <n>",
      "connections that change rows at once; default: one for each core, at most 4",
    )
    .option(
      "--at-least-once",
      "accept that rows may be changed again after a crash, where exactly once is not possible",
    );
  examples(
    runOptions(backfill, "backfill"),
    "pawl backfill --table users --set 'token=gen_random_uuid()'",
    "pawl backfill --url env:DATABASE_URL --table users --set 'name=lower(name)'",
  ).action((flags: BackfillFlags) =>
    withStore(async (store, location) => {
      const { backfill } = await import("./backfill.ts");
      await backfill(flags, store, location);
    }),
  );
}
