import { openItems } from "../../batch/internal.ts";
import { writeField } from "../../connect/csv/internal.ts";
import { PawlError } from "../../errors.ts";
import type { RunRecord, Store } from "../../store/contract.ts";
import { reasonWithFlags } from "../options/flag-names.ts";
import { writeData } from "../terminal/output.ts";
import { NUMBER_COLUMN, REASON_COLUMN } from "./fixed-file.ts";
import { printItems } from "./list.ts";
import { originOf } from "./origin.ts";

/** The flags of `pawl quarantine export`. */
export interface ExportFlags {
  readonly format?: string;
}

/** `pawl quarantine export RUN`: the items as data; rows of a CSV as a CSV, which can be fixed and replayed. */
export async function exportQuarantine(named: RunRecord, flags: ExportFlags, store: Store): Promise<void> {
  // An export is fixed and replayed, so for a replay it gives the rows of the run that was replayed.
  const run = await originOf(named, store);
  const { dialect } = run.details as { dialect?: Dialect | null };
  switch (flags.format ?? (dialect ? "csv" : "jsonl")) {
    case "jsonl":
      await printItems(run, store);
      return;
    case "csv":
      if (dialect) {
        await writeCsv(run, dialect, store);
        return;
      }
      throw new PawlError(
        "quarantine.not-csv",
        `The items of run ${run.id} are not rows of a CSV: use --format jsonl.`,
      );
    default:
      throw new PawlError("usage.format", `--format is csv or jsonl, not "${flags.format}".`);
  }
}

interface Dialect {
  readonly delimiter: string;
  readonly quote: string;
  readonly escape?: string;
  readonly columns: readonly string[];
}

/** The rows as they were, byte for byte, behind two columns that say which row it is and what was wrong. */
async function writeCsv(run: RunRecord, dialect: Dialect, store: Store): Promise<void> {
  const { delimiter } = dialect;
  const field = (text: string) => writeField(text, dialect);
  await writeData(`${[NUMBER_COLUMN, REASON_COLUMN, ...dialect.columns].map(field).join(delimiter)}\n`);
  for await (const item of openItems(store, run.id)) {
    await writeData(`${item.number}${delimiter}${field(reasonWithFlags(run.job, item))}${delimiter}`);
    await writeData(item.raw);
    if (!(await writeData("\n"))) return;
  }
}
