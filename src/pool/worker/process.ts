import { type ChildProcess, spawn } from "node:child_process";
import type { EventEmitter } from "node:events";
import { setImmediate } from "node:timers";
import { deathReason, describeError, reviveError } from "../transfer/remote-error.ts";
import { Cgroup, Descendants, leadsGroup } from "./descendants.ts";
import { FileMarker, notesInFile } from "./marker.ts";
import { serve } from "./pool-server.ts";
import type { Entry, FromWorker, HeapLimits, MessageListener, Setup, WorkerChannel } from "./protocol.ts";
import { endWithParent } from "./reaper.ts";

/** What a process is told first. */
interface ProcessSetup {
  readonly setup: Setup;
  /** The folder of the control group that it enters before it loads anything; null where there is none. */
  readonly cgroup: string | null;
}

/** The descriptor of the file in which a process notes what it runs. */
const MARK_FD = 4;

const MB = 1024 * 1024;

/** Starts a process, which can be killed in native code too, and whose crash is its own. */
export function startProcess(
  entry: Entry,
  setup: Setup,
  limits: HeapLimits,
  listener: MessageListener<unknown>,
): WorkerChannel<unknown> {
  const marker = new FileMarker();
  const { child, descendants } = spawnNode(entry, setup, limits, marker);
  const release = endWithParent(descendants);
  let fault: string | null = null;
  child.on("message", (message) => {
    // The functions of users may speak to the parent of their process too.
    if (typeof message !== "object" || message === null) return;
    const heard = message as Partial<FromWorker>;
    if (heard.type === "fault" && heard.error !== undefined) fault ??= deathReason(reviveError(heard.error));
    else listener(message);
  });
  const gone = new Promise<string>((resolve) => {
    const over = (why: string) => {
      release();
      resolve(why);
    };
    // A worker that was killed or crashed leaves processes behind that it had started: they end with it.
    child.once("exit", (code) => {
      if (code !== 0) descendants.kill();
    });
    // "close" comes after "exit" and after the last message of the worker.
    child.once("close", (code, signal) =>
      over(fault ?? (signal ? `it was ended by ${signal}` : `it ended with code ${code}`)),
    );
    // A process that could not be started has no "close" event.
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
  entry: Entry,
  setup: Setup,
  limits: HeapLimits,
  marker: FileMarker,
): { child: ChildProcess; descendants: Descendants } {
  let descendants: Descendants | null = null;
  try {
    const { maxHeap, youngHeap } = limits;
    const limit = maxHeap === null ? [] : [`--max-old-space-size=${Math.ceil(maxHeap / MB)}`];
    // The young generation is three of its half spaces.
    if (youngHeap !== null) limit.push(`--max-semi-space-size=${Math.ceil(youngHeap / MB / 3)}`);
    const run = "file" in entry ? [entry.file] : ["--eval", entry.code];
    const child = spawn(process.execPath, [...execArgumentsOf(process.execArgv), ...limit, ...run], {
      serialization: "advanced",
      stdio: ["ignore", "inherit", "inherit", "ipc", marker.fd],
      detached: leadsGroup,
    });
    descendants = new Descendants(child);
    const start: ProcessSetup = { setup, cgroup: descendants.cgroup?.path ?? null };
    // This throws for a setup that cannot be sent.
    if (child.pid !== undefined) child.send(start, () => {});
    return { child, descendants };
  } catch (error) {
    descendants?.kill();
    void descendants?.cgroup?.remove();
    marker.close();
    throw error;
  }
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
  process.once("message", ({ setup, cgroup }: ProcessSetup) => {
    if (cgroup !== null) Cgroup.enter(cgroup);
    const listen = keepListening((message) => take(message));
    const take = serve(
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
 * with this. Returns a function that checks that the listener is there.
 */
function keepListening(take: (message: unknown) => void): () => void {
  // The types of a process know the events of a process only.
  const events: EventEmitter = process;
  const listen = (): void => {
    if (!events.listeners("message").includes(take)) events.on("message", take);
    if (!events.listeners("removeListener").includes(removed)) events.on("removeListener", removed);
  };
  const removed = (event: string | symbol, listener: unknown): void => {
    // Later, because the function may still be removing other listeners.
    if (event === "message" && listener === take) setImmediate(listen);
  };
  return listen;
}
