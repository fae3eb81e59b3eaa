/** A thread of a pool. */
import { getHeapStatistics } from "node:v8";
import { parentPort, workerData } from "node:worker_threads";
import { noteInMemory } from "./marker.ts";
import type { ToWorker, WorkerSetup } from "./protocol.ts";
import { serve } from "./serve.ts";

const { setup, mark } = workerData as { setup: WorkerSetup; mark: SharedArrayBuffer };
const port = parentPort;
if (port === null) throw new Error("This file is started as a thread by a pool.");

const take = serve(
  {
    isolation: "thread",
    post: (message) => port.postMessage(message),
    memory: () => {
      const { used_heap_size, external_memory } = getHeapStatistics();
      return used_heap_size + external_memory;
    },
    end: () => port.close(),
  },
  setup,
  noteInMemory(mark),
);
port.on("message", (message: ToWorker) => take(message));
