import { Command, InvalidArgumentError } from "commander";
import type { BackfillFlags } from "./backfill/backfill.ts";
import type { CopyFlags } from "./copy/copy.ts";
import type { VerifyFlags } from "./copy/verify.ts";
import type { LoadFlags } from "./load/load.ts";
import { refuseEmpty } from "./options/empty.ts";
import { runCommands } from "./runs/commands.ts";
import type { RunFlags } from "./runs/run.ts";
import { taskCommands } from "./tasks/commands.ts";
import { print, tell } from "./terminal/output.ts";
import { version } from "./version.ts";
import { withStore } from "./with-store.ts";
import type { WorkerFlags } from "./worker/worker.ts";

// What a command is made of is imported when it is given: a backfill should not hold what a load needs.

/** Of two conditions nobody can say whether both are meant or the last one; that one alone would change more rows. */
const once = (value: string, before: string | undefined) => {
  if (before === undefined) return value;
  throw new InvalidArgumentError("It is given twice: join the two with AND.");
};

const collect = (value: string, all: readonly string[] = []) => [...all, value];

/** Not by commander, which asks for what is required before it looks at what it does not know: `--tabel` means the table. */
function requireTable(command: Command): void {
  const table = command.options.find(({ long }) => long === "--table");
  if (table === undefined || command.getOptionValue("table") !== undefined) return;
  command.error(`error: required option '${table.flags}' not specified`);
}

/** What commander says about a wrong command line, as one sentence of ours. */
function usageSentence(text: string): string {
  const said = text
    .replace(/^error: /, "")
    .trim()
    .replace(/\.?\s*\n\(Did you mean (.*)\?\)$/, ", did you mean $1?")
    .replace(/\.$/, "");
  return `pawl: ${said}${said.endsWith("?") ? " " : "; "}pawl --help lists what there is.\n`;
}

const PROFILE = "a profile of ~/.aws/config, or for az:// of ~/.azure/config; default: the environment";

