import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { PawlError } from "../errors.ts";
import { visible } from "../visible.ts";
import { backfillCommand } from "./backfill/command.ts";
import { completionCommand, isCompletion } from "./completion.ts";
import { copyCommands } from "./copy/command.ts";
import { EXIT, exitCodeFor } from "./exit-codes.ts";
import { loadCommand } from "./load/command.ts";
import { unlessNothingIsLeft } from "./nothing-left.ts";
import { errorWithFlags } from "./options/flag-names.ts";
import { examples } from "./options/shared.ts";
import { explainUsage, refuseEmpty } from "./options/usage.ts";
import { postgresCommands } from "./postgres/commands.ts";
import { quarantineCommands } from "./quarantine/commands.ts";
import { queryCommands } from "./query/command.ts";
import { runCommands } from "./runs/commands.ts";
import { cancelCommand, taskCommands } from "./tasks/commands.ts";
import { print, tell } from "./terminal/output.ts";
import { workerCommand } from "./worker/command.ts";

/** The command line of `pawl`. What a command is made of is imported when it is given: a backfill does not hold what a load needs. */
export function program(): Command {
  const pawl: Command = new Command("pawl")
    .description("Work that is too big for a loop: every item exactly once, in bounded memory.")
    .version(version())
    .option("--store <where>", "a file, postgres://… or env:NAME; default: PAWL_STORE, or .pawl/store.db")
    .option("--config <file>", "default: pawl.config.ts, .mts, .js or .mjs in this folder, if there is one")
    .option("--profile <name>", "a profile of the configuration")
    .configureHelp({
      showGlobalOptions: true,
      // Not those of the commands between: each command lists its own.
      visibleGlobalOptions: (command) =>
        command.parent === null ? [] : pawl.options.filter(({ long }) => long !== "--version"),
    })
    .configureOutput({
      writeOut: (text) => print(text.replace(/\n$/, "")),
      writeErr: (text) => tell(text.replace(/\n$/, "")),
    })
    .exitOverride();

  pawl.commandsGroup("Move data:");
  loadCommand(pawl);
  backfillCommand(pawl);
  copyCommands(pawl);
  pawl.commandsGroup("Ask data:");
  queryCommands(pawl);
  pawl.commandsGroup("Runs:");
  runCommands(pawl);
  quarantineCommands(pawl);
  cancelCommand(pawl);
  pawl.commandsGroup("Tasks:");
  workerCommand(pawl);
  taskCommands(pawl);
  pawl.commandsGroup("Set-up:");
  postgresCommands(pawl);
  completionCommand(pawl);
  pawl.helpCommand(true);
  pawl.addHelpText(
    "after",
    `\nExit codes: ${EXIT.done} done, ${EXIT.usage} wrong usage, ${EXIT.quarantined} done with quarantined items, ${EXIT.failed} failed, ${EXIT.interrupted} interrupted.`,
  );
  examples(pawl, "pawl load customers.csv --table customers --create", "pawl load --help");

  explainUsage(pawl);

  pawl.hook("preAction", async (_, command) => {
    if (isCompletion(command)) return;
    for (let each: Command | null = command; each !== null; each = each.parent) refuseEmpty(each);
    const { chooseStore } = await import("./config.ts");
    await chooseStore(pawl.opts());
  });
  return pawl;
}

/** Runs the command of `process.argv`. What went wrong has been said and stands in `process.exitCode` when it resolves. */
export async function execute(): Promise<void> {
  const pawl = program();
  try {
    await unlessNothingIsLeft(
      pawl.parseAsync(),
      () =>
        new PawlError(
          "run.stuck",
          "The command waits for a promise that nothing settles, such as one in a function of yours, and nothing else is left to do: what was committed counts, and the same command continues.",
        ),
    );
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
      return;
    }
    // A defect of Pawl keeps its stack; what a user caused is one sentence.
    const text =
      error instanceof PawlError
        ? visible(errorWithFlags(error))
        : (await import("../error-text.ts")).errorStack(error);
    tell(`pawl: ${text}`);
    process.exitCode = exitCodeFor(error);
  }
}

function version(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
