import type { Command } from "commander";
import type { Store } from "../../store/contract.ts";
import type { ChoiceFlags } from "./choose.ts";
import { filters } from "./filter-flags.ts";
import type { ListFlags } from "./list.ts";
import type { CommonFlags } from "./open.ts";
import type { ScheduleVerb } from "./schedules.ts";
import type { ShowFlags } from "./show.ts";

type WithTasks = typeof import("./open.ts").withTasks;

/** The store, and what tasks are made of, are loaded when a command of theirs is given. */
const withTasks: WithTasks = async (flags, body) => {
  const open = await import("./open.ts");
  return await open.withTasks(flags, body);
};

/** The commands to see and steer tasks with. */
export function taskCommands(pawl: Command): void {
  seeing(pawl);
  steering(pawl);
  queues(pawl);
  schedules(pawl);
}

function seeing(pawl: Command): void {
  const tasks = pawl.command("tasks").description("the newest tasks, or those that a filter names");
  pages(filters(tasks, { state: true })).action((flags: ListFlags) =>
    withTasks(flags, async (store) => (await import("./list.ts")).listTasks(flags, store)),
  );
  common(pawl.command("task").description("all about a task or a flow"))
    .argument("<id>", "a task's id, or a flow's")
    .option("--full", "the whole input, result and logs")
    .action((id: string, flags: ShowFlags) =>
      withTasks(flags, async (store) => (await import("./show.ts")).showTask(id, flags, store)),
    );
  common(pawl.command("workers").description("the workers, and what they do")).action((flags: CommonFlags) =>
    withTasks(flags, async (store) => (await import("./workers.ts")).listWorkers(flags, store)),
  );
  const dead = pawl.command("dead").description("dead letters: tasks that will not be tried again");
  pages(filters(dead, { state: false })).action((flags: ListFlags) =>
    withTasks(flags, async (store) =>
      (await import("./list.ts")).listTasks({ ...flags, state: "dead" }, store),
    ),
  );
  retrying(
    dead.command("requeue").description("try dead letters again"),
    "pawl dead requeue",
    "every dead letter",
    false,
  );
}

function steering(pawl: Command): void {
  choosing(pawl.command("cancel").description("stop tasks, flows, or a run; what was done stays"), {
    ids: "ids of tasks and flows; or a run's id, the beginning of it, or last",
    all: "every task that waits or runs",
    state: true,
  }).action((ids: string[], flags: ChoiceFlags & CommonFlags, command: Command) =>
    withTasks(command.optsWithGlobals(), async (store) =>
      (await import("./cancel.ts")).cancelTasks(ids, flags, store),
    ),
  );
  retrying(
    pawl.command("retry").description("try again what is dead or was cancelled"),
    "pawl retry",
    "every task that is dead",
    true,
  );
}

function queues(pawl: Command): void {
  const queues = common(pawl.command("queues").description("the queues: how much waits, runs and ends"));
  queues.action((flags: CommonFlags) =>
    withTasks(flags, async (store) => (await import("./queues.ts")).listQueues(flags, store)),
  );
  const onQueue = (
    name: string,
    description: string,
    act: (queue: string, flags: CommonFlags, store: Store) => Promise<void>,
  ) =>
    common(queues.command(name).description(description))
      .argument("<queue>")
      .action((queue: string, _: CommonFlags, command: Command) => {
        const flags = command.optsWithGlobals<CommonFlags>();
        return withTasks(flags, (store) => act(queue, flags, store));
      });
  const code = () => import("./queues.ts");
  onQueue("pause", "begin nothing more of a queue", async (queue, flags, store) =>
    (await code()).pauseQueue(queue, true, flags, store),
  );
  onQueue("resume", "go on with a queue", async (queue, flags, store) =>
    (await code()).pauseQueue(queue, false, flags, store),
  );
  onQueue("purge", "cancel all that waits in a queue", async (queue, flags, store) =>
    (await code()).purgeQueue(queue, flags, store),
  );
}

function schedules(pawl: Command): void {
  const schedules = common(pawl.command("schedules").description("the schedules, and when they fire"));
  schedules.action((flags: CommonFlags) =>
    withTasks(flags, async (store) => (await import("./schedules.ts")).listSchedules(flags, store)),
  );
  const verbs: readonly [ScheduleVerb, string][] = [
    ["pause", "let a schedule rest"],
    ["resume", "go on with a schedule; what passed meanwhile is left out"],
    ["remove", "remove a schedule; what it fired stays"],
  ];
  for (const [verb, description] of verbs) {
    common(schedules.command(verb).description(description))
      .argument("<name>")
      .action((name: string, _: CommonFlags, command: Command) => {
        const flags = command.optsWithGlobals<CommonFlags>();
        return withTasks(flags, async (store) =>
          (await import("./schedules.ts")).steerSchedule(verb, name, flags, store),
        );
      });
  }
}

function retrying(command: Command, verb: string, all: string, state: boolean): void {
  choosing(command, { ids: "ids of tasks and flows", all, state }).action(
    (ids: string[], _: ChoiceFlags & CommonFlags, command: Command) => {
      const flags = command.optsWithGlobals<ChoiceFlags & CommonFlags>();
      return withTasks(flags, async (store) =>
        (await import("./retry.ts")).retryTasks(verb, ids, flags, store),
      );
    },
  );
}

function common(command: Command): Command {
  return command
    .option("--store <where>", "a file, postgres://… or env:NAME; default: PAWL_STORE, or .pawl/store.db")
    .option("--json", "print JSON");
}

function pages(command: Command): Command {
  return common(command)
    .option("--limit <n>", "how many", "50")
    .option("--after <id>", "go on after this task")
    .option("--oldest-first", "in order of enqueueing");
}

function choosing(
  command: Command,
  { ids, all, state }: { readonly ids: string; readonly all: string; readonly state: boolean },
): Command {
  return common(filters(command.argument("[id...]", ids).option("--all", all), { state }));
}
