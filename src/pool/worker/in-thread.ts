import { getHeapStatistics } from "node:v8";
import { type MessagePort, workerData } from "node:worker_threads";
import { notesInMemory } from "./marker.ts";
import { type Setup, serveAny } from "./pool-server.ts";

/** What a thread is started with. */
export interface ThreadData {
  readonly setup: Setup;
  readonly mark: SharedArrayBuffer;
  /** The line to the parent: one of our own, since `parentPort` belongs to the functions of users. */
  readonly port: MessagePort;
}

/** Serves as a thread of a pool. */
export function serveInThread(): void {
  const { setup, mark, port } = takeData();
  // Taken here, before a function can replace it.
  const post = port.postMessage.bind(port);
  const take = serveAny(
    {
      isolation: "thread",
      post,
      isOpen: () => true,
      memory: () => {
        const { used_heap_size, external_memory } = getHeapStatistics();
        return used_heap_size + external_memory;
      },
      end: () => port.close(),
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

/** Leaves nothing of it to the functions of users, who could cut the line. */
function takeData(): ThreadData {
  const data = workerData as Partial<ThreadData>;
  const { setup, mark, port } = data;
  if (setup === undefined || mark === undefined || port === undefined)
    throw new Error("This is started as a thread by a pool.");
  for (const key of ["setup", "mark", "port"] as const) Reflect.deleteProperty(data, key);
  return { setup, mark, port };
}
