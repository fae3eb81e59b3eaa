import type { Command } from "commander";
import type { Store } from "../../store/index.ts";
import { examples, filterOptions, type JsonFlag } from "../options/shared.ts";
import { withStore } from "../with-store.ts";
import type { ChoiceFlags } from "./choose.ts";
import type { ListFlags } from "./list.ts";
import type { ScheduleVerb } from "./schedules.ts";
import type { ShowFlags } from "./show.ts";

/** These commands look at what is there: a mistyped path must not become an empty store. */
const withTasks = <T>(body: (store: Store) => Promise<T>) =>
  withStore((store) => body(store), { create: false });

/** The commands to see and control tasks, without the worker. */
export function taskCommands(pawl: Command): void {
  seeTasks(pawl);
  queues(pawl);
  schedules(pawl);
  deadLetters(pawl);
}

function seeTasks(pawl: Command): void {
  const workers = json(pawl.command("workers").description("list the workers, and what they do"));
  examples(workers, "pawl workers").action((flags: JsonFlag) =>
    withTasks(async (store) => (await import("./workers.ts")).listWorkers(flags, store)),
  );
  const tasks = pawl.command("tasks").description("list the newest tasks, or those that match a filter");
  examples(
    pages(filterOptions(tasks, { state: true })),
    "pawl tasks --state dead,leased --queue mail",
    "pawl tasks --name send-report --newer 2h",
  ).action((flags: ListFlags) =>
    withTasks(async (store) => (await import("./list.ts")).listTasks(flags, store)),
  );
  const task = json(pawl.command("task").description("show everything about one task or flow"))
    .argument("<id>", "a task's id, or a flow's")
    .option("--full", "the whole input, result and logs");
  examples(task, "pawl task 0kq3v5x8zj").action((id: string, flags: ShowFlags) =>
    withTasks(async (store) => (await import("./show.ts")).showTask(id, flags, store)),
  );
}

function queues(pawl: Command): void {
  const queues = json(
    pawl.command("queues").description("list the queues: how many tasks wait, run and have ended"),
  );
  examples(queues, "pawl queues", "pawl queues pause mail").action((flags: JsonFlag) =>
    withTasks(async (store) => (await import("./queues.ts")).listQueues(flags, store)),
  );
  const onQueue = (
    name: string,
    description: string,
    act: (queue: string, flags: JsonFlag, store: Store) => Promise<void>,
  ) =>
    examples(
      json(queues.command(name).description(description)).argument("<queue>"),
      `pawl queues ${name} mail`,
    ).action((queue: string, _: JsonFlag, command: Command) => {
      const flags = command.optsWithGlobals<JsonFlag>();
      return withTasks((store) => act(queue, flags, store));
    });
  const code = () => import("./queues.ts");
  onQueue("pause", "start no more tasks of a queue until it is resumed", async (queue, flags, store) =>
    (await code()).pauseQueue(queue, true, flags, store),
  );
  onQueue("resume", "start tasks of a paused queue again", async (queue, flags, store) =>
    (await code()).pauseQueue(queue, false, flags, store),
  );
  onQueue("purge", "cancel all tasks that wait in a queue", async (queue, flags, store) =>
    (await code()).purgeQueue(queue, flags, store),
  );
}

function schedules(pawl: Command): void {
  const schedules = json(pawl.command("schedules").description("list the schedules, and when they fire"));
  examples(schedules, "pawl schedules", "pawl schedules pause nightly-report").action((flags: JsonFlag) =>
    withTasks(async (store) => (await import("./schedules.ts")).listSchedules(flags, store)),
  );
  const verbs: readonly [ScheduleVerb, string][] = [
    ["pause", "stop firing a schedule until it is resumed"],
    ["resume", "fire a paused schedule again; the times that have passed meanwhile are left out"],
    ["remove", "remove a schedule; the tasks that it enqueued stay"],
  ];
  for (const [verb, description] of verbs) {
    examples(
      json(schedules.command(verb).description(description)).argument("<name>"),
      `pawl schedules ${verb} nightly-report`,
    ).action((name: string, _: JsonFlag, command: Command) => {
      const flags = command.optsWithGlobals<JsonFlag>();
      return withTasks(async (store) =>
        (await import("./schedules.ts")).controlSchedule(verb, name, flags, store),
      );
    });
  }
}

function deadLetters(pawl: Command): void {
  retryAction(
    pawl.command("retry").description("try dead or cancelled tasks again"),
    "pawl retry",
    "every task that is dead",
    true,
  );
  const dead = pawl.command("dead").description("list dead letters: tasks that will not be tried again");
  examples(
    pages(filterOptions(dead, { state: false })),
    "pawl dead --queue mail",
    "pawl dead requeue --queue mail",
  ).action((flags: ListFlags) =>
    withTasks(async (store) => (await import("./list.ts")).listTasks({ ...flags, state: "dead" }, store)),
  );
  retryAction(
    dead.command("requeue").description("try dead letters again"),
    "pawl dead requeue",
    "every dead letter",
    false,
  );
}

/** `pawl cancel`, which cancels tasks, flows and runs alike. */
export function cancelCommand(pawl: Command): void {
  const cancel = choice(
    pawl.command("cancel").description("stop tasks, flows, or a run; what they have written stays"),
    {
      ids: "ids of tasks and flows; or a run's id, the beginning of it, or last",
      all: "every task that waits or runs",
      state: true,
    },
  );
  examples(cancel, "pawl cancel last", "pawl cancel --queue mail --older 7d").action(
    (ids: string[], flags: ChoiceFlags & JsonFlag) =>
      withTasks(async (store) => (await import("./cancel.ts")).cancelTasks(ids, flags, store)),
  );
}

function retryAction(command: Command, verb: string, all: string, state: boolean): void {
  examples(
    choice(command, { ids: "ids of tasks and flows", all, state }),
    `${verb} 0kq3v5x8zj`,
    `${verb} --name send-report --newer 2h`,
  ).action((ids: string[], _: ChoiceFlags & JsonFlag, command: Command) => {
    const flags = command.optsWithGlobals<ChoiceFlags & JsonFlag>();
    return withTasks(async (store) => (await import("./retry.ts")).retryTasks(verb, ids, flags, store));
  });
}

function json(command: Command): Command {
  return command.option("--json", "print JSON");
}

function pages(command: Command): Command {
  return json(command)
    .option("--limit <n>", "how many", "50")
    .option("--after <id>", "only the tasks after this one in the list")
    .option("--oldest-first", "in order of enqueueing");
}

function choice(
  command: Command,
  { ids, all, state }: { readonly ids: string; readonly all: string; readonly state: boolean },
): Command {
  return json(filterOptions(command.argument("[id...]", ids).option("--all", all), { state }));
}
