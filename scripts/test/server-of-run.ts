import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * The folder of the one PostgreSQL that the files of a run share; the first that asks for it starts it. A guard in a process
 * and a session of its own stops the server and removes the folder once the run has ended, also where that was killed.
 */
export class ServerOfRun implements AsyncDisposable {
  readonly home: string;
  readonly #guard: ChildProcess;

  private constructor(home: string, guard: ChildProcess) {
    this.home = home;
    this.#guard = guard;
  }

  static async prepare(): Promise<ServerOfRun> {
    const home = await mkdtemp(join(tmpdir(), "pawl-test-postgres-"));
    // As root, the server runs as another user, who has to pass here.
    await chmod(home, 0o755);
    const guard = spawn(process.execPath, [join(import.meta.dirname, "guard.ts"), home], {
      detached: true,
      stdio: ["pipe", "inherit", "inherit"],
    });
    return new ServerOfRun(home, guard);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#guard, "exit");
    this.#guard.stdin?.end();
    await ended;
  }
}
