import { spawn } from "node:child_process";
import type { Descendants } from "./process-group.ts";

/** Ends processes when this thread is no more. */
export interface Reaper {
  watch(child: Descendants): void;
  forget(child: Descendants): void;
  /** There is nothing left to watch. */
  end(): void;
}

/**
 * Keeps a list of the leaders of process groups, each with the folder of its control group if there is one; its input ends
 * when whoever writes there is gone, and then they are ended.
 */
const script = `
trap '' INT TERM HUP
set -f
all=
while read -r what one; do
  case $what in
    +) all="$all $one" ;;
    -) rest=
       for each in $all; do [ "$each" = "$one" ] || rest="$rest $each"; done
       all=$rest ;;
  esac
done
for each in $all; do
  [ -z "\${each#*:}" ] || echo 1 >"\${each#*:}/cgroup.kill"
  kill -s KILL -- "-\${each%%:*}"
done 2>/dev/null
for each in $all; do
  tries=0
  while [ -d "\${each#*:}" ] && [ $tries -lt 50 ]; do
    find "\${each#*:}" -depth -type d -exec rmdir {} ';' || break
    tries=$((tries + 1))
    sleep 0.05
  done
done 2>/dev/null
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
    watch: (child) => void input?.write(`+ ${wordFor(child)}\n`),
    forget: (child) => void input?.write(`- ${wordFor(child)}\n`),
    end: () => void input?.end(),
  };
}

function wordFor({ pid, cgroup }: Descendants): string {
  return `${pid}:${cgroup?.path ?? ""}`;
}
