import { queryFrame } from "../../data/internal.ts";
import { PawlError } from "../../errors.ts";
import { parseCount } from "../options/parse.ts";
import type { IntoFlags } from "./load-frame.ts";
import { printJsonLines, printTable } from "./rows.ts";
import { type LimitFlags, withRunOptions } from "./run-options.ts";
import { type OutputFlags, writeTo } from "./write-to.ts";

/** The flags of `pawl query`, as the command line gives them. */
export interface QueryFlags extends LimitFlags, OutputFlags, IntoFlags {
  readonly to?: string;
  readonly rows?: string;
  readonly sheet?: string;
}

/** Rows that are printed where nothing else is said. */
const ROWS = 100;

/** `pawl query SQL`: prints the rows, writes them into a file, or loads them into a table. */
export async function query(sql: string, flags: QueryFlags): Promise<void> {
  const { to, rows, sheet, json = false } = flags;
  refuseTogether(flags);
  const most = rows === undefined ? (json ? Number.POSITIVE_INFINITY : ROWS) : parseCount(rows, "--rows", 0);
  await withRunOptions(flags, async (options) => {
    const frame = await queryFrame(sql, options, sheet);
    if (flags.table !== undefined) {
      const { loadFrame } = await import("./load-frame.ts");
      return await loadFrame(frame, sql, flags, options);
    }
    if (to !== undefined) return await writeTo(frame, to, flags, options);
    await (json ? printJsonLines : printTable)(frame, most, options);
  });
}

function refuseTogether({ to, rows, into, table, key, create }: QueryFlags): void {
  if (to !== undefined && table !== undefined)
    throw new PawlError("usage.query", "--to and --table are two results: give one of them.");
  if (table === undefined && (into !== undefined || key !== undefined || create !== undefined))
    throw new PawlError(
      "usage.query",
      "--into, --key and --create are for a load: name its table with --table.",
    );
  if (rows !== undefined && (to !== undefined || table !== undefined))
    throw new PawlError(
      "usage.query",
      "--rows says how many rows are printed, and none are: use LIMIT in the query.",
    );
}
