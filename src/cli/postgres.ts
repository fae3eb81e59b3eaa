import { statePlace } from "../batch/index.ts";
import { embeddedUrl, runSql, startEmbedded, stopEmbedded } from "../connect/postgres/index.ts";
import { PawlError } from "../errors.ts";
import { own } from "../own.ts";
import { resolveTarget } from "./target.ts";

/** `pawl postgres start|stop|url`: the embedded server of this folder. */
export async function postgresServer(what: string): Promise<void> {
  const { postgres } = statePlace();
  switch (what) {
    case "start":
      process.stdout.write(`${(await startEmbedded(postgres)).url}\n`);
      return;
    case "stop":
      await stopEmbedded(postgres);
      return;
    case "url":
      process.stdout.write(`${await embeddedUrl(postgres)}\n`);
      return;
    default:
      throw new PawlError("usage.postgres", `pawl postgres takes start, stop or url, not "${what}".`);
  }
}

/** `pawl sql STATEMENT`: prints the rows of one statement. */
export async function sql(statement: string, flags: { into?: string; json?: boolean }): Promise<void> {
  const { url } = await resolveTarget(flags.into, statePlace());
  const { columns, rows } = await runSql(url, statement);
  if (flags.json) {
    process.stdout.write(`${JSON.stringify(rows)}\n`);
    return;
  }
  if (columns.length === 0) return;
  const cells = rows.map((row) => columns.map((column) => textOf(own(row, column))));
  const widths = columns.map((column, at) =>
    Math.max(column.length, ...cells.map((line) => line[at]?.length ?? 0)),
  );
  const line = (values: readonly string[]) =>
    values
      .map((value, at) => value.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd();
  const text = [line(columns), widths.map((width) => "-".repeat(width)).join("  "), ...cells.map(line)].join(
    "\n",
  );
  process.stdout.write(`${text}\n`);
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (value instanceof Date) return value.toISOString();
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return text.replaceAll("\n", "\\n");
}
