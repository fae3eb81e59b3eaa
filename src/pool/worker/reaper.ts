import { spawn } from "node:child_process";

/** Ends processes when this thread is no more. */
export interface Reaper {
  watch(pid: number): void;
  forget(pid: number): void;
  /** There is nothing left to watch. */
  end(): void;
}

/** Keeps a list of the leaders of process groups; its input ends when whoever writes there is gone, and then they are ended. */
const script = `
trap '' INT TERM HUP
all=
while read -r what pid; do
  case $what in
    +) all="$all $pid" ;;
    -) rest=
       for each in $all; do [ "$each" = "$pid" ] || rest="$rest $each"; done
       all=$rest ;;
  esac
done
for each in $all; do kill -s KILL -- "-$each" 2>/dev/null; done
`;

/**
 * Starts a small shell that ends this thread's children once the thread is gone. A process that is killed cannot do that
 * itself, and a child that is busy does not notice that its parent is gone. Null on Windows, which has no such shell.
 */
export function startReaper(): Reaper | null {
  if (process.platform === "win32") return null;
  const shell = spawn("/bin/sh", ["-c", script], {
    stdio: ["pipe", "ignore", "ignore"],
    // A group of its own, which Ctrl-C does not reach.
    detached: true,
    cwd: "/",
    env: {},
  });
  // Where there is no shell, or no room for another process, the children still notice when they are not busy.
  shell.on("error", () => {});
  shell.unref();
  // The types hide that a pipe can be let go.
  const input = shell.stdin as (typeof shell.stdin & { unref?(): void }) | null;
  input?.on("error", () => {});
  input?.unref?.();
  return {
    watch: (pid) => void input?.write(`+ ${pid}\n`),
    forget: (pid) => void input?.write(`- ${pid}\n`),
    end: () => void input?.end(),
  };
}
