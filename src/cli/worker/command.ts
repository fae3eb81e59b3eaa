import type { Command } from "commander";
import { forOwnJob } from "../options/flag-names.ts";
import { examples } from "../options/shared.ts";
import type { WorkerFlags } from "./worker.ts";

/** `pawl worker`, with its options. */
export function workerCommand(pawl: Command): void {
  const worker = pawl
    .command("worker")
    .description(
      "run the tasks that modules define, and take part in runs of their jobs, until SIGTERM or Ctrl-C",
    )
    .argument(
      "[module...]",
      "modules that call task(), or export a job, such as reports.ts; default: those of the configuration",
    )
    .option(
      "--queues <a:n,b:m>",
      "queues and how many tasks of each run at once; default: the queues of the tasks",
    )
    .option("--prefetch <n>", "tasks claimed ahead for each queue, for many small ones; default: 0")
    .option("--max-memory <size>", "replace a child process that uses more, between two tasks")
    .option("--max-tasks <n>", "replace a child process after so many tasks")
    .option("--drain <time>", "how long running tasks may continue when it is stopped", "30s")
    .option("--lease <time>", "how long a claim is good for without renewal; default: 15s")
    .option("--health <host:port>", "answer /live and /ready there, such as 127.0.0.1:8081");
  examples(worker, "pawl worker reports.ts", "pawl worker tasks.ts --queues mail:16,reports:2").action(
    async (modules: string[], flags: WorkerFlags) => {
      const [{ worker }, { settingsOf }] = await Promise.all([import("./worker.ts"), import("../config.ts")]);
      await forOwnJob(async () => worker(modules, flags, await settingsOf(pawl.opts())));
    },
  );
}
