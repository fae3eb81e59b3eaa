import { filesFrame, schemaText } from "../../data/internal.ts";
import { parseCount } from "../options/parse.ts";
import { write } from "../terminal/output.ts";
import { printJsonLines, printTable } from "./rows.ts";
import { type LimitFlags, withRunOptions } from "./run-options.ts";

/** The flags of `pawl show`, as the command line gives them. */
export interface ShowFlags extends LimitFlags {
  readonly rows?: string;
  readonly columns?: boolean;
  readonly sheet?: string;
  readonly json?: boolean;
}

const ROWS = 10;

/** `pawl show FILES`: the columns with their types, and the first rows. */
export async function show(files: string, flags: ShowFlags): Promise<void> {
  const { rows, columns = false, sheet, json = false } = flags;
  const most = rows === undefined ? ROWS : parseCount(rows, "--rows", 0);
  await withRunOptions(flags, async (options) => {
    const frame = await filesFrame(files, options, sheet);
    if (columns) {
      await write(`${schemaText(frame.fields)}\n`);
      return;
    }
    await (json ? printJsonLines : printTable)(frame.limit(most), most, options);
  });
}
