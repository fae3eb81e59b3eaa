import { createHash, randomBytes } from "node:crypto";
import { link, mkdir, open, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { PawlError } from "../../errors.ts";
import { openOwnFolder, openStateFolder } from "../../private-folder.ts";
import { ownProcessMark, PROCESS_MARK, processOf } from "../../process-mark.ts";
import type { PlanNode } from "../plan/node.ts";
import { nodesOf } from "../plan/walk.ts";
import { isUntold, planIdentity } from "../read/identity.ts";
import { parquetAt } from "./breaks.ts";
import type { RunnableStage, StageContext, StagedFiles } from "./stage.ts";

/** Where the results of plans are kept. */
export interface CachePlace {
  readonly folder: string;
  /** Bytes that all results together may take. */
  readonly budget: number;
  /** How old a result may be in milliseconds; null where what it was made from tells whether it has changed. */
  readonly maxAge: number | null;
}

/** What stands beside the rows of a result. */
interface Entry {
  readonly rows: number;
  readonly bytes: number;
  readonly at: number;
}

const ROWS = "rows.parquet";
const ENTRY = "entry.json";
const KEY = /^[0-9a-f]{64}$/;
/** Folders of processes: what one writes, what it uses, and what it removes. */
const OF_PROCESS = new RegExp(`^\\.(?:new|use|old)-(${PROCESS_MARK})-[0-9a-f]{16}$`);

/**
 * A stage that keeps its rows on disk, by the hash of the plan and of what is in its files. Each user of a result has links of its own to its files,
 * so that a result can be removed at any time: what is in use stays on disk until it is not.
 */
export class CacheStage implements RunnableStage {
  readonly identity = "cache";
  readonly #place: CachePlace;

  constructor(place: CachePlace) {
    this.#place = place;
  }

  /** The key of a plan's result as its files are now. */
  async key(plan: PlanNode, signal: AbortSignal): Promise<string> {
    const { maxAge } = this.#place;
    const untold = nodesOf(plan).find(isUntold);
    if (untold !== undefined && maxAge === null)
      throw new PawlError(
        "data.cache",
        `${untold.kind === "table" ? `The table ${untold.table}` : "A file of the web"} does not tell whether it has changed: say how old a result may be with cache({ maxAge: "1h" }).`,
      );
    const identity = await planIdentity(plan, { signal, assumed: "maxAge" });
    return createHash("sha256").update(`cache 1\n${identity}`).digest("hex");
  }

  async kept(inputs: readonly PlanNode[], signal: AbortSignal): Promise<StagedFiles | null> {
    const key = await this.key(inputs[0] as PlanNode, signal);
    return (await this.#exists()) ? await this.#use(key) : null;
  }

  async run(inputs: readonly PlanNode[], context: StageContext): Promise<StagedFiles> {
    const { session, signal, needed, onProgress } = context;
    const { original } = needed;
    const plan = original?.[0] ?? (inputs[0] as PlanNode);
    this.#open();
    const before = await this.key(plan, signal);
    const folder = this.#folderOf("new");
    await mkdir(folder, { mode: 0o700 });
    try {
      const path = join(folder, ROWS);
      const { rows } = await session.write(inputs[0] as PlanNode, parquetAt(path), {
        signal,
        ...(onProgress === undefined ? {} : { onProgress }),
      });
      await sync(path);
      const { size } = await stat(path);
      const entry: Entry = { rows, bytes: size, at: Date.now() };
      await writeFile(join(folder, ENTRY), JSON.stringify(entry), { mode: 0o600, flush: true });
      // Files that changed while they were read made rows that belong to neither state of them.
      const isSame = (await this.key(plan, signal)) === before;
      const used = await this.#link(folder, entry);
      if (isSame && size <= this.#place.budget) await this.#publish(folder, before);
      return used;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** Removes the result of a plan, where there is one. */
  async remove(plan: PlanNode): Promise<void> {
    if (await this.#exists()) await this.#removeEntry(await this.key(plan, new AbortController().signal));
  }

  #open(): void {
    const { folder } = this.#place;
    if (dirname(folder).endsWith(".pawl")) openStateFolder(dirname(folder));
    openOwnFolder(folder);
  }

  async #exists(): Promise<boolean> {
    try {
      return (await stat(this.#place.folder)).isDirectory();
    } catch {
      return false;
    }
  }

  #folderOf(what: "new" | "use" | "old"): string {
    return join(this.#place.folder, `.${what}-${ownProcessMark}-${randomBytes(8).toString("hex")}`);
  }

  /** A result that is there, by links of this run. Null where it is not, or is too old, or not whole. */
  async #use(key: string): Promise<StagedFiles | null> {
    const folder = join(this.#place.folder, key);
    try {
      const entry = JSON.parse(await readFile(join(folder, ENTRY), "utf8")) as Entry;
      const { maxAge } = this.#place;
      if (maxAge !== null && !(Date.now() - entry.at <= maxAge)) return null;
      const used = await this.#link(folder, entry);
      const { size } = await stat(used.paths[0] as string);
      if (size !== entry.bytes) {
        await used.released?.();
        await this.#removeEntry(key);
        return null;
      }
      const now = new Date();
      await utimes(join(folder, ENTRY), now, now);
      return used;
    } catch (error) {
      // Another process may have removed it, at any moment.
      if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw error;
    }
  }

  async #link(folder: string, { rows }: Entry): Promise<StagedFiles> {
    const use = this.#folderOf("use");
    await mkdir(use, { mode: 0o700 });
    const path = join(use, ROWS);
    const released = async () => await rm(use, { recursive: true, force: true });
    try {
      await link(join(folder, ROWS), path);
    } catch (error) {
      await released();
      throw error;
    }
    return { paths: [path], rows, released };
  }

  async #publish(folder: string, key: string): Promise<void> {
    const target = join(this.#place.folder, key);
    try {
      await rename(folder, target);
    } catch (error) {
      // Another process was first; one that is too old makes way.
      if (!["ENOTEMPTY", "EEXIST"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
      if (this.#place.maxAge === null) return;
      await this.#removeEntry(key);
      await rename(folder, target).catch(() => {});
    }
    await this.#makeRoom(key);
  }

  /** Removes what was used longest ago, until all that is left fits into the budget. What is in use has other links, and stays. */
  async #makeRoom(newest: string): Promise<void> {
    const { folder, budget } = this.#place;
    const entries: { key: string; bytes: number; usedAt: number; isUsed: boolean }[] = [];
    for (const name of await readdir(folder)) {
      const mark = OF_PROCESS.exec(name)?.[1];
      if (mark !== undefined && processOf(mark) === "dead")
        await rm(join(folder, name), { recursive: true, force: true });
      if (!KEY.test(name)) continue;
      const [rows, entry] = await Promise.all(
        [ROWS, ENTRY].map(async (file) => await stat(join(folder, name, file)).catch(() => null)),
      );
      entries.push({
        key: name,
        bytes: rows?.size ?? 0,
        usedAt: entry?.mtimeMs ?? 0,
        isUsed: (rows?.nlink ?? 0) > 1,
      });
    }
    let total = entries.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const { key, bytes, isUsed } of entries.toSorted((a, b) => a.usedAt - b.usedAt)) {
      if (total <= budget) return;
      if (key === newest || isUsed) continue;
      await this.#removeEntry(key);
      total -= bytes;
    }
  }

  async #removeEntry(key: string): Promise<void> {
    const old = this.#folderOf("old");
    try {
      // Under another name first, so that no reader finds half of it.
      await rename(join(this.#place.folder, key), old);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      throw error;
    }
    await rm(old, { recursive: true, force: true });
  }
}

async function sync(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The folder of the cache where none is named. */
export function defaultCacheFolder(): string {
  return resolve(".pawl", "cache");
}
