import { fork } from "node:child_process";
import { Worker } from "node:worker_threads";
import { PawlError } from "../../errors.ts";
import { endWithParent } from "./end-with-parent.ts";
import { FileMarker, type Marker, SharedMarker } from "./marker.ts";
import type { FromWorker, ToWorker, WorkerSetup } from "./protocol.ts";

/** The parent's end of the line to one worker. */
export interface Host {
  readonly marker: Marker;
  /** Throws DataCloneError when the message cannot be cloned; then nothing was sent. */
  post(message: ToWorker): void;
  /** Whether this worker keeps the program from ending. */
  hold(held: boolean): void;
  /** Ends the worker now, whatever it does; resolves when it is gone. */
  kill(): Promise<void>;
  /** Resolves when the worker is gone, with why, for people. */
  readonly gone: Promise<string>;
}

/** Where a worker's messages go. */
export type Listener = (message: FromWorker) => void;

// Sources and the built package have the same names but for their ends.
const end = import.meta.url.slice(-3);
const threadFile = new URL(`./pool-thread${end}`, import.meta.url);
const processFile = new URL(`./pool-process${end}`, import.meta.url);

/** Starts a thread. It is gone within milliseconds of `kill` unless it is in native code. */
export function startThread(setup: WorkerSetup, listener: Listener): Host {
  const marker = new SharedMarker();
  const worker = new Worker(threadFile, { workerData: { setup, mark: marker.memory } });
  let fault: Error | null = null;
  worker.on("message", listener);
  worker.on("error", (error) => {
    fault = error as Error;
  });
  const gone = new Promise<string>((resolve) => {
    worker.once("exit", (code) => resolve(fault === null ? `it ended with code ${code}` : wordsFor(fault)));
  });
  return {
    marker,
    gone,
    post: (message) => worker.postMessage(message),
    hold: (held) => (held ? worker.ref() : worker.unref()),
    kill: async () => void (await worker.terminate()),
  };
}

/** Starts a process, which can be killed in native code too, and whose crash is its own. */
export function startProcess(setup: WorkerSetup, listener: Listener): Host {
  const marker = new FileMarker();
  const child = fork(processFile, {
    serialization: "advanced",
    stdio: ["ignore", "inherit", "inherit", "ipc", marker.fd],
  });
  const release = endWithParent(child);
  child.on("message", (message) => listener(message as FromWorker));
  const gone = new Promise<string>((resolve) => {
    const over = (why: string) => {
      release();
      resolve(why);
    };
    child.once("exit", (code, signal) =>
      over(signal ? `it was ended by ${signal}` : `it ended with code ${code}`),
    );
    // One that never started never exits.
    child.on("error", (error) => {
      if (child.pid === undefined) over(error.message);
    });
  });
  child.send(setup as object);
  return {
    marker,
    gone,
    post(message) {
      if (!child.connected) return;
      // What is lost on the way to a dead process is given back when its end is heard.
      child.send(message as object, () => {});
    },
    hold(held) {
      if (held) {
        child.ref();
        child.channel?.ref();
      } else {
        child.unref();
        child.channel?.unref();
      }
    },
    async kill() {
      child.kill("SIGKILL");
      await gone;
    },
  };
}

function wordsFor(error: Error): string {
  if ((error as NodeJS.ErrnoException).code === "ERR_WORKER_OUT_OF_MEMORY") return "its heap was full";
  return `${error.name}: ${error.message}`;
}

/** The worker died while it ran an item. */
export class WorkerDiedError extends PawlError {
  override readonly name = "WorkerDiedError";
}
