import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { isMainThread } from "node:worker_threads";

/** A process id says something only on its machine, and only to who sees the same processes. */
const machine = createHash("sha256").update(`${hostname()}\n${processView()}`).digest("hex").slice(0, 12);

const PREFIX = `pawl-objects-${machine}-`;
const OWN_PREFIX = `${PREFIX}${process.pid}-`;

/** The directory in each base, for this thread. */
const directories = new Map<string, string>();
/** Where this process has directories, as far as this thread knows. */
const bases = new Set<string>();
let leftToMain = false;
let listening = false;

/**
 * A directory under `base` that only this user can look into; always the same one. It is removed when the program
 * ends. The first time, what programs left there that were killed is removed too. Throws what the file system throws.
 */
export function privateDirectory(base: string): string {
  const known = directories.get(base);
  if (known !== undefined) return known;
  removeWhenDone(base);
  mkdirSync(base, { recursive: true });
  removeLeftovers(base);
  const made = mkdtempSync(join(base, OWN_PREFIX));
  directories.set(base, made);
  return made;
}

/** Sees to it that the main thread removes what other threads leave in the directory of such a file. */
export function noteForeignFile(path: string): void {
  removeWhenDone(dirname(dirname(path)));
}

/** Leaves this thread's directories to the main thread: a file in them went to it. */
export function leaveToMain(): void {
  leftToMain = true;
}

function removeWhenDone(base: string): void {
  bases.add(base);
  if (listening) return;
  listening = true;
  process.on("exit", () => {
    if (!isMainThread) {
      if (!leftToMain) for (const directory of directories.values()) remove(directory);
      return;
    }
    for (const base of bases) {
      // Those of threads too, which may have been ended without notice, and those of processes that were killed.
      for (const name of names(base, OWN_PREFIX)) remove(join(base, name));
      removeLeftovers(base);
    }
  });
}

function removeLeftovers(base: string): void {
  for (const name of names(base, PREFIX)) {
    const pid = Number.parseInt(name.slice(PREFIX.length), 10);
    if (pid > 0 && !isAlive(pid) && isOurs(join(base, name))) remove(join(base, name));
  }
}

function names(base: string, prefix: string): string[] {
  try {
    return readdirSync(base).filter((name) => name.startsWith(prefix));
  } catch {
    return [];
  }
}

/** What cannot be removed now is removed by a program that starts later. */
function remove(directory: string): void {
  try {
    rmSync(directory, { recursive: true, force: true });
  } catch {}
}

/** A process id that is in use again makes a dead one look alive; then its directory stays a while longer. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

function isOurs(directory: string): boolean {
  try {
    const { uid } = lstatSync(directory);
    return process.getuid === undefined || uid === process.getuid();
  } catch {
    return false;
  }
}

function processView(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}
