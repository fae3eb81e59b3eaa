import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** An upload in parts that was begun, or was about to be. */
export interface Begun {
  readonly id: string;
  readonly key: string;
  /** When it was asked for, in milliseconds since 1970. */
  readonly at: number;
  /** What the bucket calls it; null where its answer never came. */
  readonly upload: string | null;
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

  /** Before a bucket is asked to begin: its answer may be lost. */
  async intend(key: string): Promise<Begun> {
    await mkdir(this.#folder, { recursive: true });
    const intent = { id: randomBytes(8).toString("hex"), key, at: Date.now(), upload: null };
    await this.#write(intent);
    return intent;
  }

  async begun(intent: Begun, upload: string): Promise<Begun> {
    const begun = { ...intent, upload };
    await this.#write(begun);
    return begun;
  }

  async done({ id }: Begun): Promise<void> {
    await rm(this.#path(id), { force: true });
  }

  /** What is not done: after the last object, or of an earlier process, what was left behind. */
  async left(): Promise<Begun[]> {
    const names = await readdir(this.#folder).catch(() => []);
    const left: Begun[] = [];
    // Any other was cut off as it was written, before the bucket was asked.
    for (const name of names.filter((each) => each.endsWith(".json")))
      left.push(JSON.parse(await readFile(join(this.#folder, name), "utf8")));
    return left;
  }

  async #write(entry: Begun): Promise<void> {
    // Under another name first: a rewrite that is cut off must not take the intent away.
    const path = this.#path(entry.id);
    await writeFile(`${path}.new`, JSON.stringify(entry), { flush: true });
    await rename(`${path}.new`, path);
  }

  #path(id: string): string {
    return join(this.#folder, `${id}.json`);
  }
}
