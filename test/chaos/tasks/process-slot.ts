import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { CRASH_POINT } from "../crash-point.ts";
import { BROKEN, type Break } from "./broken.ts";
import { CLOCK, ClockFile } from "./clock.ts";
import { HISTORY, ROLE } from "./history.ts";

const CLOCK_PRELOAD = new URL("./clock.ts", import.meta.url).href;
const POINT_PRELOAD = new URL("../crash-point.ts", import.meta.url).href;

export interface ProcessSlotOptions {
  readonly role: string;
  readonly program: string;
  /** Given to the program as JSON; the second time it is started it may be told something else. */
  readonly orders: (start: number) => unknown;
  readonly folder: string;
  /** Null: a clock of its own. */
  readonly clock: ClockFile | null;
  readonly broken: Break | null;
}

/** What still runs when the run is broken off goes with it. */
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const each of running) each.kill("SIGKILL");
});

/** A slot of the run, filled by one process after the other. */
export class ProcessSlot {
  readonly role: string;
  readonly clock: ClockFile;
  /** How processes ended that no fault had ended. */
  readonly deaths: string[] = [];
  /** Something is being done to its process: nothing else should be. */
  busy = false;
  readonly #options: ProcessSlotOptions;
  #starts = 0;
  #process: ChildProcess | null = null;
  #ready: Promise<unknown> = Promise.resolve();

  constructor(options: ProcessSlotOptions) {
    this.#options = options;
    this.role = options.role;
    this.clock = options.clock ?? new ClockFile(join(options.folder, `${options.role}.clock`));
  }

  get pid(): number | null {
    return this.#process?.pid ?? null;
  }

  /** Starts a process here. With a `point` it is killed at that commit. */
  start(point: number | null = null): void {
    const { role, program, orders, folder, broken } = this.#options;
    const aim = { point, signal: "SIGKILL", marker: join(folder, `${role}.point`) };
    const preloads = [CLOCK_PRELOAD, ...(point === null ? [] : [POINT_PRELOAD])];
    const started = spawn(process.execPath, [program, JSON.stringify(orders(this.#starts++))], {
      env: {
        ...process.env,
        // Most of what a process costs here is its start.
        NODE_COMPILE_CACHE: join(dirname(folder), "compiled"),
        NODE_OPTIONS: preloads.map((url) => `--import=${url}`).join(" "),
        [HISTORY]: join(folder, "history"),
        [ROLE]: role,
        [CLOCK]: this.clock.path,
        ...(broken === null ? {} : { [BROKEN]: broken }),
        ...(point === null ? {} : { [CRASH_POINT]: JSON.stringify(aim) }),
      },
      stdio: ["ignore", "pipe", openSync(join(folder, `${role}.err`), "a")],
    });
    this.#process = started;
    running.add(started);
    const gone = once(started, "exit");
    this.#ready = Promise.race([once(started.stdout as NodeJS.ReadableStream, "data"), gone]);
    void gone.then(([code, signal]) => {
      running.delete(started);
      if (signal === null && code !== 0)
        this.deaths.push(`${role} (${started.pid}) ended with exit code ${code}`);
      if (this.#process === started) this.#process = null;
    });
  }

  /** Resolves when the process works, or is gone. */
  async ready(): Promise<void> {
    await this.#ready;
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  /** Ends the process by a signal, at the latest after `patienceMs` by SIGKILL. False when it took that. */
  async end(signal: NodeJS.Signals, patienceMs = 60_000): Promise<boolean> {
    this.signal(signal);
    return await this.over(patienceMs);
  }

  /** Waits until the process ends; after `patienceMs` it is killed. False when that was necessary. */
  async over(patienceMs: number): Promise<boolean> {
    const running = this.#process;
    if (running === null) return true;
    let patient = true;
    const timer = setTimeout(() => {
      patient = false;
      running.kill("SIGKILL");
    }, patienceMs);
    if (running.exitCode === null && running.signalCode === null) await once(running, "exit");
    clearTimeout(timer);
    return patient;
  }

  /** Processes that the process has started. */
  children(): number[] {
    const { pid } = this;
    if (pid === null) return [];
    try {
      const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
      return text.split(" ").filter(Boolean).map(Number);
    } catch {
      return [];
    }
  }
}
