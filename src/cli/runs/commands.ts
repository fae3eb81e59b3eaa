import type { Command } from "commander";
import type { Place } from "../../batch/index.ts";
import type { RunRecord, Store } from "../../store/contract.ts";
import { withStore as withAnyStore } from "../with-store.ts";

/** The store holds no passwords. */
const INTO_AGAIN = "the URL of the load again, where it brought a password";

/** These commands look at what is there: a mistyped path must not become an empty store. */
const withStore: typeof withAnyStore = (body) => withAnyStore(body, { create: false });

/** The commands to see and steer runs with. */
export function runCommands(pawl: Command): void {
  pawl
    .command("status")
    .description("the newest runs, or all about one of them")
    .argument("[run]", "a run's id, the beginning of it, or last")
    .option("--watch", "show it again every second until it ends")
    .option("--json", "print JSON")
    .action((reference: string | undefined, flags: { watch?: boolean; json?: boolean }) =>
      withStore(async (store, _, find) => {
        const { listRuns, showRun } = await import("./status.ts");
        if (reference === undefined) await listRuns(flags.json ?? false, store);
        else await showRun(await find(reference), flags, store);
      }),
    );

  const aboutRun = <F extends { json?: boolean }>(
    name: string,
    description: string,
    body: (run: RunRecord, flags: F, store: Store, place: Place) => Promise<void>,
  ) =>
    pawl
      .command(name)
      .description(description)
      .argument("<run>", "a run's id, the beginning of it, or last")
      .option("--json", "print JSON")
      .action((reference: string, flags: F) =>
        withStore(async (store, place, find) => body(await find(reference), flags, store, place)),
      );

  pawl
    .command("attach")
    .description("follow a run that another process works on")
    .argument("[run]", "a run's id, the beginning of it, or last; default: the only one under way")
    .option("--json", "print JSON")
    .action((reference: string | undefined, flags: { json?: boolean }) =>
      withStore(async (store, _, find) => {
        const { attach, onlyRunning } = await import("./attach.ts");
        const run = reference === undefined ? await onlyRunning(store) : await find(reference);
        await attach(run, flags.json ?? false, store);
      }),
    );
  aboutRun("pause", "stop a run at its next checkpoints", async (run, flags, store, place) => {
    const { control } = await import("./control.ts");
    await control("pause", run, flags.json ?? false, { store, place });
  });
  aboutRun<{ json?: boolean; detach?: boolean; into?: string }>(
    "resume",
    "go on with an interrupted run",
    async (run, flags, store, place) => {
      const { resume } = await import("./run.ts");
      await resume(run, flags, store, place);
    },
  )
    .option("--detach", "go on in the background when this terminal closes")
    .option("--into <url>", INTO_AGAIN);
  aboutRun<{ json?: boolean; format?: string; by?: string }>(
    "failures",
    "the quarantined items of a run, with the reasons",
    async (run, flags, store) => {
      const { failures } = await import("../quarantine/list.ts");
      await failures(run, flags, store);
    },
  )
    .option("--format <format>", "table, csv (the rows as they were, to be mended) or jsonl", "table")
    .option("--by <what>", "reason: how many failed for which reason, the most frequent first");
  aboutRun<{ json?: boolean; from?: string; into?: string; restart?: boolean }>(
    "replay",
    "run the quarantined items again, as they were or mended",
    async (run, flags, store, place) => {
      const { replay } = await import("../quarantine/replay.ts");
      await replay(run, flags, store, place);
    },
  )
    .option("--from <file>", "a mended file in the form of failures --format csv")
    .option("--restart", "give up an interrupted replay of the same items and begin anew")
    .option("--into <url>", INTO_AGAIN);
}
