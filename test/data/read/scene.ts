import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { RemoteBuckets } from "../../../src/data/read/remote-buckets.ts";
import type { StageOptions } from "../../../src/data/read/stage-files.ts";
import { StagingArea } from "../../../src/data/read/staging-area.ts";

/** A folder that goes with the tests of a file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "pawl-read-test-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Puts variables into the environment until the tests of a file have ended. */
export function environment(variables: Readonly<Record<string, string>>): void {
  const kept = { ...process.env };
  Object.assign(process.env, variables);
  after(() => {
    for (const key of Object.keys(process.env)) if (!(key in kept)) delete process.env[key];
    Object.assign(process.env, kept);
  });
}

/** An engine that knows nothing of Pawl, to write files with and to look at what came. */
export class Referee {
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#instance = instance;
    this.#connection = connection;
  }

  static async open(): Promise<Referee> {
    const instance = await DuckDBInstance.create(":memory:", {
      autoinstall_known_extensions: "false",
      autoload_known_extensions: "false",
    });
    const connection = await instance.connect();
    await connection.run("SET TimeZone = 'UTC'; SET preserve_insertion_order = true; SET threads = 1");
    return new Referee(instance, connection);
  }

  close(): void {
    this.#connection.closeSync();
    this.#instance.closeSync();
  }

  async run(sql: string): Promise<void> {
    await this.#connection.run(sql);
  }

  /** Rows as JSON shows them. */
  async rows(sql: string): Promise<Record<string, unknown>[]> {
    const reader = await this.#connection.runAndReadAll(sql);
    return reader.getRowObjectsJson() as Record<string, unknown>[];
  }
}

let areas = 0;

/** What stages files into a new folder below `folder`; `end` closes it. */
export function staging(
  folder: string,
  limit: number | null = null,
): StageOptions & { readonly folder: string } {
  const own = join(folder, `stage-${areas++}`);
  mkdirSync(own);
  const buckets = new RemoteBuckets(null);
  after(() => buckets[Symbol.asyncDispose]());
  return {
    folder: own,
    area: new StagingArea(own, limit),
    buckets,
    memory: 64 * 1024 * 1024,
    signal: new AbortController().signal,
  };
}
