import { type ChildProcess, spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../../src/cli/main.ts", import.meta.url));
const TASKS = fileURLToPath(new URL("../fixtures/tasks.ts", import.meta.url));

/** A `pawl worker` in a process of its own. */
export class WorkerCommand implements AsyncDisposable {
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  said = "";
  readonly #child: ChildProcess;
  #heard = Promise.withResolvers<void>();

  constructor(address: string, ...flags: readonly string[]) {
    const env = {
      ...process.env,
      PAWL_STORE: address,
      NODE_COMPILE_CACHE: join(tmpdir(), "pawl-test-compile-cache"),
    };
    const child = spawn(process.execPath, [MAIN, "worker", TASKS, ...flags], {
      env,
      stdio: ["ignore", "ignore", "pipe"],
      detached: true,
    });
    this.#child = child;
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.said += text;
      this.#heard.resolve();
      this.#heard = Promise.withResolvers();
    });
    this.exited = new Promise((resolve) => {
      child.once("close", (code, signal) => resolve({ code, signal }));
    });
  }

  /** Resolves when it takes tasks. */
  async ready(): Promise<void> {
    while (!this.said.includes("takes tasks")) {
      const ended = await Promise.race([this.#heard.promise, this.exited.then(() => true)]);
      if (ended === true) throw new Error(`The worker ended at once: ${this.said}`);
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** To its children as well. */
  signalGroup(signal: NodeJS.Signals): void {
    process.kill(-(this.#child.pid as number), signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.exited;
  }
}
