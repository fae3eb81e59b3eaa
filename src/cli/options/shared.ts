import { type Command, Option } from "commander";
import type { TaskState } from "../../store/contract.ts";
import { collect } from "./usage.ts";

/** The option that names the database: `--into` where rows go in, `--url` where they are changed in place. A command takes the other word too. */
export function databaseOption(command: Command, word: "into" | "url", description: string): Command {
  const other = word === "into" ? "url" : "into";
  return command
    .option(`--${word} <url>`, description)
    .addOption(new Option(`--${other} <url>`).hideHelp())
    .hook("preAction", () => {
      const given: unknown = command.getOptionValue(other);
      if (given === undefined) return;
      if (command.getOptionValue(word) !== undefined)
        command.error(`error: --${word} and --${other} are one option: give one of them`);
      command.setOptionValue(word, given);
    });
}

/** The database of a stored run, again. */
export function sameDatabaseOption(command: Command): Command {
  return databaseOption(
    command,
    "url",
    "the database of the run again, where its URL has a password: passwords are not stored",
  );
}

/** What every command takes that begins a run; `kind` is what it calls that run. */
export function runOptions(command: Command, kind: string): Command {
  return command
    .optionsGroup("The run:")
    .option("--dry-run", "show what would be done, and change nothing")
    .option("--restart", `give up the interrupted ${kind}, and start again from the beginning`)
    .option("--detach", "continue in the background, also when this terminal closes")
    .option("--json", "print one JSON object at the end and nothing else");
}

/** What may hold a long run back. */
export function throttleOptions(command: Command): Command {
  return command
    .optionsGroup("When to wait:")
    .option("--window <from-to>", "work only between these times of day, such as 22:00-06:00", collect)
    .option("--max-load <n>", "wait while the load of this machine is above this")
    .option("--pause-file <file>", "wait while this file exists");
}

/** Adds examples to the help of a command. */
export function examples(command: Command, ...lines: readonly string[]): Command {
  const title = lines.length === 1 ? "Example" : "Examples";
  return command.addHelpText("after", `\n${title}:\n${lines.map((line) => `  $ ${line}`).join("\n")}`);
}

/** What every command takes that prints JSON. */
export interface JsonFlag {
  readonly json?: boolean;
}

/** Which tasks are meant. */
export interface FilterFlags {
  readonly queue?: string;
  readonly state?: string;
  readonly name?: string;
  readonly flow?: string;
  readonly older?: string;
  readonly newer?: string;
  readonly text?: string;
}

export const STATES: readonly TaskState[] = ["waiting", "leased", "succeeded", "dead", "cancelled"];

/** Gives a command the filters. `state`: whether it can be chosen. */
export function filterOptions(command: Command, { state }: { readonly state: boolean }): Command {
  command.option("--queue <queue>", "in this queue");
  if (state) command.option("--state <a,b>", STATES.join(", "));
  return command
    .option("--name <name>", "of this name")
    .option("--flow <id>", "of this flow")
    .option(
      "--older <time>",
      "enqueued before this date, or at least this long ago, such as 2026-01-31 or 7d",
    )
    .option("--newer <time>", "enqueued after this date, or at most this long ago, such as 2026-01-31 or 10m")
    .option("--text <text>", "with this in the input, as JSON, in capitals or not");
}