/** The command line of `pawl`: its commands with their options. */
export function program(): Command {
  const pawl = new Command("pawl")
    .description("Work that is too big for a loop: every item exactly once, in bounded memory.")
    .version(version())
    .configureOutput({
      writeOut: (text) => print(text.replace(/\n$/, "")),
      writeErr: (text) => tell(text.replace(/\n$/, "")),
      outputError: (text, write) => write(usageSentence(text)),
    })
    .exitOverride();

  pawl
    .command("load")
    .description("load CSV files into a PostgreSQL table, every row exactly once; given again, it resumes")
    .argument(
      "<file...>",
      "files, patterns such as 'in/*.csv', .gz, .zst or .zip, s3://bucket/key, https://host/path, or - for standard input",
    )
    .option("--table <table>", "the table to load into, with its schema if need be")
    .option("--into <url>", "postgres://… or env:NAME; default: an embedded PostgreSQL in .pawl/postgres")
    .option("--key <a,b>", "columns that identify a row; default: the primary key")
    .option(
      "--map <csv=col>",
      "a column of the file that has another name in the table; csv=- leaves it out",
      collect,
    )
    .option("--set <col=expr>", "a column computed by PostgreSQL, such as processed_at=now()", collect)
    .option(
      "--on-conflict <what>",
      "update, ignore or fail a row whose key is in the table; default: update (append, where --create makes a table without a key)",
    )
    .option("--append", "add every row, whatever its key; each once, however often the load is interrupted")
    .option(
      "--update-if <condition>",
      "change a row only if it holds, such as 'excluded.updated_at > customers.updated_at'",
      once,
    )
    .option("--delete-missing", "in the end, delete the rows of the table whose key is not in the files")
    .option(
      "--max-deletes <n|n%>",
      "how many that may be at most: more fail the load, and none is deleted; default: 10%",
    )
    .option(
      "--reset-sequence",
      "set the sequences of loaded columns to their greatest values, where they are behind",
    )
    .option("--create", "create the table, with types inferred from a sample")
    .option("--step <module>", "a module whose default export is called with each row")
    .option("--delimiter <c>", "default: what sep= says, or found out among , ; tab |")
    .option("--quote <c>", 'default: "; none takes every quote as text')
    .option(
      "--escape <c>",
      "what makes a quote, delimiter or line end after it a part of the value, such as '\\'",
    )
    .option("--loose-quotes", "take a quote that neither begins nor ends a value as text")
    .option(
      "--null <text>",
      "what stands for NULL when unquoted, given once or more; default: nothing",
      collect,
    )
    .option("--null-for <col=text>", "what also stands for NULL in one column, such as paid=never", collect)
    .option("--trim", "leave out blanks of every kind around values")
    .option("--date-order <dmy>", "dmy, mdy or ymd: how dates such as 31.01.2026 are meant")
    .option("--decimal <c>", "what stands before the decimals of numbers, such as ,")
    .option("--thousands <c>", "what stands between the thousands of numbers, such as .")
    .option("--skip-lines <n>", "lines before the header to leave out")
    .option("--comment <c>", "leave out lines that begin with it, such as '#'")
    .option("--fill-missing", "NULL for the values that a short row lacks, which is refused otherwise")
    .option("--ignore-extra", "drop the values that a long row has too many, which is refused otherwise")
    .option("--file-column <col>", "a column that gets the file which the row is from")
    .option("--line-column <col>", "a column that gets the line on which the row begins")
    .option("--encoding <name>", "default: utf8, or what a byte order mark says")
    .option("--no-header", "the first line is a row; name the columns with --columns")
    .option("--columns <a,b>", "names of the file's columns, in place of its header")
    .option("--max-record <size>", "the longest row to accept; default: 16MB")
    .option("--max-bad <n|n%>", "stop when more rows than this are quarantined; default: 1000")
    .option("--memory <size>", "memory the process may use; default: 256MB")
    .option("--concurrency <n>", "connections that load at once; default: one for each core, at most 4")
    .option("--unique", "promise that no key comes twice, which saves proving it")
    .option(
      "--at-least-once",
      "accept that rows may be written again after a crash, where nothing better can be had",
    )
    .option("--dry-run", "show what would be done, and change nothing")
    .option("--restart", "give up an interrupted load of the same files and begin anew")
    .option("--detach", "go on in the background when this terminal closes")
    .option("--json", "print one JSON object at the end and nothing else")
    .action((files: string[], flags: LoadFlags) =>
      withStore(async (store, place) => {
        const { load } = await import("./load/load.ts");
        await load(files, flags, store, place);
      }),
    );

  pawl
    .command("backfill")
    .description("change the rows of a PostgreSQL table in use, each exactly once; given again, it resumes")
    .option("--table <table>", "the table to change, with its schema if need be")
    .option("--url <url>", "postgres://… or env:NAME; default: the embedded PostgreSQL in .pawl/postgres")
    .option("--set <col=expr>", "a column and its new value as SQL, such as token=gen_random_uuid()", collect)
    .option("--where <condition>", "only rows that meet it, such as 'token IS NULL'", once)
    .option("--key <a,b>", "columns by whose order the table is gone through; default: the primary key")
    .option(
      "--step <module>",
      "a module whose default export is called with each row, and returns what to change",
    )
    .option("--columns <a,b>", "the columns that the step gets; default: all")
    .option("--commit-time <time>", "how long a transaction should take; default: 200ms")
    .option("--lock-timeout <time>", "how long to wait for a row that is locked; default: 1s")
    .option("--statement-timeout <time>", "how long one statement may take; default: 10s")
    .option("--window <from-to>", "work only between these times of day, such as 22:00-06:00", collect)
    .option("--max-lag <time|size>", "wait while a replica is farther behind, such as 5s or 100MB")
    .option("--max-active <n>", "wait while more connections than this are at work")
    .option("--max-load <n>", "wait while the load of this machine is above this")
    .option("--pause-query <sql>", "wait while this query gives true, a number, or a text (the reason)")
    .option("--pause-file <file>", "wait while this file is there")
    .option("--max-bad <n|n%>", "stop when more rows than this have failed; default: 1000")
    .option("--memory <size>", "memory the process may use; default: 128MB")
    .option(
      "--concurrency <n>",
      "connections that change rows at once; default: one for each core, at most 4",
    )
    .option(
      "--at-least-once",
      "accept that rows may be changed again after a crash, where nothing better can be had",
    )
    .option("--dry-run", "show the plan and what one chunk would do, and change nothing")
    .option("--restart", "give up an interrupted backfill of the same kind and begin anew")
    .option("--detach", "go on in the background when this terminal closes")
    .option("--json", "print one JSON object at the end and nothing else")
    .action((flags: BackfillFlags) =>
      withStore(async (store, place) => {
        const { backfill } = await import("./backfill/backfill.ts");
        await backfill(flags, store, place);
      }),
    );

  pawl
    .command("copy")
    .description("copy objects between folders and buckets, each once; given again, it resumes")
    .argument(
      "<from>",
      "a folder, s3://bucket/prefix, az://account/container/prefix, or manifest:urls.csv with the columns url and name",
    )
    .argument("<to>", "a folder, s3://bucket/prefix or az://account/container/prefix")
    .option("--from-profile <name>", PROFILE)
    .option("--to-profile <name>", PROFILE)
    .option("--include <pattern>", "only objects such as '*.jpg' or '2024/**'", collect)
    .option("--exclude <pattern>", "no objects such as '*.tmp'", collect)
    .option("--newer <time>", "only objects changed after it, such as 2026-01-31 or 24h")
    .option("--concurrency <n>", "objects under way at once; default: as many as get more done")
    .option("--rate <n>", "objects a second at most")
    .option("--bandwidth <size>", "bytes a second at most, such as 10MB")
    .option("--window <from-to>", "work only between these times of day, such as 22:00-06:00", collect)
    .option("--max-load <n>", "wait while the load of this machine is above this")
    .option("--pause-file <file>", "wait while this file is there")
    .option("--transform <module>", "a module whose default export gets the bytes and returns those to write")
    .option("--transform-timeout <time>", "how long that may take for one object; default: 60s")
    .option("--move", "remove each object from the source once its copy is safe")
    .option("--max-bad <n|n%>", "stop when more objects than this have failed; default: 1000")
    .option("--memory <size>", "memory the process may use; default: 256MB")
    .option("--dry-run", "show what would be copied, and change nothing")
    .option("--restart", "give up an interrupted copy of the same kind and begin anew")
    .option("--detach", "go on in the background when this terminal closes")
    .option("--json", "print one JSON object at the end and nothing else")
    .action((from: string, to: string, flags: CopyFlags) =>
      withStore(async (store, place) => {
        const { copyObjects } = await import("./copy/copy.ts");
        await copyObjects(from, to, flags, store, place);
      }),
    );

  pawl
    .command("verify")
    .description("compare two folders or buckets, object by object, and print what differs")
    .argument("<from>", "a folder, s3://bucket/prefix or az://account/container/prefix")
    .argument("<to>", "a folder, s3://bucket/prefix or az://account/container/prefix")
    .option("--from-profile <name>", PROFILE)
    .option("--to-profile <name>", PROFILE)
    .option("--include <pattern>", "only objects such as '*.jpg' or '2024/**'", collect)
    .option("--exclude <pattern>", "no objects such as '*.tmp'", collect)
    .option("--json", "print a JSON object for each difference, and one at the end")
    .action(async (from: string, to: string, flags: VerifyFlags) => {
      const { verifyObjects } = await import("./copy/verify.ts");
      await verifyObjects(from, to, flags);
    });

  pawl
    .command("run")
    .description("run the job that a module exports by default; given again, it resumes")
    .argument("<module>", "such as job.ts")
    .option("--param <k=v>", "a parameter for the job", collect)
    .option("--dry-run", "show what would be done, and change nothing")
    .option("--restart", "give up an interrupted run of the same job and begin anew")
    .option("--detach", "go on in the background when this terminal closes")
    .option("--json", "print one JSON object at the end and nothing else")
    .action((file: string, flags: RunFlags) =>
      withStore(async (store, place) => {
        const { runJob } = await import("./runs/run.ts");
        await runJob(file, flags, store, place);
      }),
    );

  runCommands(pawl);

  pawl
    .command("worker")
    .description(
      "run the tasks that modules define, and help with runs of their jobs, until SIGTERM or Ctrl-C",
    )
    .argument("<module...>", "modules that call task(), or export a job, such as reports.ts")
    .option(
      "--queues <a:n,b:m>",
      "queues and how many tasks of each run at once; default: those of the tasks",
    )
    .option("--prefetch <n>", "tasks claimed ahead for each queue, for many small ones; default: 0")
    .option("--max-memory <size>", "replace a child that uses more, between two tasks")
    .option("--max-tasks <n>", "replace a child after so many tasks")
    .option("--drain <time>", "how long running tasks may go on when it is stopped", "30s")
    .option("--lease <time>", "how long a claim is good for without renewal; default: 15s")
    .option("--store <where>", "a file, postgres://… or env:NAME; default: PAWL_STORE, or .pawl/store.db")
    .action(async (modules: string[], flags: WorkerFlags) => {
      const { worker } = await import("./worker/worker.ts");
      await worker(modules, flags);
    });

  taskCommands(pawl);

  pawl
    .command("sql")
    .description("run one statement, in the embedded PostgreSQL unless --into says where")
    .argument("<statement>")
    .option("--into <url>", "postgres://… or env:NAME")
    .option("--json", "print rows as JSON")
    .action(async (statement: string, flags: { into?: string; json?: boolean }) => {
      const { sql } = await import("./postgres.ts");
      await sql(statement, flags);
    });

  pawl
    .command("postgres")
    .description("start or stop the embedded PostgreSQL of this folder, or print its URL")
    .argument("<what>", "start, stop or url")
    .action(async (what: string) => {
      const { postgresServer } = await import("./postgres.ts");
      await postgresServer(what);
    });

  pawl.hook("preAction", (_, command) => {
    requireTable(command);
    refuseEmpty(command);
  });
  for (const command of pawl.commands) command.exitOverride();
  return pawl;
}
