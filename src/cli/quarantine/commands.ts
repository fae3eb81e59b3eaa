import type { Command } from "commander";
import { examples, sameDatabaseOption } from "../options/shared.ts";
import { withStore } from "../with-store.ts";
import type { ExportFlags } from "./export.ts";
import type { QuarantineFlags } from "./list.ts";
import type { ReplayFlags } from "./replay.ts";

const RUN = "a run's id, the beginning of it, or last";

/** `pawl quarantine`: the items of a run that failed; `export` and `replay` put them right. */
export function quarantineCommands(pawl: Command): void {
  const quarantine = pawl
    .command("quarantine")
    .description("list the quarantined items of a run, export them, or replay them when they are fixed");
  const list = quarantine
    .command("list", { isDefault: true })
    .description("list the quarantined items of a run, with the reasons")
    .argument("<run>", RUN)
    .option("--by <what>", "reason: how many items failed for each reason, the most frequent first")
    .option("--json", "print one JSON object for each item");
  examples(
    quarantine,
    "pawl quarantine last",
    "pawl quarantine last --by reason",
    "pawl quarantine export last > fixed.csv",
    "pawl quarantine replay last --from fixed.csv",
  );
  list.action((reference: string, flags: QuarantineFlags) =>
    withStore(
      async (store, _, find) => {
        const { listQuarantine } = await import("./list.ts");
        await listQuarantine(await find(reference), flags, store);
      },
      { create: false },
    ),
  );

  const exporting = quarantine
    .command("export")
    .description("write the quarantined items to standard output, so that they can be fixed in a file")
    .argument("<run>", RUN)
    .option("--format <format>", "csv (the rows as they were) or jsonl; default: csv for the rows of a CSV");
  examples(exporting, "pawl quarantine export last > fixed.csv").action(
    (reference: string, flags: ExportFlags) =>
      withStore(
        async (store, _, find) => {
          const { exportQuarantine } = await import("./export.ts");
          await exportQuarantine(await find(reference), flags, store);
        },
        { create: false },
      ),
  );

  const replay = quarantine
    .command("replay")
    .description("run the quarantined items again, as they were or as you fixed them")
    .argument("<run>", RUN)
    .option("--from <file>", "a fixed file that quarantine export wrote as CSV")
    .option(
      "--restart",
      "give up the interrupted replay of the same items, and start again from the beginning",
    )
    .option("--json", "print one JSON object at the end and nothing else");
  examples(sameDatabaseOption(replay), "pawl quarantine replay last --from fixed.csv").action(
    (reference: string, flags: ReplayFlags) =>
      withStore(
        async (store, location, find) => {
          const { replay } = await import("./replay.ts");
          await replay(await find(reference), flags, store, location);
        },
        { create: false },
      ),
  );
}
