import { readFileSync } from "node:fs";

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

/** Whether some process has this id; true as well when it belongs to somebody else. */
export function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}
