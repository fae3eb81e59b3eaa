import { existsSync } from "node:fs";
import { join } from "node:path";
import { PawlError } from "../../../errors.ts";
import { DatabaseSync } from "../../../sqlite.ts";
import type { ListedPage, ObjectEntry } from "../contract.ts";
import type { NameComparison } from "../names/case-folding.ts";
import { refuseRepeatedNames } from "../names/repeated-names.ts";
import { openPrivateDatabase } from "../private-database.ts";

interface ListingRow {
  readonly id: number;
  readonly key: string;
  readonly origin: string | null;
  readonly size: number | null;
  readonly modified: number | null;
  readonly etag: string | null;
  readonly problem: string | null;
  /** Which process has seen that the target has it. */
  readonly seen: number | null;
}

/** Each key range has so many numbers of its own, so that its objects lie together. */
const NUMBERS_A_RANGE = 2 ** 40;

/** The version of the tables. */
const SCHEMA_VERSION = 4;

/** So few slices are always worth it, since they are copied at the same time; each further one must have so many objects. */
const LEAST_RANGES = 4;
const WORTHWHILE = 5000;

/** A key range that is listed by itself. */
export interface ListedRange {
  readonly id: number;
  /** Where its listing stands; null before its beginning. */
  readonly next: string | null;
  /** The last key that may belong to it; null of the last range. */
  readonly last: string | null;
  /** The key before `next`; null where there is none. */
  readonly before: string | null;
}

/** What two key ranges side by side have seen at the border between them. */
export interface RangeBorder {
  readonly border: string;
  /** The first key that the range before the border saw after it; null where there was none. */
  readonly beyond: string | null;
  /** The first key of the range after the border. */
  readonly first: string | null;
}

/** A slice of a stored listing. */
export interface ListingSlice {
  /** The first number in it, and the first behind it. */
  readonly from: number;
  readonly to: number;
  readonly items: number;
  /** Null where the size of one is not known. */
  readonly bytes: number | null;
}

/** Where the listing of a run is, in the folder of what it keeps on this machine. */
export const listingPath = (folder: string): string => join(folder, "listing.db");

/**
 * The objects of a run in a file beside it, in the order in which they were listed: written page by page with the position
 * after the page, so that nothing is listed twice, and read in slices, so that nothing is held in memory.
 */
export class StoredListing {
  readonly path: string;
  readonly #database: DatabaseSync;
  readonly #process: number;

  private constructor(path: string, database: DatabaseSync, process: number) {
    this.path = path;
    this.#database = database;
    this.#process = process;
  }

  /**
   * Opens the listing of a run for writing; makes it where there is none. `process` is a number that no other process has:
   * what one has seen of the target holds for itself, since others come later.
   */
  static create(path: string, process: number): StoredListing {
    // It holds the URLs of a manifest as they are.
    const database = openPrivateDatabase(path);
    // A page that a power cut takes away takes its position along: it is listed again.
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -4096");
    const { user_version: version } = database.prepare("PRAGMA user_version").get() as {
      user_version: number;
    };
    // One of an older Pawl that is not complete proves too little: it is listed again.
    if (version !== SCHEMA_VERSION)
      database.exec("DROP TABLE IF EXISTS object; DROP TABLE IF EXISTS key_range");
    database.exec(`CREATE TABLE IF NOT EXISTS object (
        id INTEGER PRIMARY KEY, key TEXT NOT NULL, origin TEXT, size INTEGER, modified INTEGER, etag TEXT, problem TEXT, seen INTEGER);
      CREATE TABLE IF NOT EXISTS key_range (id INTEGER PRIMARY KEY, last TEXT, next TEXT, done INTEGER NOT NULL, objects INTEGER NOT NULL,
        listed INTEGER NOT NULL, before TEXT, first TEXT, beyond TEXT);
      PRAGMA user_version = ${SCHEMA_VERSION}`);
    return new StoredListing(path, database, process);
  }

  /** Opens a listing that exists, for reading. */
  static read(path: string, process: number): StoredListing {
    if (!existsSync(path)) {
      throw new PawlError(
        "copy.no-listing",
        `The listing ${path} is not on this machine: continue where the run began, or start over with \`restart: true\`.`,
      );
    }
    return new StoredListing(path, new DatabaseSync(path, { readOnly: true, timeout: 5000 }), process);
  }

  /** The key ranges that are not listed to their end; the first one exists from the beginning. */
  openRanges(): ListedRange[] {
    const rows = this.#database
      .prepare("SELECT id, next, last, before, done FROM key_range ORDER BY id")
      .all();
    if (rows.length === 0) return [{ id: 0, next: null, last: null, before: null }];
    return (rows as unknown as (ListedRange & { done: number })[])
      .filter(({ done }) => done === 0)
      .map(({ id, next, last, before }) => ({ id, next, last, before }));
  }

