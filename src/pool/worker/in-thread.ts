import { getHeapStatistics } from "node:v8";
import { parentPort, workerData } from "node:worker_threads";
import { notesInMemory } from "./marker.ts";
import { type Setup, serveAny } from "./serve-any.ts";

/** Serves as a thread of a pool. */
export function serveInThread(): void {
  const { setup, mark } = workerData as { setup: Setup; mark: SharedArrayBuffer };
  const port = parentPort;
  if (port === null) throw new Error("This is started as a thread by a pool.");
  let ended = false;
  // A function that closes the line would leave its parent waiting for ever: it is told by the end of the thread.
  port.on("close", () => {
    if (!ended) process.exit(1);
  });
  const take = serveAny(
    {
      isolation: "thread",
      post: (message) => port.postMessage(message),
      isOpen: () => true,
      memory: () => {
        const { used_heap_size, external_memory } = getHeapStatistics();
        return used_heap_size + external_memory;
      },
      end: () => {
        ended = true;
        port.close();
      },
    },
    setup,
    notesInMemory(mark),
  );
  port.on("message", take);
  // What cannot be read is lost, and its call would wait for ever.
  port.on("messageerror", (error) => {
    throw error;
  });
}
