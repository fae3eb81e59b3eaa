import { createHash, randomBytes } from "node:crypto";
import { lstat, mkdir, readdir, readFile, rename, rm, rmdir, unlink, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { PawlError } from "../../errors.ts";
import { ownProcessMark, PROCESS_MARK, processOf } from "../../process-mark.ts";

/**
 * A writer of a file or a folder works in a folder beside it, `.NAME.pawl-<process>-<random>`, and publishes by renaming. In it lie
 * `set`, the new files, and while an overwrite renames two folders, `old-0` (or a later number), what stood at the target. The target
 * is missing between the two renames only; a reader that meets it like that puts the old one back, and the writer, if it lives, tries again.
 */
const NEW = "set";
const OLD = /^old-([0-9]+)$/;
/** Holds the name of the target, where it is too long to be a part of the work folder's. */
const NAME = "name";
/** Stands in the folder of a writer that is about to rename folders. */
const CHANGING = "changing";
/** A change takes milliseconds, or as long as linking all files of a large folder does. */
const LONGEST_WAIT_MS = 60_000;

/** A folder of a writer on another machine is taken for a leftover when nothing has changed in it for so long. */
const ABANDONED_MS = 7 * 24 * 60 * 60 * 1000;
/** A file's name has at most 255 bytes, of which the mark takes up to 100. */
const LONGEST_PREFIX = 120;

/** Whether a folder is one in which a writer of Pawl works: what lies in it is not published. */
export function isWorkFolder(name: string): boolean {
  return WORK_FOLDER.test(name);
}

const WORK_FOLDER = new RegExp(`^\\..*\\.pawl-${PROCESS_MARK}-[0-9a-f]{16}$`, "s");

function prefixOf(target: string): string {
  const name = basename(target);
  const short =
    Buffer.byteLength(name) <= LONGEST_PREFIX
      ? name
      : createHash("sha256").update(name).digest("hex").slice(0, 32);
  return `.${short}.pawl-`;
}

/** A folder in which a writer works on a target. */
export class WorkFolder {
  readonly path: string;
  /** Where the new file or the new folder is made. */
  readonly set: string;
  readonly #target: string;

  private constructor(target: string, path: string) {
    this.#target = target;
    this.path = path;
    this.set = join(path, NEW);
  }

  /** Makes one, under a name that cannot be guessed, for this user alone. */
  static async make(target: string): Promise<WorkFolder> {
    const name = `${prefixOf(target)}${ownProcessMark}-${randomBytes(8).toString("hex")}`;
    const path = join(dirname(target), name);
    await mkdir(path, { mode: 0o700 });
    if (Buffer.byteLength(basename(target)) > LONGEST_PREFIX)
      await writeFile(join(path, NAME), basename(target), { flag: "wx" });
    return new WorkFolder(target, path);
  }

  /**
   * Runs `change` while no other writer does the same at this target: each says in its own folder that it begins, and then looks whether
   * another one has said so. Of two that see each other the one whose folder comes first in order goes first.
   */
  async exclusively<T>(change: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const flag = join(this.path, CHANGING);
    const until = performance.now() + LONGEST_WAIT_MS;
    for (let pause = 1; ; pause = Math.min(pause * 2, 50)) {
      await writeFile(flag, "");
      let others = await changing(this.#target, this.path);
      while (others.length > 0 && others.every((other) => other > this.path) && performance.now() < until) {
        await sleep(1, undefined, { ...(signal === undefined ? {} : { signal }) });
        others = await changing(this.#target, this.path);
      }
      if (others.length === 0) break;
      await unlink(flag);
      if (performance.now() >= until)
        throw new PawlError(
          "data.target",
          `Another program has been about to publish ${this.#target} for a minute (its folder is ${others[0]}): end it, or write elsewhere.`,
        );
      await sleep(pause, undefined, { ...(signal === undefined ? {} : { signal }) });
    }
    try {
      return await change();
    } finally {
      await unlink(flag).catch(() => {});
    }
  }

  /** What this writer has taken from the target, and no reader has put back. */
  async taken(): Promise<readonly string[]> {
    return (await readdir(this.path)).filter((name) => OLD.test(name)).map((name) => join(this.path, name));
  }

  /** Moves what stands at the target into this folder, and returns where it is now; null where nothing stands there. */
  async takeOld(): Promise<string | null> {
    const numbers = (await readdir(this.path)).map((name) => Number(OLD.exec(name)?.[1] ?? -1));
    const old = join(this.path, `old-${Math.max(-1, ...numbers) + 1}`);
    try {
      await rename(this.#target, old);
      return old;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw error;
    }
  }

  /** Removes it with all that is in it, but for an old set that could not be put back. */
  async remove(): Promise<void> {
    // Once the new set has left it, an old one in it is what was replaced, even where another writer is swapping the target just now.
    const names = await namesIn(this.path);
    if (names.includes(NEW) && names.some((name) => OLD.test(name)) && (await isMissing(this.#target))) {
      await recoverTarget(this.#target);
      if ((await namesIn(this.path)).some((name) => OLD.test(name))) return;
    }
    await rm(this.path, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** The folders of other writers that live and are about to rename. */
async function changing(target: string, own: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const name of await workFoldersOf(target)) {
    const folder = join(dirname(target), name);
    const state = folder === own ? "dead" : processOf(markOf(name));
    const flag = state === "dead" ? null : await lstat(join(folder, CHANGING)).catch(() => null);
    // Whether a writer on another machine lives is not known: it is waited for as long as a change may take.
    if (flag !== null && (state === "alive" || Date.now() - flag.mtimeMs < LONGEST_WAIT_MS))
      found.push(folder);
  }
  return found;
}

function markOf(name: string): string {
  return name.slice(name.lastIndexOf(".pawl-") + 6, -17);
}

/** The old set that lies in a work folder while its target is missing, or has lain there since a writer was killed in between. */
interface TornFolder {
  readonly folder: string;
  readonly old: string;
  readonly changedAt: number;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return await readdir(folder).catch(() => []);
}

async function workFoldersOf(target: string): Promise<readonly string[]> {
  const prefix = prefixOf(target);
  const names = await namesIn(dirname(target));
  return names.filter((name) => name.startsWith(prefix) && isWorkFolder(name));
}

/** Where writers were killed between the two renames of an overwrite, the latest first. */
export async function tornFolders(target: string): Promise<readonly TornFolder[]> {
  const torn: TornFolder[] = [];
  for (const name of await workFoldersOf(target)) {
    const folder = join(dirname(target), name);
    const names = await namesIn(folder);
    if (!names.includes(NEW)) continue;
    const last = Math.max(-1, ...names.map((each) => Number(OLD.exec(each)?.[1] ?? -1)));
    const found = last < 0 ? null : await lstat(folder).catch(() => null);
    if (found !== null) torn.push({ folder, old: join(folder, `old-${last}`), changedAt: found.mtimeMs });
  }
  return torn.sort((a, b) => b.changedAt - a.changedAt);
}

/** Whether nothing stands at a path: an empty folder, which others may have made since, is nothing. */
export async function isMissing(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => null);
  return found === null || (found.isDirectory() && (await namesIn(path)).length === 0);
}

/**
 * Puts the whole old set back where a writer was killed between the two renames of an overwrite: at a path that is missing, or at a
 * folder above it. Returns whether something was put back. Every reader calls it before it says that nothing is there.
 */
export async function recoverTarget(path: string): Promise<boolean> {
  const missing: string[] = [];
  for (let at = resolve(path); await isMissing(at); at = dirname(at)) {
    missing.push(at);
    if (dirname(at) === at) break;
  }
  for (const target of missing.reverse()) {
    for (const { old } of await tornFolders(target)) {
      try {
        // Where the writer lives after all, or another reader was faster, one of both paths is not as it was, and nothing happens.
        await rename(old, target);
        return true;
      } catch {}
    }
  }
  return false;
}

/**
 * Puts old sets back into a folder whose names are given, as `recoverTarget` does for one path: a pattern would otherwise pass over a target
 * that is missing between two renames, and say nothing. Returns whether the names have to be read again.
 */
export async function recoverWithin(folder: string, names: readonly string[]): Promise<boolean> {
  const targets = new Set<string>();
  for (const name of names.filter(isWorkFolder)) {
    const target = await targetOf(join(folder, name));
    // A name that the listing has was there all the while, or was put there since the listing began.
    if (!names.includes(target)) targets.add(target);
  }
  let changed = false;
  for (const target of targets) {
    const path = join(folder, target);
    const isTorn = (await tornFolders(path)).length > 0;
    if (isTorn) await recoverTarget(path);
    // The writer itself may have put the new set there after the names were read.
    if (!(await isMissing(path))) changed = true;
  }
  return changed;
}

/** The name of the target of a work folder. */
async function targetOf(folder: string): Promise<string> {
  const name = basename(folder);
  return await readFile(join(folder, NAME), "utf8").catch(() => name.slice(1, name.lastIndexOf(".pawl-")));
}

/**
 * Removes what writers of a target have left that are dead: those of this machine by their process, those of others by their age. One that
 * holds the only copy of an old set is kept, unless `overwritten` says that the set is to be replaced anyway.
 */
export async function sweep(target: string, overwritten: boolean): Promise<void> {
  const torn = new Set(overwritten ? [] : (await tornFolders(target)).map(({ folder }) => folder));
  for (const name of await workFoldersOf(target)) {
    const folder = join(dirname(target), name);
    const state = processOf(markOf(name));
    if (state === "alive" || torn.has(folder)) continue;
    const found = await lstat(folder).catch(() => null);
    if (found === null) continue;
    if (state === "unknown" && Date.now() - found.mtimeMs < ABANDONED_MS) continue;
    await rm(folder, { recursive: true, force: true }).catch(() => {});
  }
}

/** Makes a folder and those above it that are missing, and returns those that it made, the deepest first. */
export async function makeParents(folder: string): Promise<readonly string[]> {
  const missing: string[] = [];
  for (let at = folder; (await lstat(at).catch(() => null)) === null && dirname(at) !== at; at = dirname(at))
    missing.push(at);
  const made: string[] = [];
  for (const each of missing.reverse()) {
    try {
      await mkdir(each);
      made.unshift(each);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
  return made;
}

/** Removes folders that were made for a write that came to nothing, unless something else lies in them by now. */
export async function removeParents(made: readonly string[]): Promise<void> {
  for (const folder of made) await rmdir(folder).catch(() => {});
}
