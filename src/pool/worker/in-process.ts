import { Cgroup } from "./cgroup.ts";
import { notesInFile } from "./marker.ts";
import type { ProcessSetup } from "./protocol.ts";
import { describeError } from "./remote-error.ts";
import { type Setup, serveAny } from "./serve-any.ts";

/** The descriptor of the file in which a process notes what it runs. */
export const MARK_FD = 4;

/** Serves as a process of a pool. */
export function serveInProcess(): void {
  if (process.send === undefined) throw new Error("This is started as a process by a pool.");
  // Ctrl-C reaches the whole group: what happens then is for the parent to say, who ends this process or is gone.
  process.on("SIGINT", () => {});
  process.on("disconnect", () => process.exit());
  process.on("uncaughtExceptionMonitor", (error) => {
    if (process.connected) process.send?.({ type: "fault", error: describeError(error) });
  });
  process.once("message", ({ setup, cgroup }: ProcessSetup<Setup>) => {
    if (cgroup !== null) Cgroup.enter(cgroup);
    const take = serveAny(
      {
        isolation: "process",
        post: (message) => {
          // Nobody to hear it: the end of this process is on its way.
          process.send?.(message, undefined, undefined, () => {});
        },
        isOpen: () => process.connected,
        memory: () => process.memoryUsage.rss(),
        end: () => process.disconnect(),
      },
      setup,
      notesInFile(MARK_FD),
    );
    process.on("message", take);
  });
}
