import { randomBytes } from "node:crypto";
import { opendir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { openKeyTable } from "../private-database.ts";

const PART = /^\.pawl-[a-z0-9]+-[0-9a-f]{16,32}\.part$/;

/**
 * A name under which an object is written, in the folder where it will be, until it is whole. It cannot be guessed, so that
 * nothing can be laid in its way.
 */
export function newPartName(run: string): string {
  return `.pawl-${run}-${randomBytes(16).toString("hex")}.part`;
}

/** Whether a name is one of a run that writes, or was killed while it wrote; of the run that is given, or of any. */
export function isPartName(name: string, run?: string): boolean {
  return PART.test(name) && (run === undefined || name.startsWith(`.pawl-${run}-`));
}

/**
 * The folders that a run writes to, kept beside it: what a killed process has left there under names that cannot be guessed is
 * found by them.
 */
export class PartFolders {
  readonly #run: string;
  readonly #kept: string;
  readonly #noted = new Set<string>();
  #database: DatabaseSync | null = null;

  /** `kept` is the folder in which the run keeps what it needs on this machine. */
  constructor(run: string, kept: string) {
    this.#run = run;
    this.#kept = kept;
  }

  /** Before the first part of a folder is written. */
  note(folder: string): void {
    if (this.#noted.has(folder)) return;
    this.#open().prepare("INSERT OR IGNORE INTO folders VALUES (?, 0)").run(folder);
    this.#noted.add(folder);
  }

  /** Removes what an earlier process of the run has left in its folders. No other may be at work on it. */
  async sweep(): Promise<void> {
    const rows = this.#open().prepare("SELECT key FROM folders").all() as { key: string }[];
    for (const { key: folder } of rows) {
      // What this process writes it removes itself.
      if (this.#noted.has(folder)) continue;
      const names = await opendir(folder).catch(() => null);
      if (names === null) continue;
      for await (const { name } of names)
        if (isPartName(name, this.#run)) await rm(join(folder, name), { force: true });
      this.#open().prepare("DELETE FROM folders WHERE key = ?").run(folder);
    }
    this.close();
  }

  close(): void {
    this.#database?.close();
    this.#database = null;
  }

  #open(): DatabaseSync {
    this.#database ??= openKeyTable(this.#kept, {
      name: "folders",
      columns: "unused INTEGER NOT NULL",
      cacheKb: 256,
    });
    return this.#database;
  }
}
