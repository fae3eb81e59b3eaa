import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { PawlError } from "../../../errors.ts";
import { openStateFile } from "../../../state-folder.ts";

const patienceMs = 120_000;

/**
 * Runs `work` while no other process does so for the same directory. The lock is the operating system's own on a
 * SQLite file, so that it ends with its process however that dies, and never has to be judged stale.
 */
export async function alone<T>(directory: string, work: () => Promise<T>): Promise<T> {
  const lock = new DatabaseSync(openStateFile(join(directory, "lock")));
  try {
    const deadline = Date.now() + patienceMs;
    while (!tryLock(lock)) {
      if (Date.now() > deadline) {
        throw new PawlError(
          "postgres.embedded.busy",
          `Another process has been starting or stopping the embedded PostgreSQL in ${directory} for two minutes: ` +
            "end that process, then try again.",
        );
      }
      await sleep(25);
    }
    return await work();
  } finally {
    lock.close();
  }
}

function tryLock(lock: DatabaseSync): boolean {
  try {
    lock.exec("BEGIN EXCLUSIVE");
    return true;
  } catch (error) {
    if (error instanceof Error && error.message.includes("locked")) return false;
    throw error;
  }
}
