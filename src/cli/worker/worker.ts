import type { AddressInfo } from "node:net";
import { availableParallelism } from "node:os";
import { basename, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { takePartInRuns } from "../../batch/internal.ts";
import { parseDuration } from "../../durations.ts";
import { errorText } from "../../error-text.ts";
import { PawlError, TransientError } from "../../errors.ts";
import { suggest } from "../../near-names.ts";
import { setOwn } from "../../own.ts";
import { openStore } from "../../store/index.ts";
import { stateLocation } from "../../store/internal.ts";
import { type Duration, disconnect, startWorker, useStore } from "../../tasks/index.ts";
import { knownTasks } from "../../tasks/internal.ts";
import { visible } from "../../visible.ts";
import type { PawlProfile } from "../config.ts";
import { EXIT } from "../exit-codes.ts";
import { firstLine, importModule } from "../options/module.ts";
import { given, parseCount, parsed, parsePositiveDuration, parseSize } from "../options/parse.ts";
import { jobAmong, mayMakeJob } from "../runs/resolve-job.ts";
import { againEndsAtOnce, endAnyway, onStopRequest, type StopReason } from "../shutdown.ts";
import { tell } from "../terminal/output.ts";
import { serveHealth, WorkerCheck } from "./health.ts";
import { launcher } from "./launcher.ts";
import { SystemdNotifier } from "./systemd.ts";

export interface WorkerFlags {
  readonly queues?: string;
  readonly prefetch?: string;
  readonly maxMemory?: string;
  readonly maxTasks?: string;
  readonly drain: string;
  readonly lease?: string;
  readonly health?: string;
}

/** So long may a store take to answer before that is said, and so long is waited before it is asked again. */
const SILENT_MS = 2_000;
const AGAIN_MS = 1_000;

/** Names as people give them; others need a task that is in such a queue. */
const PLAIN_QUEUE = /^[\p{L}\p{N}_.:/@-]+$/u;

/** How long tasks that were asked to stop may take, until they are handed back and the process ends. */
const HAND_BACK: Duration = "1s";

/**
 * `pawl worker MODULE…`: runs the tasks that the modules define, and takes part in the runs of the jobs they export,
 * until it is asked to stop.
 */
export async function worker(
  named: readonly string[],
  flags: WorkerFlags,
  settings: PawlProfile,
): Promise<void> {
  const npm = launcher();
  const options = given({
    queues: parsed(flags.queues, parseQueues, "--queues") ?? settings.queues,
    prefetch: parsed(flags.prefetch, parseCount, "--prefetch", 0),
    maxMemory: parsed(flags.maxMemory, parseSize, "--max-memory"),
    maxTasks: parsed(flags.maxTasks, parseCount, "--max-tasks", 1),
    lease: parsed(flags.lease, parsePositiveDuration, "--lease"),
  });
  const drain = parseDuration(flags.drain, "--drain");
  const modules = named.length > 0 ? named : (settings.modules ?? []);
  if (modules.length === 0) {
    throw new PawlError(
      "usage.modules",
      "pawl worker needs a module that calls task() or exports a job: name it, or list it under modules in pawl.config.ts.",
    );
  }
  const location = stateLocation().store;
  useStore(location);
  const check = new WorkerCheck();
  if (flags.health !== undefined) {
    const { address, family, port } = (await serveHealth(flags.health, check)).address() as AddressInfo;
    say(`answers /live and /ready at ${family === "IPv6" ? `[${address}]` : address}:${port}`);
  }
  const systemd = SystemdNotifier.of(say);
  const jobs: string[] = [];
  for (const module of modules) {
    if (mayMakeJob(await importModule(module, "The module"))) jobs.push(resolve(module));
  }
  if (options.queues !== undefined) checkQueues(options.queues);
  const start = () =>
    startWorker({
      ...options,
      modules: modules.map((module) => pathToFileURL(resolve(module)).href),
      onError: (error) => say(`error: ${messageOf(error)}`),
    });
  const running = await whenAvailable(start).catch((error: unknown) => {
    if (jobs.length > 0 && error instanceof PawlError && error.code === "worker.no-tasks") return null;
    throw error;
  });
  const leave = new AbortController();
  if (running !== null) check.claims(running);
  const runs =
    jobs.length === 0
      ? null
      : takePart(jobs, location, { lease: options.lease, signal: leave.signal, check });
  const asked = untilAsked(npm, async (reason) => {
    const { length } = running?.running() ?? [];
    const wait = length === 0 ? "" : `: ${length} running, which have up to ${flags.drain}`;
    say(`${reason}: takes no more tasks${wait}${againEndsAtOnce(reason)}`);
    check.stops();
    leave.abort();
    endAnyway(say, drain);
    await Promise.all([running?.stop({ drain, handBack: HAND_BACK }), runs, systemd?.stopping()]);
  });
  // Only now that signals are listened to: who reads it may send one at once.
  if (running !== null) say(`worker ${running.id} takes tasks from ${running.describe()}`);
  await systemd?.ready(() => check.whyNotLive() === null);
  await asked;
  await disconnect();
  // A handler that ignores its signal may still run; its task has been handed back.
  process.exit(EXIT.done);
}

/** Takes part in the runs of these modules' jobs, also those that another process begins, until the signal aborts. */
async function takePart(
  modules: readonly string[],
  location: string,
  {
    lease,
    signal,
    check,
  }: { readonly lease: number | undefined; readonly signal: AbortSignal; readonly check: WorkerCheck },
): Promise<void> {
  const store = await whenAvailable(() => openStore(location));
  check.takesPart(store);
  try {
    say(`takes part in runs of ${modules.map((module) => basename(module)).join(", ")}`);
    await takePartInRuns({
      store,
      scratch: stateLocation().runs,
      jobOf: (run) => jobAmong(modules, run),
      signal,
      ...(lease === undefined ? {} : { leaseMs: lease }),
      onJoin: (run) => say(`run ${run.id}: takes part`),
      onRest: (run, { state }) => say(`run ${run.id}: ${signal.aborted ? "left to other workers" : state}`),
      onRefused: (run, error) => say(`run ${run.id}: cannot take part: ${messageOf(error)}`),
      onNote: say,
    });
  } finally {
    await store.close();
  }
}

function messageOf(error: unknown): string {
  return firstLine(errorText(error));
}

/** A worker may be started before its database: waits for a store that is away, and says so. */
async function whenAvailable<T>(open: () => Promise<T>): Promise<T> {
  let waits = false;
  const early = setTimeout(() => {
    waits = true;
    say("waits for the store, which does not answer");
  }, SILENT_MS);
  try {
    for (;;) {
      try {
        const opened = await open();
        if (waits) say("the store is there");
        return opened;
      } catch (error) {
        if (!(error instanceof TransientError)) throw error;
        waits = true;
        clearTimeout(early);
        say(`waits for the store: ${messageOf(error)}`);
      }
      await sleep(AGAIN_MS);
    }
  } finally {
    clearTimeout(early);
  }
}

/**
 * A queue that no task of the modules names may be one that callers name, so that it is only reported. A name that looks like a typo
 * in the option is refused.
 */
function checkQueues(queues: Readonly<Record<string, number>>): void {
  const used = [...new Set(knownTasks().map(({ definition }) => definition.queue))];
  if (used.length === 0) return;
  for (const queue of Object.keys(queues)) {
    if (used.includes(queue)) continue;
    if (!PLAIN_QUEUE.test(queue)) {
      throw new PawlError(
        "usage.queues",
        `--queues takes names such as heavy:4,light:16, and no task is in a queue "${queue}": write a colon before the number of slots, and a comma between queues.`,
      );
    }
    const theirs = `the tasks of the modules are in ${used.join(", ")}`;
    say(`no task of the modules is in queue "${queue}": ${suggest(queue, used, theirs)}`);
  }
}

/** Resolves when the process was asked to stop, by a signal or by the end of npm that started it, and has done so. */
function untilAsked(
  npm: ReturnType<typeof launcher>,
  stop: (reason: StopReason) => Promise<void>,
): Promise<void> {
  return new Promise((ended, failed) => {
    const { ask } = onStopRequest((reason) => void stop(reason).then(ended, failed));
    npm.whenGone(() => ask("npm is gone, which had started this worker"));
  });
}

/** Parses `heavy:4,light:16`. A queue without a number has one slot a core. */
function parseQueues(text: string, flag: string): Record<string, number> {
  const queues: Record<string, number> = {};
  for (const part of text.split(",")) {
    const colon = part.lastIndexOf(":");
    const queue = (colon < 0 ? part : part.slice(0, colon)).trim();
    if (Object.hasOwn(queues, queue))
      throw new PawlError(
        "usage.queues",
        `${flag} names the queue "${queue}" twice: give it one number of slots.`,
      );
    if (queue === "") {
      throw new PawlError("usage.queues", `${flag} takes names such as heavy:4,light:16, not "${text}".`);
    }
    const slots = colon < 0 ? availableParallelism() : parseCount(part.slice(colon + 1), flag, 1);
    setOwn(queues, queue, slots);
  }
  return queues;
}

function say(line: string): void {
  tell(visible(line));
}
