import { readdirSync, readFileSync } from "node:fs";

/** A process and all its descendants, as Linux tells; only the process itself where there is no /proc. */
function processTree(root: number): number[] {
  const found = [root];
  for (const pid of found) {
    for (const thread of threadsOf(pid)) {
      const children = readOrEmpty(`/proc/${pid}/task/${thread}/children`);
      for (const child of children.split(" ")) if (child.trim() !== "") found.push(Number(child));
    }
  }
  return found;
}

/**
 * The highest resident memory of a process and its descendants, seen from outside. Each process counts with its own
 * peak, so that the sum is an upper bound of what they held at once.
 */
export class MemoryWatch {
  readonly #peaks = new Map<number, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(pid: number) {
    this.#timer = setInterval(() => this.#sample(pid), 100);
  }

  stop(): number {
    clearInterval(this.#timer);
    return this.#peaks.values().reduce((sum, peak) => sum + peak, 0);
  }

  #sample(root: number): void {
    for (const pid of processTree(root)) {
      const peak = /^VmHWM:\s+(\d+) kB/m.exec(readOrEmpty(`/proc/${pid}/status`));
      if (peak) this.#peaks.set(pid, Number(peak[1]) * 1024);
    }
  }
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // The process has ended since it was listed.
    return "";
  }
}
