import type { Descendants } from "./process-group.ts";
import { startReaper } from "./reaper.ts";

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
  /** The program would have ended by this signal, had nobody listened: its children first, then itself. */
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
