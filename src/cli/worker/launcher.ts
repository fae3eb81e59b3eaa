import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

interface Seen {
  readonly parent: number;
  readonly command: string;
}

const LOOK_MS = 500;

/** Shells between npm and what it runs. */
const SHELL = /(^|\/)(sh|dash|bash|ash|zsh|busybox)( |$)/;

const PACKAGE_MANAGER = /\b(npm|npx|pnpm|yarn|bunx?)\b/;

/**
 * The way to be called back when npx, or a script of npm, that has started this process is gone. Asked for early, while
 * that is still there. It does not pass a SIGTERM on: it ends,
 * perhaps with a shell in between left waiting, and no process would be left that can stop this one. A process
 * that was started in any other way is left alone: its parent may go, as after `nohup` or `disown`.
 */
export function launcher(): { whenGone(callBack: () => void): void } {
  const line = parents();
  return {
    whenGone(callBack) {
      if (line === null) return;
      const timer = setInterval(() => {
        if (line.every(([pid, parent]) => parentOf(pid) === parent)) return;
        clearInterval(timer);
        callBack();
      }, LOOK_MS);
      timer.unref();
    },
  };
}

function parentOf(pid: number): number | undefined {
  return pid === process.pid ? process.ppid : look(pid)?.parent;
}

/** Each process from this one up to the package manager, with its parent; null where there is no package manager. */
function parents(): [pid: number, parent: number][] | null {
  if (process.env.npm_execpath === undefined && process.env.npm_command === undefined) return null;
  const line: [number, number][] = [[process.pid, process.ppid]];
  for (let pid = process.ppid; pid > 1; ) {
    const seen = look(pid);
    if (seen === undefined) return null;
    // First, because npm runs in a shell what names npm.
    if (!SHELL.test(seen.command.split(" ", 1)[0] ?? ""))
      return PACKAGE_MANAGER.test(seen.command) ? line : null;
    line.push([pid, seen.parent]);
    pid = seen.parent;
  }
  return null;
}

function look(pid: number): Seen | undefined {
  try {
    if (process.platform === "linux") {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      // The name of the program stands in parentheses and may hold any character. See proc(5).
      return { parent: Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]), command };
    }
    const text = execFileSync("ps", ["-o", "ppid=,command=", "-p", `${pid}`], { encoding: "utf8" }).trim();
    const [, parent, command = ""] = /^(\d+)\s+(.*)$/.exec(text) ?? [];
    return parent === undefined ? undefined : { parent: Number(parent), command };
  } catch {
    return undefined;
  }
}
