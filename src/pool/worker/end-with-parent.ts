import type { ChildProcess } from "node:child_process";

const children = new Set<ChildProcess>();
const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

function killAll(): void {
  for (const child of children) child.kill("SIGKILL");
}

/** The program would have ended by this signal, had nobody listened: its children first, then itself. */
function onSignal(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return;
  killAll();
  stopListening();
  process.kill(process.pid, signal);
}

function listen(): void {
  process.on("exit", killAll);
  for (const signal of signals) process.on(signal, onSignal);
}

function stopListening(): void {
  process.off("exit", killAll);
  for (const signal of signals) process.off(signal, onSignal);
}

/**
 * Sees to it that a child does not outlive this process, busy as it may be. Who listens to a signal decides what it
 * does to the program; only where nobody does, children end with it. Returns what to call when the child is gone.
 */
export function endWithParent(child: ChildProcess): () => void {
  if (children.size === 0) listen();
  children.add(child);
  return () => {
    children.delete(child);
    if (children.size === 0) stopListening();
  };
}
