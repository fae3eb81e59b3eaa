import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { PawlError } from "../../../errors.ts";
import type { ServerAccount } from "./account.ts";
import type { Binaries } from "./binaries.ts";
import { dataDirectory, serverEnvironment } from "./cluster.ts";

const logLimit = 16 * 1024 * 1024;

/** A running server, as its own `postmaster.pid` tells. */
export interface Postmaster {
  readonly pid: number;
  readonly port: number;
}

/** The server of this directory if its process is really alive. */
export function findPostmaster(directory: string): Postmaster | null {
  let lines: string[];
  try {
    lines = readFileSync(join(dataDirectory(directory), "postmaster.pid"), "utf8").split("\n");
  } catch {
    return null;
  }
  const pid = Number(lines[0]);
  const port = Number(lines[3]);
  return pid > 0 && isPostgres(pid) ? { pid, port } : null;
}

/** Starts the server as a process of its own that outlives this one. */
export function launch(
  directory: string,
  port: number,
  binaries: Binaries,
  account: ServerAccount | null,
  flags: readonly string[],
): { readonly exited: () => boolean } {
  const data = dataDirectory(directory);
  forgetForeignProcess(data);
  const log = openSync(logFile(directory), logSize(directory) > logLimit ? "w" : "a", 0o600);
  try {
    const child = spawn(binaries.postgres, ["-D", data, "-p", String(port), ...flags], {
      ...account,
      cwd: data,
      detached: true,
      stdio: ["ignore", log, log],
      env: serverEnvironment(),
    });
    let gone = false;
    child.on("error", () => {
      gone = true;
    });
    child.on("exit", () => {
      gone = true;
    });
    child.unref();
    return { exited: () => gone };
  } finally {
    closeSync(log);
  }
}

/**
 * PostgreSQL refuses to start while the process in `postmaster.pid` lives, even if another program got the number
 * since. In every other case the file must stay: by it a new server notices orphans of a killed one.
 */
function forgetForeignProcess(data: string): void {
  const file = join(data, "postmaster.pid");
  const pid = existsSync(file) ? Number.parseInt(readFileSync(file, "utf8"), 10) : 0;
  if (pid > 0 && isAlive(pid) && !isPostgres(pid)) rmSync(file);
}

/** Ends the server: `fast` disconnects clients and writes everything out, `immediate` is like a power cut. */
export async function end(directory: string, mode: "fast" | "immediate"): Promise<void> {
  const server = findPostmaster(directory);
  if (server === null) return;
  process.kill(server.pid, mode === "fast" ? "SIGINT" : "SIGQUIT");
  const deadline = Date.now() + 60_000;
  while (isPostgres(server.pid)) {
    if (Date.now() > deadline) {
      throw new PawlError(
        "postgres.embedded.stop",
        `The embedded PostgreSQL in ${directory} (process ${server.pid}) did not stop within a minute: see ${logFile(directory)}.`,
      );
    }
    await sleep(10);
  }
}

export function logFile(directory: string): string {
  return join(directory, "log");
}

function logSize(directory: string): number {
  return statSync(logFile(directory), { throwIfNoEntry: false })?.size ?? 0;
}

/** Whether the process lives and, where the system tells, is a PostgreSQL and not one that got its old number. */
function isPostgres(pid: number): boolean {
  if (!isAlive(pid)) return false;
  try {
    const status = readFileSync(`/proc/${pid}/stat`, "utf8");
    return /\(postgres.*\) [^Z]/.test(status);
  } catch {
    return process.platform !== "linux";
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
