import { mkdir } from "node:fs/promises";
import type { DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { PawlError } from "../../../errors.ts";
import type { EngineOptions } from "../contract.ts";
import { call } from "./calls.ts";
import { loadExtensions } from "./extensions.ts";

/** An instance of DuckDB in memory, of one run. Rejects with PawlError("data.no-duckdb") where the package is not installed. */
export async function openInstance(options: EngineOptions): Promise<DuckDBInstance> {
  const { DuckDBInstance } = await loadDuckdb();
  await mkdir(options.spillFolder, { recursive: true, mode: 0o700 });
  const instance = await call(() =>
    DuckDBInstance.create(":memory:", {
      threads: String(options.threads),
      // All work is done by DuckDB's own threads, so that none of Node's waits for a query.
      external_threads: "0",
      memory_limit: `${options.memory}B`,
      temp_directory: options.spillFolder,
      ...(options.spillLimit === null ? {} : { max_temp_directory_size: `${options.spillLimit}B` }),
      autoinstall_known_extensions: "false",
      autoload_known_extensions: "false",
      // It gives pieces of an old file for a new one of the same path, and the values of a query are then a mixture of both.
      enable_external_file_cache: "false",
    }),
  );
  try {
    await loadExtensions(instance);
    return instance;
  } catch (error) {
    instance.closeSync();
    throw error;
  }
}

/** The package. Rejects with PawlError("data.no-duckdb") where it is not installed. */
export async function loadDuckdb(): Promise<typeof import("@duckdb/node-api")> {
  try {
    return await import("@duckdb/node-api");
  } catch (error) {
    throw new PawlError("data.no-duckdb", "Frames need DuckDB: run npm install @duckdb/node-api.", {
      cause: error,
    });
  }
}

/** A connection of its own for one query. */
export async function connect(instance: DuckDBInstance): Promise<DuckDBConnection> {
  const connection = await call(() => instance.connect());
  await call(() => connection.run("SET TimeZone = 'UTC'"));
  return connection;
}
