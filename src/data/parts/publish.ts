import type { Stats } from "node:fs";
import {
  chmod,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  readlink,
  realpath,
  rename,
  symlink,
  unlink,
  writeFile,
} from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { shown } from "../../arguments.ts";
import { errorReason } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import {
  isMissing,
  makeParents,
  recoverTarget,
  removeParents,
  sweep,
  tornFolders,
  WorkFolder,
} from "./work-folder.ts";

/** What stands at a target before a write, and what becomes of it. */
export interface PublishOptions {
  /** What the target is. */
  readonly shape: "file" | "folder";
  /** `new`: refused where something is there. `append`: files are added to a folder. */
  readonly mode: "new" | "overwrite" | "append";
  /** The function that writes, for messages. */
  readonly what: string;
  /** Ends the write before it is published. */
  readonly signal?: AbortSignal;
}

/** How often a folder is swapped again because others change it at the same moment. */
const MOST_SWAPS = 50;

/**
 * Writes a file or a folder so that others see it whole or not at all: `write` makes it at the path that it is given, where nothing is
 * yet; then it is flushed and renamed. What stood there stays whole until then, and where `write` fails, nothing is left. Returns what
 * `write` returns.
 *
 * @throws PawlError `data.target` for a target that cannot be one; `data.target-exists`; `data.target-torn`; `data.permission`;
 * `data.disk-full`
 */
export async function publish<T>(
  target: string,
  options: PublishOptions,
  write: (path: string) => Promise<T>,
): Promise<T> {
  assertPath(target, options.what);
  const path = await locate(resolve(target), options);
  let parents: readonly string[] = [];
  let work: WorkFolder | null = null;
  try {
    await recoverTarget(path);
    await assertFree(path, target, options);
    await sweep(path, options.mode === "overwrite");
    parents = await makeParents(dirname(path));
    work = await WorkFolder.make(path);
    const written = await write(work.set);
    options.signal?.throwIfAborted();
    await new Publication(path, target, options, work).publish();
    parents = [];
    return written;
  } catch (error) {
    throw explained(error, target, options.what);
  } finally {
    // What cannot be removed now is removed by the next write to this place.
    await work?.remove().catch(() => {});
    await removeParents(parents);
  }
}

function assertPath(target: string, what: string): void {
  if (typeof target === "string" && target !== "" && !target.includes("\0")) return;
  throw new PawlError("data.target", `${what}() needs the path to write to, not ${shown(target)}.`);
}

/** The path that is written: a link to a folder leads to it, and a link in place of a file is replaced. */
async function locate(path: string, { shape, what }: PublishOptions): Promise<string> {
  const found = await lstat(path).catch(() => null);
  if (found === null || shape === "file" || !found.isSymbolicLink()) return path;
  if (found.uid !== 0 && process.geteuid !== undefined && found.uid !== process.geteuid())
    throw new PawlError(
      "data.target",
      `${path} is a link that another user made, which ${what}() does not follow: name the folder itself.`,
    );
  try {
    return await realpath(path);
  } catch {
    throw new PawlError(
      "data.target",
      `${path} is a link to ${await readlink(path)}, where there is nothing: remove it.`,
    );
  }
}

/** Refuses what stands at the target where it may not be replaced, before anything is computed. */
async function assertFree(
  path: string,
  target: string,
  { shape, mode, what }: PublishOptions,
): Promise<void> {
  const found = await lstat(path).catch(() => null);
  if (shape === "file" && found?.isDirectory())
    throw new PawlError("data.target", `${target} is a folder: give ${what}() the name of a file.`);
  if (shape === "folder" && found !== null && !found.isDirectory())
    throw new PawlError("data.target", `${target} is a file: give ${what}() the name of a folder.`);
  if (mode === "new" && found !== null && (shape === "file" || (await readdir(path)).length > 0))
    throw exists(target, shape);
  const [torn] = mode === "overwrite" ? [] : await tornFolders(path);
  if (torn !== undefined)
    throw new PawlError(
      "data.target-torn",
      `A program was killed while it replaced ${target}, and something else was put there since: what stood there before is in ${torn.old}; move it where it belongs, or delete ${torn.folder}.`,
    );
}

