import { availableParallelism } from "node:os";
import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { joinRuns, statePlace } from "../batch/index.ts";
import { PawlError } from "../errors.ts";
import { setOwn } from "../own.ts";
import { openStore } from "../store/index.ts";
import {
  type Duration,
  disconnect,
  milliseconds,
  parseDuration,
  startWorker,
  useStore,
} from "../tasks/index.ts";
import { EXIT } from "./exit.ts";
import { importModule, oneLine } from "./import-module.ts";
import { tell } from "./output.ts";
import { jobAmong, mayMakeJob } from "./resolve-job.ts";
import { parseCount, parseSize } from "./sizes.ts";
import { storeLocation } from "./tasks/open.ts";
import { visible } from "./visible.ts";

export interface WorkerFlags {
  readonly queues?: string;
  readonly prefetch?: string;
  readonly maxMemory?: string;
  readonly maxTasks?: string;
  readonly drain: string;
  readonly lease?: string;
  readonly store?: string;
}

/** How long tasks that were asked to stop may take, until they are handed back and the process ends. */
const HAND_BACK: Duration = "1s";

/**
 * `pawl worker MODULE…`: runs the tasks that the modules define, and takes part in the runs of the jobs they export,
 * until it is asked to stop.
 */
export async function worker(modules: readonly string[], flags: WorkerFlags): Promise<void> {
  const options = {
    ...(flags.queues === undefined ? {} : { queues: parseQueues(flags.queues) }),
    ...(flags.prefetch === undefined ? {} : { prefetch: parseCount(flags.prefetch, "--prefetch", 0) }),
    ...(flags.maxMemory === undefined ? {} : { maxMemory: parseSize(flags.maxMemory, "--max-memory") }),
    ...(flags.maxTasks === undefined ? {} : { maxTasks: parseCount(flags.maxTasks, "--max-tasks", 1) }),
    ...(flags.lease === undefined ? {} : { lease: parseDuration(flags.lease, "--lease") }),
  };
  const drain = parseDuration(flags.drain, "--drain");
  const location = storeLocation(flags.store);
  useStore(location);
  const jobs: string[] = [];
  for (const module of modules) {
    if (mayMakeJob(await importModule(module, "The module"))) jobs.push(resolve(module));
  }
  const running = await startWorker({
    ...options,
    modules: modules.map((module) => pathToFileURL(resolve(module)).href),
    onError: (error) => say(`trouble: ${messageOf(error)}`),
  }).catch((error: unknown) => {
    if (jobs.length > 0 && error instanceof PawlError && error.code === "worker.no-tasks") return null;
    throw error;
  });
  if (running !== null) say(`worker ${running.id} takes tasks from ${running.describe()}`);
  const leave = new AbortController();
  const runs = jobs.length === 0 ? null : takePartInRuns(jobs, location, options.lease, leave.signal);
  await untilAsked(async (signal, again) => {
    const { length } = running?.running() ?? [];
    const wait = length === 0 ? "" : `: ${length} running, which have up to ${flags.drain}`;
    say(`${signal}: takes no more tasks${wait}${again}`);
    leave.abort();
    await Promise.all([running?.stop({ drain, handBack: HAND_BACK }), runs]);
  });
  await disconnect();
  // A handler that does not listen may go on; its task has been handed back.
  process.exit(EXIT.done);
}

/** Takes part in the runs of these modules' jobs, whoever begins them, until it is to leave. */
async function takePartInRuns(
  modules: readonly string[],
  location: string,
  lease: Duration | undefined,
  signal: AbortSignal,
): Promise<void> {
  const store = await openStore(location);
  try {
    say(`takes part in runs of ${modules.map((module) => basename(module)).join(", ")}`);
    await joinRuns({
      store,
      scratch: statePlace().runs,
      jobOf: (run) => jobAmong(modules, run),
      signal,
      ...(lease === undefined ? {} : { leaseMs: milliseconds(lease, "--lease") }),
      onJoin: (run) => say(`run ${run.id}: takes part`),
      onRest: (run, { state }) => say(`run ${run.id}: ${signal.aborted ? "left to others" : state}`),
      onRefused: (run, error) => say(`run ${run.id}: cannot take part: ${messageOf(error)}`),
      onNote: say,
    });
  } finally {
    await store.close();
  }
}

function messageOf(error: unknown): string {
  return oneLine(error instanceof Error ? error.message : String(error));
}

/** Resolves when the process was asked to stop, and has done so. The second time it ends at once. */
function untilAsked(stop: (signal: string, again: string) => Promise<void>): Promise<void> {
  return new Promise((ended, failed) => {
    let asked = false;
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        // What runs is a crash then, which another worker of this machine sees at once.
        if (asked) process.exit(EXIT.interrupted);
        asked = true;
        stop(signal, "; once more to end at once").then(ended, failed);
      });
    }
  });
}

/** Parses `heavy:4,light:16`. A queue without a number has one slot a core. */
function parseQueues(text: string): Record<string, number> {
  const queues: Record<string, number> = {};
  for (const part of text.split(",")) {
    const colon = part.lastIndexOf(":");
    const queue = (colon < 0 ? part : part.slice(0, colon)).trim();
    if (queue === "" || Object.hasOwn(queues, queue)) {
      throw new PawlError("usage.queues", `--queues takes names such as heavy:4,light:16, not "${text}".`);
    }
    const slots = colon < 0 ? availableParallelism() : parseCount(part.slice(colon + 1), "--queues", 1);
    setOwn(queues, queue, slots);
  }
  return queues;
}

function say(line: string): void {
  tell(visible(line));
}
