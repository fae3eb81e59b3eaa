import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { defineJob, type RunSummary, run } from "../../../src/batch/index.ts";
import { type CopyOptions, copy } from "../../../src/connect/objects/index.ts";
import { openStore, type Store } from "../../../src/store/index.ts";

/** A folder and a store for the copies of a group of tests, in an environment that leads to its server. */
export class Workspace {
  readonly folder: string;
  readonly store: Store;
  readonly #environment: NodeJS.ProcessEnv;

  private constructor(folder: string, store: Store, environment: NodeJS.ProcessEnv) {
    this.folder = folder;
    this.store = store;
    this.#environment = environment;
  }

  static async begin(environment: Readonly<Record<string, string>>): Promise<Workspace> {
    const before = { ...process.env };
    const folder = await mkdtemp(join(tmpdir(), "pawl-objects-"));
    Object.assign(process.env, environment, { PAWL_STORE: join(folder, "place", "store.db") });
    return new Workspace(folder, await openStore(join(folder, "store.db")), before);
  }

  async end(): Promise<void> {
    for (const key of Object.keys(process.env)) if (!(key in this.#environment)) delete process.env[key];
    Object.assign(process.env, this.#environment);
    await this.store.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Copies, and expects that the run succeeds. */
  async copied(from: string, to: string, more: Partial<CopyOptions> = {}): Promise<RunSummary> {
    const job = defineJob({ name: `copy ${from} ${to}`, ...copy({ from, to, ...more }) });
    const summary = await run(job, { store: this.store }).summary();
    assert.equal(summary.state, "succeeded", summary.note);
    return summary;
  }
}

/** Writes a file below a folder, with the folders that its key names. */
export async function putFile(root: string, key: string, content: string | Buffer): Promise<void> {
  await mkdir(dirname(join(root, key)), { recursive: true });
  await writeFile(join(root, key), content);
}
