import type { RunSummary } from "../batch/index.ts";
import { PawlError, TransientError } from "../errors.ts";

/** What the process tells the shell: the only place where these numbers stand, which docs/command-line.md explains. */
export const EXIT = {
  done: 0,
  /** The command, or something it names, is wrong; nothing was begun. */
  usage: 2,
  /** The run is done, and some of its items are in quarantine. */
  quarantined: 3,
  failed: 4,
  interrupted: 130,
} as const;

/** The exit code that a run at rest calls for. */
export function exitCodeOf(summary: RunSummary): number {
  switch (summary.state) {
    case "succeeded":
      return summary.quarantined > 0 ? EXIT.quarantined : EXIT.done;
    case "failed":
      return EXIT.failed;
    default:
      return EXIT.interrupted;
  }
}

/** The exit code of a command that threw. */
export function exitCodeFor(error: unknown): number {
  if (error instanceof TransientError) return EXIT.failed;
  if (error instanceof PawlError && error.code === "run.interrupted") return EXIT.interrupted;
  if (error instanceof PawlError && error.code === "run.stuck") return EXIT.failed;
  return error instanceof PawlError ? EXIT.usage : EXIT.failed;
}
