import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { defineJob, type RunSummary, run } from "../../../src/batch/index.ts";
import { openItems } from "../../../src/batch/internal.ts";
import { type CopyOptions, copy } from "../../../src/connect/objects/index.ts";
import { StoredListing } from "../../../src/connect/objects/list/stored-listing.ts";
import { PawlError } from "../../../src/errors.ts";
import { openStore, type Store } from "../../../src/store/index.ts";

/** A folder and a store for the copies of a group of tests, in an environment that leads to its servers. */
export class Workspace {
  readonly folder: string;
  readonly store: Store;
  readonly #environment: NodeJS.ProcessEnv;

  private constructor(folder: string, store: Store, environment: NodeJS.ProcessEnv) {
    this.folder = folder;
    this.store = store;
    this.#environment = environment;
  }

  static async begin(environment: Readonly<Record<string, string>> = {}): Promise<Workspace> {
    const before = { ...process.env };
    const folder = await mkdtemp(join(tmpdir(), "pawl-objects-"));
    Object.assign(process.env, environment, { PAWL_STORE: join(folder, "place", "store.db") });
    return new Workspace(folder, await openStore(join(folder, "store.db")), before);
  }

  /** Also puts the environment back, whatever a test has changed in it. */
  async end(): Promise<void> {
    for (const key of Object.keys(process.env)) if (!(key in this.#environment)) delete process.env[key];
    Object.assign(process.env, this.#environment);
    await this.store.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** A new folder in which there is an empty folder `from`. */
  async ends(): Promise<{ readonly root: string; readonly from: string; readonly to: string }> {
    const root = join(this.folder, crypto.randomUUID());
    const [from, to] = [join(root, "from"), join(root, "to")];
    await mkdir(from, { recursive: true });
    return { root, from, to };
  }

  /** Copies, whatever becomes of it. */
  async ran(from: string, to: string, more: Partial<CopyOptions> = {}): Promise<RunSummary> {
    const job = defineJob({ name: `copy ${from} ${to}`, ...copy({ from, to, ...more }) });
    return await run(job, { store: this.store }).summary();
  }

  /** Copies, and expects that the run succeeds. */
  async copied(from: string, to: string, more: Partial<CopyOptions> = {}): Promise<RunSummary> {
    const summary = await this.ran(from, to, more);
    assert.equal(summary.state, "succeeded", summary.note);
    return summary;
  }

  /** Why objects of a run are quarantined. */
  async reasons({ run }: Pick<RunSummary, "run">): Promise<string[]> {
    const found: string[] = [];
    for await (const { reason } of openItems(this.store, run)) found.push(reason);
    return found;
  }

  /** The same by where the objects are, below a folder. */
  async reasonsBelow(folder: string, { run }: Pick<RunSummary, "run">): Promise<Record<string, string>> {
    const found: Record<string, string> = {};
    for await (const { at, reason } of openItems(this.store, run))
      found[at.slice(folder.length + 1)] = reason;
    return found;
  }

  /**
   * The keys below an address as a copy lists them before anything is copied; the sentence with which it was refused. What was
   * listed in the same folder before is continued.
   */
  async listedKeys(
    from: string,
    folder: string,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<string[] | string> {
    const { source } = copy({ from, to: join(this.folder, "to") });
    const options = { folder: join(this.folder, folder), scratch: this.folder, memory: 0, signal };
    try {
      const { shards } = await source.shards(4, { kind: "any" }, options);
      const listing = StoredListing.read(join(options.folder, "listing.db"), 0);
      const found = shards.flatMap(({ data }) => {
        const { from, to } = data as { from: number; to: number };
        return listing.page(from, to, 1e6).map(({ entry }) => entry.key);
      });
      listing.close();
      return found;
    } catch (error) {
      assert.ok(error instanceof PawlError, String(error));
      return error.message;
    }
  }
}

/** Writes a file below a folder, with the folders that its key names. */
export async function putFile(root: string, key: string, content: string | Buffer): Promise<void> {
  await mkdir(dirname(join(root, key)), { recursive: true });
  await writeFile(join(root, key), content);
}

/** All that lies below a folder but folders, as keys in order. */
export async function fileNames(root: string): Promise<string[]> {
  return (await readdir(root, { recursive: true, withFileTypes: true }))
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort();
}

/** Keys in the order of their UTF-8 bytes. */
export function inByteOrder(keys: readonly string[]): string[] {
  return [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
