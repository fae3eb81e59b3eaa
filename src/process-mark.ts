/** Which process made a folder or a file, so that what a dead one has left is told from what a living one needs. */
import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

interface ProcessStatus {
  /** The letter of the kernel: R running, S sleeping, T stopped, Z zombie, X dead. */
  readonly state: string;
  /** Clock ticks between the start of the machine and the start of the process. */
  readonly start: string;
}

/** What the kernel says of a process; undefined where it says nothing (no /proc, no such process, hidden). */
export function processStatus(pid: number): ProcessStatus | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  // The name stands in parentheses and may itself hold any character; the fields are counted after it. See proc(5).
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, start] = [fields[0], fields[19]];
  return state === undefined || start === undefined ? undefined : { state, start };
}

/** Whether some process has this id; true as well when it belongs to another user. */
export function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}

function or(fallback: string, read: () => string): string {
  try {
    return read();
  } catch {
    return fallback;
  }
}

/** The machine, its start, and the view of its processes: a process id means nothing in another container. */
const machine = createHash("sha256")
  .update(
    [
      or("", () => readFileSync("/etc/machine-id", "utf8").trim()),
      or("", () => readlinkSync("/proc/self/ns/pid")),
      hostname(),
    ].join("\n"),
  )
  .digest("hex")
  .slice(0, 12);
const boot = or("", () => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()).slice(0, 8) || "0";

/**
 * This process as a part of a file's name, 30 to 50 characters of letters, digits and hyphens: the same for all its threads, and for no
 * other process ever.
 */
export const ownProcessMark = [
  machine,
  boot,
  process.pid,
  processStatus(process.pid)?.start ?? `t${Math.round(performance.timeOrigin)}`,
].join("-");

/** The form of a mark, for regular expressions. */
export const PROCESS_MARK = "[0-9a-f]{12}-[0-9a-f]+-[1-9][0-9]*-t?[0-9]+";

/** Whether the process of a mark lives. `unknown` for one of another machine or container, and where the kernel does not tell. */
export function processOf(mark: string): "alive" | "dead" | "unknown" {
  const [on, since, id, start] = mark.split("-");
  if (on !== machine || id === undefined) return "unknown";
  if (since !== boot) return "dead";
  const pid = Number(id);
  if (mark === ownProcessMark) return "alive";
  if (!processExists(pid)) return "dead";
  const status = processStatus(pid);
  // A process exists, but the kernel does not tell which one: it may be the one.
  if (status === undefined) return start?.startsWith("t") ? "unknown" : "alive";
  return status.start !== start || status.state === "Z" || status.state === "X" ? "dead" : "alive";
}