function exists(target: string, shape: "file" | "folder"): PawlError {
  const append = shape === "folder" ? ", `append: true` to add files to it" : "";
  return new PawlError(
    "data.target-exists",
    `${target} is there already: give \`overwrite: true\` to replace it${append}, or another path.`,
  );
}

/** One set of files on its way to a target. */
class Publication {
  readonly #path: string;
  readonly #target: string;
  readonly #options: PublishOptions;
  readonly #work: WorkFolder;

  constructor(path: string, target: string, options: PublishOptions, work: WorkFolder) {
    this.#path = path;
    this.#target = target;
    this.#options = options;
    this.#work = work;
  }

  async publish(): Promise<void> {
    const { shape, mode } = this.#options;
    const before = await lstat(this.#path).catch(() => null);
    if (shape === "folder" && (await this.#isEmpty())) {
      if (mode === "append" && before !== null && (await readdir(this.#path)).length > 0) return;
      // A folder is never published empty: an empty one is what a missing one is recovered into.
      await writeFile(join(this.#work.set, ".pawl-empty"), "", { flag: "wx" });
    }
    await flush(this.#work.set, true);
    // A file that only some may read stays so when it is replaced.
    if (mode !== "append") await keepMode(before, this.#work.set);
    if (shape === "file") await this.#file();
    else if (mode !== "append" || !(await this.#addOne()))
      await this.#work.exclusively(() => this.#folder(), this.#options.signal);
    await flush(dirname(this.#path), false);
  }

  async #file(): Promise<void> {
    const { set } = this.#work;
    if (this.#options.mode !== "new") return await rename(set, this.#path);
    try {
      // A link, unlike a rename, never replaces what came up there in the meantime.
      await link(set, this.#path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EEXIST") throw exists(this.#target, "file");
      if (!NO_LINKS.has(code ?? "")) throw error;
      if ((await lstat(this.#path).catch(() => null)) !== null) throw exists(this.#target, "file");
      await rename(set, this.#path);
    }
  }

  /** A folder in place of none or of another one. No other writer changes it at the same time. */
  async #folder(): Promise<void> {
    const { mode } = this.#options;
    await recoverTarget(this.#path);
    if (await isMissing(this.#path)) {
      try {
        return await rename(this.#work.set, this.#path);
      } catch (error) {
        if (!isOccupied(error)) throw error;
      }
    }
    if (mode === "new") throw exists(this.#target, "folder");
    await this.#swap(mode === "append" ? new LinkedTree(this.#work.set, this.#target) : null);
  }

  /** Adds all that is new by one rename, where it is one file or one folder: others see it whole, and nothing else changes. */
  async #addOne(): Promise<boolean> {
    let [from, to] = [this.#work.set, this.#path];
    for (;;) {
      const entries = await readdir(from, { withFileTypes: true });
      const [only] = entries;
      if (only === undefined || entries.length > 1) return false;
      [from, to] = [join(from, only.name), join(to, only.name)];
      const found = await lstat(to).catch(() => null);
      if (found === null || !only.isDirectory()) {
        if (found !== null) throw occupied(to);
        try {
          await rename(from, to);
        } catch (error) {
          // The folder around it was taken away for a moment, or another writer has made the same one.
          if (!isOccupied(error) && (error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
          return false;
        }
        await flush(dirname(to), false);
        return true;
      }
      if (!found.isDirectory()) throw occupied(to);
    }
  }

  /** Puts the new folder in the place of the old one. With `tree`, the files of the old one are in the new one too. */
  async #swap(tree: LinkedTree | null): Promise<void> {
    for (let swap = 0; swap < MOST_SWAPS; swap++) {
      if (tree !== null) {
        await tree.follow([...(await this.#work.taken()), this.#path]);
        await flush(this.#work.set, true, tree);
      }
      const old = await this.#work.takeOld();
      if (old !== null && tree !== null && !(await tree.isComplete(await this.#work.taken()))) {
        // Something was added meanwhile: it goes back until the new folder has it too.
        await rename(old, this.#path).catch(() => {});
        continue;
      }
      try {
        return await rename(this.#work.set, this.#path);
      } catch (error) {
        // A reader met the target while it was missing, and has put the old one back; or another writer was faster.
        if (!isOccupied(error)) {
          if (old !== null) await rename(old, this.#path).catch(() => {});
          throw error;
        }
      }
    }
    throw new PawlError(
      "data.target",
      `${this.#target} is changed by other programs all the time: ${this.#options.what}() gave up after ${MOST_SWAPS} attempts, and nothing was written.`,
    );
  }

  async #isEmpty(): Promise<boolean> {
    await mkdir(this.#work.set, { recursive: true });
    return (await readdir(this.#work.set)).length === 0;
  }
}

/** The files of a folder in another one as well: by links, so that nothing is copied. */
class LinkedTree {
  readonly #into: string;
  readonly #target: string;
  /** What was linked: which file each path was. */
  #linked: ReadonlyTree = new Map();

  constructor(into: string, target: string) {
    this.#into = into;
    this.#target = target;
  }

  /** Links what has been added to the old folder, and takes away what is no longer in it. */
  async follow(folders: readonly string[]): Promise<void> {
    const now = await listTrees(folders);
    const kept = this.#linked;
    const linked: Tree = new Map();
    for (const [path, { id }] of kept)
      if (now.get(path)?.id !== id && id !== FOLDER) await unlink(join(this.#into, path)).catch(() => {});
    for (const [path, found] of now) {
      if (kept.get(path)?.id !== found.id) await this.#link(found.from, path, found.id);
      linked.set(path, found);
    }
    this.#linked = linked;
  }

  /** Whether all of the old folder is in the new one. */
  async isComplete(folders: readonly string[]): Promise<boolean> {
    const now = await listTrees(folders);
    return (
      now.size === this.#linked.size && [...now].every(([path, { id }]) => this.#linked.get(path)?.id === id)
    );
  }

  /** Whether a path came from the old folder, and so has been flushed long since. */
  has(path: string): boolean {
    const id = this.#linked.get(path.slice(this.#into.length + 1))?.id;
    return id !== undefined && id !== FOLDER;
  }

  async #link(from: string, path: string, id: string): Promise<void> {
    const [source, to] = [join(from, path), join(this.#into, path)];
    try {
      if (id === FOLDER) {
        await mkdir(to, { recursive: true });
        await chmod(to, (await lstat(source)).mode & 0o7777);
      } else if (id.startsWith("link ")) await symlink(await readlink(source), to);
      else await link(source, to);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EEXIST") throw occupied(join(this.#target, path));
      // It was removed meanwhile, which is seen again when the folder is compared.
      if (code === "ENOENT") return;
      if (!NO_LINKS.has(code ?? "") && code !== "EXDEV") throw error;
      throw new PawlError(
        "data.target",
        `Files of several partitions are added to ${this.#target} at once by links, which its file system does not have: write them to a folder of their own.`,
        { cause: error },
      );
    }
  }
}

const FOLDER = "folder";
/** What file systems say that have no hard links, or do not make one of this file. */
const NO_LINKS: ReadonlySet<string> = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);

/** Every path below folders: what it is (a folder, or just this file), and in which of them. */
type Tree = Map<string, { readonly from: string; readonly id: string }>;
type ReadonlyTree = ReadonlyMap<string, { readonly from: string; readonly id: string }>;

/** What is in folders together. Of files with one path, that of the last folder. */
async function listTrees(folders: readonly string[]): Promise<ReadonlyTree> {
  const found: Tree = new Map();
  const walk = async (from: string, below: string): Promise<void> => {
    for (const entry of await readdir(join(from, below), { withFileTypes: true }).catch(missingIsEmpty)) {
      const path = below === "" ? entry.name : join(below, entry.name);
      if (entry.isDirectory()) {
        found.set(path, { from, id: FOLDER });
        await walk(from, path);
        continue;
      }
      const stats = await lstat(join(from, path), { bigint: true }).catch(() => null);
      const kind = entry.isSymbolicLink() ? "link" : "file";
      if (stats !== null) found.set(path, { from, id: `${kind} ${stats.ino} ${stats.size}` });
    }
  };
  for (const folder of folders) await walk(folder, "");
  return found;
}

function missingIsEmpty(error: NodeJS.ErrnoException): [] {
  if (error.code === "ENOENT") return [];
  throw error;
}

/** Makes files and names durable: of a folder with all that is in it, where `deep`. */
async function flush(path: string, deep: boolean, but?: LinkedTree): Promise<void> {
  if (but?.has(path)) return;
  const handle = await open(path, "r");
  try {
    if (deep && (await handle.stat()).isDirectory())
      for (const entry of await readdir(path, { withFileTypes: true }))
        if (entry.isDirectory() || entry.isFile()) await flush(join(path, entry.name), true, but);
    await handle.sync();
  } catch (error) {
    // Some file systems cannot flush a folder.
    if (!deep && ["EINVAL", "ENOTSUP", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "")) return;
    throw error;
  } finally {
    await handle.close();
  }
}

async function keepMode(before: Stats | null, path: string): Promise<void> {
  if (before === null || before.isSymbolicLink()) return;
  await chmod(path, before.mode & 0o7777).catch(() => {});
}

function isOccupied(error: unknown): boolean {
  return ["ENOTEMPTY", "EEXIST"].includes((error as NodeJS.ErrnoException).code ?? "");
}

function occupied(path: string): PawlError {
  return new PawlError(
    "data.target",
    `${path} is there already, where a new file would go: remove or rename it.`,
  );
}

/** What a file system says, as one sentence. */
function explained(error: unknown, target: string, what: string): unknown {
  if (!(error instanceof Error) || error instanceof PawlError) return error;
  const { code } = error as NodeJS.ErrnoException;
  const options = { cause: error };
  const full =
    code === "ENOSPC" ||
    code === "EDQUOT" ||
    /No space left on device|Disk quota exceeded/i.test(error.message);
  if (full)
    return new PawlError(
      "data.disk-full",
      `There is no space left to write ${target}: nothing was written; free some, or write elsewhere.`,
      options,
    );
  if (code === "EACCES" || code === "EPERM" || code === "EROFS")
    return new PawlError(
      "data.permission",
      `${what}() may not write ${target} (${code}): it makes a folder beside it first, so check the permissions of ${dirname(resolve(target))}.`,
      options,
    );
  if (code === "EBUSY" || code === "EXDEV")
    return new PawlError(
      "data.target",
      `${target} is where a file system is mounted, and cannot be replaced: name a folder in it.`,
      options,
    );
  if (code === "ENAMETOOLONG")
    return new PawlError(
      "data.target",
      `The name ${shown(basename(target))} is too long for a file.`,
      options,
    );
  if (code === "ENOTDIR")
    return new PawlError(
      "data.target",
      `A part of the path ${target} is a file: name a folder there.`,
      options,
    );
  if (code === "ELOOP")
    return new PawlError("data.target", `The path ${target} leads in circles by its links.`, options);
  if (code !== undefined && /^E[A-Z]+$/.test(code))
    return new PawlError("data.target", `${target} could not be written: ${errorReason(error)}.`, options);
  return error;
}
