import type { Command } from "commander";
import { forOwnJob } from "../options/flag-names.ts";
import { examples, runOptions, sameDatabaseOption } from "../options/shared.ts";
import { collect } from "../options/usage.ts";
import { withStore } from "../with-store.ts";
import type { ResumeFlags, RunFlags } from "./run.ts";

const RUN = "a run's id, the beginning of it, or last";

/** The commands to begin, see and control runs. */
export function runCommands(pawl: Command): void {
  const run = pawl
    .command("run")
    .description("run the job that a module exports by default; run it again to resume")
    .argument("<module>", "such as job.ts")
    .option("--param <k=v>", "a parameter for the job", collect);
  examples(runOptions(run, "run"), "pawl run import-orders.ts --param since=2026-01-01").action(
    (file: string, flags: RunFlags) =>
      forOwnJob(() =>
        withStore(async (store, location) => {
          const { runJob } = await import("./run.ts");
          await runJob(file, flags, store, location);
        }),
      ),
  );

  const status = pawl
    .command("status")
    .description("show the newest runs, or everything about one of them")
    .argument("[run]", RUN)
    .option("--watch", "show it again every second until it ends")
    .option("--json", "print JSON");
  examples(status, "pawl status", "pawl status last --watch").action(
    (reference: string | undefined, flags: { watch?: boolean; json?: boolean }) =>
      withStore(
        async (store, _, find) => {
          const { listRuns, showRun } = await import("./status.ts");
          if (reference === undefined) await listRuns(flags.json ?? false, store);
          else await showRun(await find(reference), flags, store);
        },
        { create: false },
      ),
  );

  const attach = pawl
    .command("attach")
    .description("follow a run that another process works on")
    .argument("[run]", `${RUN}; default: the only one that is running`)
    .option("--json", "print JSON");
  examples(attach, "pawl attach").action((reference: string | undefined, flags: { json?: boolean }) =>
    withStore(
      async (store, _, find) => {
        const { attach, onlyRunning } = await import("./attach.ts");
        const run = reference === undefined ? await onlyRunning(store) : await find(reference);
        await attach(run, flags.json ?? false, store);
      },
      { create: false },
    ),
  );

  const pause = pawl
    .command("pause")
    .description("stop a run at its next checkpoints; pawl resume continues it")
    .argument("<run>", RUN)
    .option("--json", "print JSON");
  examples(pause, "pawl pause last").action((reference: string, flags: { json?: boolean }) =>
    withStore(
      async (store, location, find) => {
        const { control } = await import("./control.ts");
        await control("pause", await find(reference), flags.json ?? false, { store, location });
      },
      { create: false },
    ),
  );

  const resume = pawl
    .command("resume")
    .description("continue an interrupted run")
    .argument("<run>", RUN)
    .option("--detach", "continue in the background, also when this terminal closes")
    .option("--json", "print JSON");
  examples(sameDatabaseOption(resume), "pawl resume last").action((reference: string, flags: ResumeFlags) =>
    withStore(
      async (store, location, find) => {
        const { resume } = await import("./run.ts");
        await resume(await find(reference), flags, store, location);
      },
      { create: false },
    ),
  );
}
