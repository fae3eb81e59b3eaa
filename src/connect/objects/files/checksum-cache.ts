import { hash } from "node:crypto";
import type { BigIntStats } from "node:fs";
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { StatementSync } from "node:sqlite";
import { openOwnFolder, openStateFile } from "../../../private-folder.ts";
import { DatabaseSync } from "../../../sqlite.ts";
import { isMd5, md5OfMultipartEtag } from "../compare/etag.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
/** A file that was written so lately may be written again without its time showing it, in milliseconds. */
const SETTLED_MS = 2000;
/** A checksum that was not asked for in so many days is forgotten. */
const KEPT_DAYS = 90;
/** How often old checksums are removed, and how old the mark of a use may be. */
const PRUNED_DAYS = 7;
/** Rows that are stored at once. */
const BATCH = 1000;

interface CachedChecksum {
  readonly sum: Uint8Array;
  readonly used: number;
}

/**
 * The checksums of files that were read, for later runs on this machine: a file is known by its number, size, and the
 * times of its last changes, to the nanosecond. Any change makes it another one. Nothing here is needed: whatever goes
 * wrong with it, files are read again.
 */
export class ChecksumCache {
  readonly #folder: () => string;
  readonly #pending = new Map<bigint, Uint8Array>();
  #database: DatabaseSync | null = null;
  #find: StatementSync | null = null;
  /** Whether a transaction is open, in which all is read that is asked for in one turn of the event loop. */
  #isReading = false;
  #broken = false;

  /** `folder` is asked for when something is first looked up. */
  constructor(folder: () => string) {
    this.#folder = folder;
  }

  /** The MD5 of a file, or the ETag of its parts of so many bytes; null where it is not known. */
  find(found: BigIntStats, partBytes: number | null): string | null {
    if (!isSettled(found)) return null;
    const id = idOf(found, partBytes);
    const sum = this.#pending.get(id) ?? this.#stored(id);
    if (sum === null) return null;
    const md5 = Buffer.from(sum).toString("hex");
    return partBytes === null ? md5 : `${md5}-${countOf(found, partBytes)}`;
  }

  /** Remembers the ETag of a file that had these properties before it was read, and has them since. */
  keep(found: BigIntStats, partBytes: number | null, etag: string): void {
    const md5 = partBytes === null ? etag : md5OfMultipartEtag(etag, countOf(found, partBytes));
    if (md5 === null || !isMd5(md5) || !isSettled(found)) return;
    this.#store(idOf(found, partBytes), Buffer.from(md5, "hex"));
  }

  close(): void {
    this.#flush();
    this.#endReading();
    this.#database?.close();
    this.#database = null;
    this.#find = null;
  }

  #stored(id: bigint): Uint8Array | null {
    return this.#try((database) => {
      this.#find ??= database.prepare("SELECT sum, used FROM file WHERE id = ?");
      if (!this.#isReading) {
        database.exec("BEGIN");
        this.#isReading = true;
        setImmediate(() => this.#endReading());
      }
      const row = this.#find.get(id) as CachedChecksum | undefined;
      if (row === undefined) return null;
      // Stored again, it is marked as used today.
      if (row.used < today() - PRUNED_DAYS) this.#store(id, row.sum);
      return row.sum;
    });
  }

  /** With so many others at once. */
  #store(id: bigint, sum: Uint8Array): void {
    this.#pending.set(id, sum);
    if (this.#pending.size >= BATCH) this.#flush();
  }

  #endReading(): void {
    if (!this.#isReading) return;
    this.#isReading = false;
    this.#try((database) => database.exec("COMMIT"));
  }

  #flush(): void {
    if (this.#pending.size === 0) return;
    this.#endReading();
    this.#try((database) => {
      const insert = database.prepare("INSERT OR REPLACE INTO file VALUES (?, ?, ?)");
      database.exec("BEGIN IMMEDIATE");
      for (const [id, sum] of this.#pending) insert.run(id, sum, today());
      database.exec("COMMIT");
    });
    this.#pending.clear();
  }

  /** Null where the file of the checksums cannot be used: full disk, no rights, held by another process, damaged. */
  #try<T>(work: (database: DatabaseSync) => T): T | null {
    if (this.#broken) return null;
    try {
      this.#database ??= opened(this.#folder());
      return work(this.#database);
    } catch {
      this.#broken = true;
      try {
        this.#database?.close();
      } catch {
        // It cannot be used any more, whatever it says.
      }
      this.#database = null;
      return null;
    }
  }
}

function opened(folder: string): DatabaseSync {
  openOwnFolder(folder);
  const path = join(folder, "checksums.db");
  try {
    return prepared(path);
  } catch (error) {
    if (!/not a database|malformed/.test(String(error))) throw error;
    for (const end of ["", "-wal", "-shm"]) rmSync(path + end, { force: true });
    return prepared(path);
  }
}

function prepared(path: string): DatabaseSync {
  const database = new DatabaseSync(openStateFile(path), { timeout: 5000 });
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -2048;
    CREATE TABLE IF NOT EXISTS file (id INTEGER PRIMARY KEY, sum BLOB NOT NULL, used INTEGER NOT NULL)`);
  const { user_version: pruned } = database.prepare("PRAGMA user_version").get() as { user_version: number };
  if (pruned < today() - PRUNED_DAYS) {
    if (pruned > 0) database.prepare("DELETE FROM file WHERE used < ?").run(today() - KEPT_DAYS);
    database.exec(`PRAGMA user_version = ${today()}`);
  }
  return database;
}

/** Of 64 bits: two files that share it are taken for each other only where a target has the ETag of the other one. */
function idOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats, partBytes: number | null): bigint {
  const sha = hash("sha256", `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs} ${partBytes ?? "whole"}`, "buffer");
  return sha.readBigInt64LE();
}

/** Whether a write since then would have left another time behind. */
function isSettled({ mtimeMs }: BigIntStats): boolean {
  return Number(mtimeMs) < Date.now() - SETTLED_MS;
}

function countOf({ size }: BigIntStats, partBytes: number): number {
  return Math.max(1, Math.ceil(Number(size) / partBytes));
}

function today(): number {
  return Math.floor(Date.now() / DAY_MS);
}
