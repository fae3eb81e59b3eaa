import type { EventEmitter } from "node:events";
import { setImmediate } from "node:timers";
import { describeError } from "../transfer/remote-error.ts";
import { Cgroup } from "./descendants.ts";
import { notesInFile } from "./marker.ts";
import type { ProcessSetup } from "./protocol.ts";
import { type Setup, serveAny } from "./pool-server.ts";

/** The descriptor of the file in which a process notes what it runs. */
export const MARK_FD = 4;

/** Serves as a process of a pool. */
export function serveInProcess(): void {
  if (process.send === undefined) throw new Error("This is started as a process by a pool.");
  // Taken here, before the functions of users can replace them.
  const send = process.send.bind(process);
  const exit = process.exit.bind(process);
  const { rss } = process.memoryUsage;
  // Ctrl-C reaches the whole group: what happens then is for the parent to say, who ends this process or is gone.
  process.on("SIGINT", () => {});
  process.on("disconnect", () => exit());
  process.on("uncaughtExceptionMonitor", (error) => {
    if (process.connected) send({ type: "fault", error: describeError(error) });
  });
  process.once("message", ({ setup, cgroup }: ProcessSetup<Setup>) => {
    if (cgroup !== null) Cgroup.enter(cgroup);
    const listen = keepListening((message) => take(message));
    const take = serveAny(
      {
        isolation: "process",
        post: (message) => {
          listen();
          // An error means that the parent is gone: the end of this process is on its way.
          send(message, undefined, undefined, () => {});
        },
        isOpen: () => process.connected,
        memory: () => rss(),
        end: () => process.disconnect(),
      },
      setup,
      notesInFile(MARK_FD),
    );
    listen();
  });
}

/**
 * Listens for messages of the parent, again where a function has removed all listeners of the process, which it shares
 * with this. Returns what makes sure of it.
 */
function keepListening(take: (message: unknown) => void): () => void {
  // The types of a process know the events of a process only.
  const events: EventEmitter = process;
  const listen = (): void => {
    if (!events.listeners("message").includes(take)) events.on("message", take);
    if (!events.listeners("removeListener").includes(removed)) events.on("removeListener", removed);
  };
  const removed = (event: string | symbol, listener: unknown): void => {
    // Not at once: who removes all of them has not come to the end.
    if (event === "message" && listener === take) setImmediate(listen);
  };
  return listen;
}
