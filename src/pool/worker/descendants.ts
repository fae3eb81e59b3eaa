import type { ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { threadId } from "node:worker_threads";

/** Whether each child leads a process group of its own, to which all that it starts belongs. */
export const leadsGroup = process.platform !== "win32";

/**
 * A child and every process that it has started: a compiler, a shell, a converter. Where a control group can be made, it is in one; a
 * process that left its process group is still found then.
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
      // All of them have ended.
    }
  }
}

/** A process that was killed leaves its group within milliseconds; one that its worker left running may stay for ever. */
const REMOVALS = 50;
const REMOVAL_PAUSE_MS = 20;

/** Undefined before it was looked for, null where no group can be made. */
let home: string | null | undefined;
let made = 0;

/**
 * A control group of Linux (version 2) for a worker and all that it starts: no process gets out of it by `setsid`, as it gets
 * out of a process group, and the kernel kills all that are in it at once.
 */
export class Cgroup {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** A new one below the group that this program is in; null where that is not allowed, or where there are none. */
  static make(): Cgroup | null {
    home ??= findHome();
    if (home === null) return null;
    const path = join(home, `pawl-${process.pid}-${threadId}-${++made}`);
    try {
      mkdirSync(path);
      // Only since Linux 5.14 can a group be killed.
      if (existsSync(join(path, "cgroup.kill"))) return new Cgroup(path);
      rmdirSync(path);
    } catch {
      // It belongs to another user, or is mounted to be read only, as in most containers.
    }
    home = null;
    return null;
  }

  /** Brings this process into it, and with it all that it will start. */
  static enter(path: string): void {
    try {
      writeFileSync(join(path, "cgroup.procs"), "0");
    } catch {
      // Groups of another kind take no processes: its process group is ended all the same.
    }
  }

  kill(): void {
    try {
      writeFileSync(join(this.path, "cgroup.kill"), "1");
    } catch {
      // It has been removed.
    }
  }

  /** Removes it once no process is in it. */
  async remove(): Promise<void> {
    for (let left = REMOVALS; !removed(this.path) && left > 0; left--) {
      await sleep(REMOVAL_PAUSE_MS, undefined, { ref: false });
    }
  }
}

function findHome(): string | null {
  if (process.platform !== "linux") return null;
  try {
    const found = folderOf(
      readFileSync("/proc/self/cgroup", "utf8"),
      readFileSync("/proc/self/mountinfo", "utf8"),
    );
    // The shell that ends them when this program is gone splits its input at blanks.
    if (found === null || /\s/.test(found)) return null;
    removeLeft(found);
    return found;
  } catch {
    return null;
  }
}

/** The folder of the group that a process is in, by what the kernel says of its groups and of what is mounted. */
export function folderOf(groups: string, mounts: string): string | null {
  const group = /^0::(.*)$/m.exec(groups)?.[1];
  if (group === undefined) return null;
  for (const line of mounts.split("\n")) {
    const [mount, kind] = line.split(" - ");
    if (kind?.split(" ")[0] !== "cgroup2") continue;
    const [root, folder] = (mount ?? "").split(" ").slice(3, 5).map(pathIn);
    if (root === undefined || folder === undefined) continue;
    const below = root === "/" ? "" : root;
    if (group === root || group.startsWith(`${below}/`))
      return resolve(folder, `.${group.slice(below.length)}`);
  }
  return null;
}

/** Blanks in paths are written as `\040`. */
function pathIn(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** Removes the empty groups of programs that have ended. */
function removeLeft(folder: string): void {
  for (const name of readdirSync(folder)) {
    const pid = /^pawl-(\d+)-\d+-\d+$/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) removed(join(folder, name));
  }
}

/** Removes a group with those that workers of workers have made in it; false while a process is in it. */
function removed(path: string): boolean {
  try {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.isDirectory()) removed(join(path, entry.name));
    }
    rmdirSync(path);
    return true;
  } catch {
    return !existsSync(path) || !existsSync(dirname(path));
  }
}
