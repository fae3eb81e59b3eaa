import type { RunSummary } from "../batch/index.ts";

/** What the process tells the shell. */
export const EXIT = {
  done: 0,
  /** The command, or something it names, is wrong; nothing was begun. */
  usage: 2,
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
