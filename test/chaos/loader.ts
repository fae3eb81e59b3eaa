import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Aim, CRASH_POINT } from "./crash-point.ts";
import { Mismatch } from "./mismatch.ts";

const CLI = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const PRELOAD = new URL("./crash-point.ts", import.meta.url).href;
const PATIENCE_MS = 120_000;

export type LoaderAim = Omit<Aim, "marker">;

/** How a process of Pawl ended, and what it said. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** One process of Pawl, in a process group of its own. Its output goes to files, so that it never waits for a reader. */
export class Loader {
  /** Tells its effects from those of others: the audit trigger sees it. */
  readonly name: string;
  readonly pid: number;
  readonly startedAt = Date.now();
  readonly ended: Promise<Ended>;
  /** Whether it ends or stops by itself, at the point aimed at. */
  readonly aimed: boolean;
  readonly #marker: string;
  readonly #child: ChildProcess;
  #over = false;

  constructor(
    name: string,
    folder: string,
    argv: readonly string[],
    env: Readonly<Record<string, string>>,
    aim: LoaderAim | null,
  ) {
    this.name = name;
    this.aimed = aim !== null;
    this.#marker = join(folder, `${name}.point`);
    const aiming = aim && {
      NODE_OPTIONS: `--import=${PRELOAD}`,
      [CRASH_POINT]: JSON.stringify({ ...aim, marker: this.#marker }),
    };
    const outPath = join(folder, `${name}.out`);
    const errPath = join(folder, `${name}.err`);
    const [out, err] = [openSync(outPath, "w"), openSync(errPath, "w")];
    this.#child = spawn(process.execPath, [CLI, ...argv], {
      cwd: folder,
      env: { ...process.env, ...env, ...aiming, PGOPTIONS: `-c chaos.loader=${name}` },
      stdio: ["ignore", out, err],
      detached: true,
    });
    closeSync(out);
    closeSync(err);
    this.pid = this.#child.pid ?? 0;
    this.ended = new Promise((resolve, reject) => {
      this.#child.on("error", reject);
      this.#child.on("exit", (code, signal) => {
        this.#over = true;
        resolve({ code, signal, stdout: readFileSync(outPath), stderr: readFileSync(errPath, "utf8") });
      });
    });
  }

  get alive(): boolean {
    return !this.#over;
  }

  /** Waits for the point aimed at; false when the process ended before it. */
  async atPoint(): Promise<boolean> {
    while (this.alive && !this.wasAtPoint) await sleep(5);
    return this.wasAtPoint;
  }

  get wasAtPoint(): boolean {
    return existsSync(this.#marker);
  }

  signal(signal: NodeJS.Signals): void {
    if (this.alive) this.#child.kill(signal);
  }

  /** Waits for the end; a process that does not come to one is a failure, and is killed. */
  async end(patience = PATIENCE_MS): Promise<Ended> {
    const ended = await Promise.race([this.ended, sleep(patience, null, { ref: false })]);
    if (ended) return ended;
    this.signal("SIGKILL");
    throw new Mismatch(`${this.name} did not end within ${patience / 1000} s\n${(await this.ended).stderr}`);
  }

  /** Nothing that this process started may outlive it for long. */
  async expectNoDescendants(): Promise<void> {
    for (let waited = 0; groupExists(this.pid); waited += 20) {
      if (waited > 3000) {
        process.kill(-this.pid, "SIGKILL");
        throw new Mismatch(`${this.name} left processes behind`);
      }
      await sleep(20);
    }
  }
}

function groupExists(group: number): boolean {
  try {
    process.kill(-group, 0);
    return true;
  } catch {
    return false;
  }
}
