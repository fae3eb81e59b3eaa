import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";

/**
 * Which object has which name in the target, where a step or a transform gives names, so that no two get one. Kept
 * beside the run until it ends, on disk: there may be millions.
 */
export class Taken {
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #find: StatementSync;

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true });
    this.#database = new DatabaseSync(join(folder, "taken.db"), { timeout: 5000 });
    // As with what is done: it is there for processes that die, and a power cut may cost the last seconds.
    this.#database.exec(
      `PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -4096;
      CREATE TABLE IF NOT EXISTS taken (key TEXT PRIMARY KEY, origin TEXT NOT NULL) WITHOUT ROWID`,
    );
    this.#insert = this.#database.prepare("INSERT OR IGNORE INTO taken VALUES (?, ?)");
    this.#find = this.#database.prepare("SELECT origin FROM taken WHERE key = ?");
  }

  /** Gives a name to the object that is read at `origin`; returns which other one has it, or null. */
  give(key: string, origin: string): string | null {
    if (this.#insert.run(key, origin).changes === 1) return null;
    const { origin: other } = this.#find.get(key) as { origin: string };
    return other === origin ? null : other;
  }

  close(): void {
    this.#database.close();
  }
}
