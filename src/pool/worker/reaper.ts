import { spawn } from "node:child_process";
import type { Descendants } from "./descendants.ts";

/** The children of this thread. */
interface Family {
  add(child: Descendants): () => void;
}

const SYMBOL = Symbol.for("pawl.family");

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

function makeFamily(): Family {
  const children = new Set<Descendants>();
  let reaper: ReturnType<typeof startReaper> | null = null;

  const killAll = (): void => {
    for (const child of children) child.kill();
  };
  /** The program would have ended by this signal, had no code listened for it: its children first, then itself. */
  const onSignal = (signal: NodeJS.Signals): void => {
    if (process.listenerCount(signal) > 1) return;
    killAll();
    stop();
    process.kill(process.pid, signal);
  };
  // Who listens to a signal changes what it does to the program, so we do it only where nothing else can be done.
  const listens = process.platform === "win32";
  const start = (): void => {
    process.on("exit", killAll);
    if (listens) for (const signal of signals) process.on(signal, onSignal);
    reaper = startReaper();
  };
  const stop = (): void => {
    process.off("exit", killAll);
    if (listens) for (const signal of signals) process.off(signal, onSignal);
    reaper?.end();
    reaper = null;
  };
  return {
    add(child) {
      if (children.size === 0) start();
      children.add(child);
      reaper?.watch(child);
      return () => {
        if (!children.delete(child)) return;
        reaper?.forget(child);
        void child.cgroup?.remove();
        if (children.size === 0) stop();
      };
    },
  };
}

/** One for the thread, though a bundle may bring a second copy of this file. */
function family(): Family {
  const holder = globalThis as { [SYMBOL]?: Family };
  holder[SYMBOL] ??= makeFamily();
  return holder[SYMBOL];
}

/**
 * Sees to it that a child does not outlive this thread, however it ends and however busy the child is. Returns what to
 * call when the child is gone.
 */
export function endWithParent(child: Descendants): () => void {
  return family().add(child);
}

/** Ends processes when this thread is no more. */
export interface Reaper {
  watch(child: Descendants): void;
  forget(child: Descendants): void;
  /** There is nothing left to watch. */
  end(): void;
}

/**
 * Keeps a list of the leaders of process groups, each with the folder of its control group if there is one; its input ends
 * when the thread that writes there is gone, and then they are ended.
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
function startReaper(): Reaper | null {
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