  /** Of a listing whose key ranges have all come to their end: what they saw at each border. */
  borders(): RangeBorder[] {
    const rows = this.#database
      .prepare("SELECT last AS border, beyond, first FROM key_range ORDER BY id")
      .all() as unknown as { border: string | null; beyond: string | null; first: string | null }[];
    return rows.slice(0, -1).map(({ border, beyond }, at) => ({
      border: border as string,
      beyond,
      first: rows[at + 1]?.first ?? null,
    }));
  }

  /** Splits the rest of the first and only key range at some keys, in order. */
  cut(borders: readonly string[]): void {
    this.#database.exec("BEGIN IMMEDIATE");
    this.#database.prepare("UPDATE key_range SET last = ? WHERE id = 0").run(borders[0] ?? null);
    const insert = this.#database.prepare(
      "INSERT INTO key_range VALUES (?, ?, ?, 0, 0, 0, NULL, NULL, NULL)",
    );
    for (const [at, border] of borders.entries()) insert.run(at + 1, borders[at + 1] ?? null, border);
    this.#database.exec("COMMIT");
  }

  /** Adds a page of a key range, and the position after it, in one transaction. `listed` is how many objects it had before some were chosen. */
  add(range: number, { entries, next, proof }: ListedPage, listed = entries.length): void {
    const row = this.#database.prepare("SELECT objects FROM key_range WHERE id = ?").get(range) as
      | { objects: number }
      | undefined;
    let number = range * NUMBERS_A_RANGE + (row?.objects ?? 0);
    const insert = this.#database.prepare("INSERT INTO object VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      for (const { key, from, size, modified, etag, problem, seenInTarget } of entries)
        insert.run(
          number++,
          key,
          from ?? null,
          size,
          modified,
          etag,
          problem ?? null,
          seenInTarget ? this.#process : null,
        );
      this.#database
        .prepare(
          `INSERT INTO key_range VALUES (?, NULL, ?, ?, ?, ?, ?, ?, ?)
          ON CONFLICT (id) DO UPDATE SET next = excluded.next, done = excluded.done, objects = excluded.objects,
            listed = listed + excluded.listed, before = excluded.before, first = coalesce(first, excluded.first), beyond = excluded.beyond`,
        )
        .run(
          range,
          next,
          next === null ? 1 : 0,
          number - range * NUMBERS_A_RANGE,
          listed,
          proof?.before ?? null,
          proof?.first ?? null,
          proof?.beyond ?? null,
        );
      this.#database.exec("COMMIT");
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  /** Refuses all but the first of several objects that a target which compares names so would take for one. */
  refuseRepeatedNames(comparison: NameComparison): void {
    refuseRepeatedNames(this.#database, comparison);
  }

  /** How many objects are listed so far. */
  get objects(): number {
    const row = this.#database.prepare("SELECT coalesce(sum(objects), 0) AS n FROM key_range").get();
    return (row as { n: number }).n;
  }

  /** How many objects the location has, chosen or not, as far as it is listed. */
  get listed(): number {
    const row = this.#database.prepare("SELECT coalesce(sum(listed), 0) AS n FROM key_range").get();
    return (row as { n: number }).n;
  }

  /** Cuts the listing into at most `n` slices of near-equal count, none much smaller than is worth a slice. */
  slices(n: number): ListingSlice[] {
    const ranges = this.#database.prepare("SELECT id, objects FROM key_range ORDER BY id").all() as {
      id: number;
      objects: number;
    }[];
    const all = this.objects;
    if (all === 0) return [];
    const count = Math.min(n, all, Math.max(LEAST_RANGES, Math.ceil(all / WORTHWHILE)));
    /** The number of the object that is `nth` in order. */
    const numberOf = (nth: number): number => {
      let before = 0;
      for (const { id, objects } of ranges) {
        if (nth < before + objects) return id * NUMBERS_A_RANGE + (nth - before);
        before += objects;
      }
      return Number.MAX_SAFE_INTEGER;
    };
    const total = this.#database.prepare(
      "SELECT sum(size) AS bytes, count(*) - count(size) AS unknown FROM object WHERE id >= ? AND id < ?",
    );
    return Array.from({ length: count }, (_, at) => {
      const [first, end] = [Math.floor((all * at) / count), Math.floor((all * (at + 1)) / count)];
      const [from, to] = [numberOf(first), numberOf(end)];
      const { bytes, unknown } = total.get(from, to) as { bytes: number | null; unknown: number };
      return { from, to, items: end - first, bytes: unknown > 0 ? null : bytes };
    });
  }

  /** Objects of a slice in order, at most `most` of them, each with its number. */
  page(from: number, to: number, most: number): { number: number; entry: ObjectEntry }[] {
    const rows = this.#database
      .prepare("SELECT * FROM object WHERE id >= ? AND id < ? ORDER BY id LIMIT ?")
      .all(from, to, most) as unknown as ListingRow[];
    return rows.map(({ id, key, origin, size, modified, etag, problem, seen }) => ({
      number: id,
      entry: {
        key,
        size,
        modified,
        etag,
        from: origin ?? key,
        ...(problem === null ? {} : { problem }),
        ...(seen !== null && seen === this.#process ? { seenInTarget: true as const } : {}),
      },
    }));
  }

  close(): void {
    this.#database.close();
  }
}
