import { CommanderError } from "commander";
import { PawlError, TransientError } from "../errors.ts";
import { EXIT } from "./exit-codes.ts";
import { program } from "./program.ts";
import { tell } from "./terminal/output.ts";
import { visible } from "./terminal/visible.ts";

/** Runs the command of `process.argv`. What went wrong has been said and stands in `process.exitCode` when it resolves. */
export async function execute(): Promise<void> {
  try {
    await program().parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
      return;
    }
    // A defect of Pawl keeps its stack; what a user caused is one sentence.
    const text =
      error instanceof PawlError
        ? visible(error.message)
        : (await import("../error-text.ts")).errorStack(error);
    tell(`pawl: ${text}`);
    process.exitCode = exitCodeFor(error);
  }
}

function exitCodeFor(error: unknown): number {
  if (error instanceof TransientError) return EXIT.failed;
  if (error instanceof PawlError && error.code === "run.interrupted") return EXIT.interrupted;
  return error instanceof PawlError ? EXIT.usage : EXIT.failed;
}
