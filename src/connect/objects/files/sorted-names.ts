import { randomUUID } from "node:crypto";
import { opendir, rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "../../../sqlite.ts";

/** Of one folder, so many names are sorted in memory; more go by way of a file. */
const IN_MEMORY = 50_000;
const AT_A_TIME = 1000;

/**
 * The names in a folder in the order in which their keys stand in a bucket: by bytes, a folder as if its name ended in
 * `/`. Each is a string of one character a byte. A folder of millions is sorted on disk, in `scratch`.
 */
export async function* sortedNames(
  path: string,
  scratch: string,
  inMemory = IN_MEMORY,
): AsyncGenerator<string, void, undefined> {
  let names: string[] = [];
  let spill: Spill | null = null;
  try {
    // Names need not be UTF-8, so they are read as bytes; the types of Node do not know that.
    const folder = await opendir(path, { encoding: "buffer" as "utf8", bufferSize: AT_A_TIME });
    for await (const entry of folder) {
      const name = (entry.name as unknown as Buffer).toString("latin1");
      names.push(entry.isDirectory() ? `${name}/` : name);
      if (names.length < inMemory) continue;
      spill ??= new Spill(join(scratch, `pawl-names-${randomUUID()}.db`));
      spill.add(names);
      names = [];
    }
    if (spill === null) {
      // A folder that changes while it is read may give a name twice.
      let before: string | null = null;
      for (const name of names.sort()) {
        if (name !== before) yield name;
        before = name;
      }
      return;
    }
    spill.add(names);
    yield* spill.sorted();
  } finally {
    await spill?.close();
  }
}

class Spill {
  readonly #path: string;
  readonly #database: DatabaseSync;

  constructor(path: string) {
    this.#path = path;
    this.#database = new DatabaseSync(path);
    // It lives for as long as this process reads the folder.
    this.#database.exec(
      "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; CREATE TABLE name (name BLOB PRIMARY KEY) WITHOUT ROWID",
    );
  }

  add(names: readonly string[]): void {
    const insert = this.#database.prepare("INSERT OR IGNORE INTO name VALUES (?)");
    this.#database.exec("BEGIN");
    for (const name of names) insert.run(Buffer.from(name, "latin1"));
    this.#database.exec("COMMIT");
  }

  *sorted(): Generator<string, void, undefined> {
    const next = this.#database.prepare("SELECT name FROM name WHERE name > ? ORDER BY name LIMIT ?");
    let after = Buffer.alloc(0);
    for (;;) {
      const rows = next.all(after, AT_A_TIME) as { name: Uint8Array }[];
      for (const { name } of rows) yield Buffer.from(name).toString("latin1");
      const last = rows.at(-1);
      if (last === undefined || rows.length < AT_A_TIME) return;
      after = Buffer.from(last.name);
    }
  }

  async close(): Promise<void> {
    this.#database.close();
    await rm(this.#path, { force: true });
  }
}
