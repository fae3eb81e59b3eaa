import type { Command } from "commander";
import type { TaskState } from "../../store/contract.ts";

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
export function filters(command: Command, { state }: { readonly state: boolean }): Command {
  command.option("--queue <queue>", "in this queue");
  if (state) command.option("--state <a,b>", STATES.join(", "));
  return command
    .option("--name <name>", "of this name")
    .option("--flow <id>", "of this flow")
    .option("--older <time>", "enqueued at least so long ago, such as 10m or 7d")
    .option("--newer <time>", "enqueued at most so long ago")
    .option("--text <text>", "with this in the input, as JSON, whatever its case");
}
