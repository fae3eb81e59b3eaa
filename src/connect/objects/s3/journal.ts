import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

interface Begun {
  readonly key: string;
  readonly upload: string;
}

/**
 * The uploads in parts that a run has begun, kept beside it until they are done: a bucket keeps the parts of one that a
 * killed process has begun, unseen and paid for, until somebody aborts it.
 */
export class UploadJournal {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = join(folder, "uploads");
  }

  async begun(entry: Begun): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    await writeFile(this.#path(entry), JSON.stringify(entry), { flush: true });
  }

  async done(entry: Begun): Promise<void> {
    await rm(this.#path(entry), { force: true });
  }

  /** What an earlier process has left. */
  async left(): Promise<Begun[]> {
    const names = await readdir(this.#folder).catch(() => []);
    const left: Begun[] = [];
    for (const name of names) {
      try {
        left.push(JSON.parse(await readFile(join(this.#folder, name), "utf8")));
      } catch {
        // Cut off in the middle of its writing; there is nothing to be known from it.
      }
    }
    return left;
  }

  #path({ upload }: Begun): string {
    return join(this.#folder, `${createHash("sha256").update(upload).digest("hex").slice(0, 32)}.json`);
  }
}
