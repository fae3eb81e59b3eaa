import { getHeapStatistics } from "node:v8";
import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
  type WorkerOptions,
  workerData,
} from "node:worker_threads";
import { deathReason } from "../transfer/remote-error.ts";
import { notesInMemory, SharedMarker } from "./marker.ts";
import { serve } from "./pool-server.ts";
import type { Entry, HeapLimits, MessageListener, Setup, WorkerChannel } from "./protocol.ts";

/** What a thread is started with. */
interface ThreadData {
  readonly setup: Setup;
  readonly mark: SharedArrayBuffer;
  /** The channel to the parent: one of our own, since `parentPort` belongs to the functions of users. */
  readonly port: MessagePort;
}

const MB = 1024 * 1024;

/** Starts a thread. It is gone within milliseconds of `kill` unless it is in native code. */
export function startThread(
  entry: Entry,
  setup: Setup,
  { maxHeap, youngHeap }: HeapLimits,
  listener: MessageListener<unknown>,
): WorkerChannel<unknown> {
  const marker = new SharedMarker();
  const { port1: port, port2 } = new MessageChannel();
  const data: ThreadData = { setup, mark: marker.memory, port: port2 };
  const options: WorkerOptions = {
    workerData: data,
    transferList: [port2],
    resourceLimits: {
      ...(maxHeap === null ? {} : { maxOldGenerationSizeMb: Math.ceil(maxHeap / MB) }),
      ...(youngHeap === null ? {} : { maxYoungGenerationSizeMb: Math.ceil(youngHeap / MB) }),
    },
  };
  const worker =
    "file" in entry ? new Worker(entry.file, options) : new Worker(entry.code, { ...options, eval: true });
  let fault: string | null = null;
  port.on("message", (message) => listener(message));
  // Only the thread keeps the program from ending, as long as it is held; the port does not.
  port.unref();
  worker.on("error", (error) => {
    fault = deathReason(error);
  });
  port.on("messageerror", (error) => {
    fault = deathReason(error);
    void worker.terminate();
  });
  const gone = new Promise<string>((resolve) => {
    worker.once("exit", (code) => {
      for (const message of unread(port)) listener(message);
      port.close();
      resolve(fault ?? `it ended with code ${code}`);
    });
  });
  return {
    marker,
    gone,
    post: (message) => port.postMessage(message),
    hold: (held) => (held ? worker.ref() : worker.unref()),
    kill: async () => void (await worker.terminate()),
  };
}

/** Messages that a thread sent before its end and that this thread has not received yet. */
function* unread(port: MessagePort): Generator<unknown> {
  try {
    for (;;) {
      const received: { readonly message: unknown } | undefined = receiveMessageOnPort(port);
      if (received === undefined) return;
      yield received.message;
    }
  } catch {
    // A message cannot be read. It and those after it count as lost with the thread.
  }
}

/** Serves as a thread of a pool. */
export function serveInThread(): void {
  const { setup, mark, port } = takeData();
  // Taken here, before a function can replace it.
  const post = port.postMessage.bind(port);
  const take = serve(
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
  // A message that cannot be read is lost, and its call would wait for ever: the thread ends.
  port.on("messageerror", (error) => {
    throw error;
  });
}

/** Takes the data away from the functions of users, which could close the channel. */
function takeData(): ThreadData {
  const data = workerData as Partial<ThreadData>;
  const { setup, mark, port } = data;
  if (setup === undefined || mark === undefined || port === undefined)
    throw new Error("This is started as a thread by a pool.");
  for (const key of ["setup", "mark", "port"] as const) Reflect.deleteProperty(data, key);
  return { setup, mark, port };
}
