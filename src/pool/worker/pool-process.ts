/** A process of a pool. */
import { noteInFile } from "./marker.ts";
import type { ToWorker, WorkerSetup } from "./protocol.ts";
import { serve } from "./serve.ts";

const MARK_FD = 4;

if (process.send === undefined) throw new Error("This file is started as a process by a pool.");

// Ctrl-C reaches the whole group: what happens then is for the parent to say, who ends this process or is gone.
process.on("SIGINT", () => {});
process.on("disconnect", () => process.exit());
process.once("message", (setup: WorkerSetup) => {
  const take = serve(
    {
      isolation: "process",
      post: (message) => {
        process.send?.(message);
      },
      memory: () => process.memoryUsage.rss(),
      end: () => process.disconnect(),
    },
    setup,
    noteInFile(MARK_FD),
  );
  process.on("message", (message: ToWorker) => take(message));
});
