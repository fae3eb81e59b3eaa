import { type ChildProcess, spawn } from "node:child_process";
import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
  type WorkerOptions,
} from "node:worker_threads";
import type { ActorSetup } from "../actor/protocol.ts";
import { describeError, reviveError } from "../transfer/remote-error.ts";
import { entryOf } from "./start-worker.ts";
import type { ThreadData } from "./in-thread.ts";
import { FileMarker, type Marker, SharedMarker } from "./marker.ts";
import { Descendants, leadsGroup } from "./process-group.ts";
import type { FromWorker, ProcessSetup, ToWorker, WorkerSetup } from "./protocol.ts";
import { endWithParent } from "./reaper.ts";

/** The parent's end of the line to one worker. */
export interface Host<To = ToWorker> {
  readonly marker: Marker;
  /** Throws DataCloneError when the message cannot be cloned; then nothing was sent. */
  post(message: To): void;
  /** Whether this worker keeps the program from ending. */
  hold(held: boolean): void;
  /** Ends the worker now, whatever it does; resolves when it is gone. */
  kill(): Promise<void>;
  /** Resolves when the worker is gone, with why, for people. */
  readonly gone: Promise<string>;
}

/** What a worker is started with: one of a pool, or one that is an actor. */
type Setup = WorkerSetup | ActorSetup;

/** Where a worker's messages go. */
export type MessageListener<From = FromWorker> = (message: From) => void;

const MB = 1024 * 1024;

/** Starts a thread. It is gone within milliseconds of `kill` unless it is in native code. `maxHeap` is in bytes. */
export function startThread<To = ToWorker, From = FromWorker>(
  setup: Setup,
  maxHeap: number | null,
  listener: MessageListener<From>,
): Host<To> {
  const marker = new SharedMarker();
  const entry = entryOf("thread");
  const { port1: port, port2 } = new MessageChannel();
  const data: ThreadData = { setup, mark: marker.memory, port: port2 };
  const options: WorkerOptions = {
    workerData: data,
    transferList: [port2],
    ...(maxHeap === null ? {} : { resourceLimits: { maxOldGenerationSizeMb: Math.ceil(maxHeap / MB) } }),
  };
  const worker =
    "file" in entry ? new Worker(entry.file, options) : new Worker(entry.code, { ...options, eval: true });
  let fault: string | null = null;
  port.on("message", (message) => listener(message));
  // The thread itself keeps the program, as long as it is held.
  port.unref();
  worker.on("error", (error) => {
    fault = wordsFor(error);
  });
  port.on("messageerror", (error) => {
    fault = wordsFor(error);
    void worker.terminate();
  });
  const gone = new Promise<string>((resolve) => {
    worker.once("exit", (code) => {
      for (const message of unread(port)) listener(message as From);
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

/** What a thread said before its end, and the pool has not heard yet. */
function* unread(port: MessagePort): Generator<unknown> {
  try {
    for (;;) {
      const received: { readonly message: unknown } | undefined = receiveMessageOnPort(port);
      if (received === undefined) return;
      yield received.message;
    }
  } catch {
    // One that cannot be read: what was to come with it and after it counts as lost with the thread.
  }
}

/** Starts a process, which can be killed in native code too, and whose crash is its own. `maxHeap` is in bytes. */
export function startProcess<To = ToWorker, From = FromWorker>(
  setup: Setup,
  maxHeap: number | null,
  listener: MessageListener<From>,
): Host<To> {
  const marker = new FileMarker();
  const { child, descendants } = spawnNode(setup, maxHeap, marker);
  const release = endWithParent(descendants);
  let fault: string | null = null;
  child.on("message", (message) => {
    hear(message, (heard: FromWorker) => {
      if (heard.type === "fault") fault ??= wordsFor(reviveError(heard.error));
      else listener(heard as From);
    });
  });
  const gone = new Promise<string>((resolve) => {
    const over = (why: string) => {
      release();
      resolve(why);
    };
    // What it was in the middle of is over, and so is what it had started for that.
    child.once("exit", (code) => {
      if (code !== 0) descendants.kill();
    });
    // Not at its exit: what it said before may still be on the way.
    child.once("close", (code, signal) =>
      over(fault ?? (signal ? `it was ended by ${signal}` : `it ended with code ${code}`)),
    );
    // One that never started never ends.
    child.on("error", (error) => {
      if (child.pid === undefined) over(error.message);
    });
  });
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
      descendants.kill();
      await gone;
    },
  };
}

function spawnNode(
  setup: Setup,
  maxHeap: number | null,
  marker: FileMarker,
): { child: ChildProcess; descendants: Descendants } {
  let descendants: Descendants | null = null;
  try {
    const entry = entryOf("process");
    const limit = maxHeap === null ? [] : [`--max-old-space-size=${Math.ceil(maxHeap / MB)}`];
    const run = "file" in entry ? [entry.file] : ["--eval", entry.code];
    const child = spawn(process.execPath, [...execArgumentsOf(process.execArgv), ...limit, ...run], {
      serialization: "advanced",
      stdio: ["ignore", "inherit", "inherit", "ipc", marker.fd],
      detached: leadsGroup,
    });
    descendants = new Descendants(child);
    const start: ProcessSetup<Setup> = { setup, cgroup: descendants.cgroup?.path ?? null };
    // Throws what cannot be sent.
    if (child.pid !== undefined) child.send(start, () => {});
    return { child, descendants };
  } catch (error) {
    descendants?.kill();
    void descendants?.cgroup?.remove();
    marker.close();
    throw error;
  }
}

/** The functions of users may speak to the parent of their process too. */
function hear<From>(message: unknown, listener: MessageListener<From>): void {
  if (typeof message === "object" && message !== null) listener(message as From);
}

/** Anything may have been thrown. */
function wordsFor(thrown: unknown): string {
  if (!(thrown instanceof Error)) return describeError(thrown).message;
  if ((thrown as NodeJS.ErrnoException).code === "ERR_WORKER_OUT_OF_MEMORY") return "its heap was full";
  return `${thrown.name}: ${thrown.message}`;
}

/** What Node was told about this program alone: a worker that was told the same would do something else. */
const alone = /^(--test|--watch|--input-type|--eval|--print|--check|--interactive|--inspect|-[epci]$|-pe$)/;

/** Arguments for a Node that is to run under the same conditions as this one. */
function execArgumentsOf(given: readonly string[]): string[] {
  const kept: string[] = [];
  let drop = false;
  for (const argument of given) {
    // An argument that is not a flag is the value of the flag before it.
    if (argument.startsWith("-")) drop = alone.test(argument);
    if (!drop) kept.push(argument);
  }
  return kept;
}
