import type { ChildProcess } from "node:child_process";
import { Cgroup } from "./descendants.ts";

/** Children are started so that each leads a group of its own, in which whatever it starts is as well. */
export const leadsGroup = process.platform !== "win32";

/**
 * A child and every process that it has started: a compiler, a shell, a converter. Where a control group can be made, it is in one; a
 * process that left its process group is not lost sight of then.
 */
export class Descendants {
  readonly pid: number | undefined;
  readonly cgroup: Cgroup | null;

  constructor({ pid }: ChildProcess) {
    this.pid = pid;
    this.cgroup = pid === undefined ? null : Cgroup.make();
  }

  /** The kernel takes them all at once, so that none can start another one meanwhile. Once the child is gone this ends what it has left behind. */
  kill(): void {
    this.cgroup?.kill();
    if (this.pid === undefined) return;
    try {
      process.kill(leadsGroup ? -this.pid : this.pid, "SIGKILL");
    } catch {
      // None of them is there any more.
    }
  }
}
