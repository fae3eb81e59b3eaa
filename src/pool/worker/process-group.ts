import type { ChildProcess } from "node:child_process";

/** Children are started so that each leads a group of its own, in which whatever it starts is as well. */
export const leadsGroup = process.platform !== "win32";

/**
 * Ends a child and every process that it has started and that has not left its group: a compiler, a shell, a converter.
 * The kernel takes the whole group at once, so that none of them can start another one meanwhile. Once the child is gone
 * this ends what it has left behind.
 */
export function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(leadsGroup ? -pid : pid, "SIGKILL");
  } catch {
    // None of them is there any more.
  }
}
