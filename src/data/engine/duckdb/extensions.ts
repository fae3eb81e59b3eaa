import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { DuckDBInstance } from "@duckdb/node-api";
import { errorReason } from "../../../error-text.ts";
import { PawlError } from "../../../errors.ts";
import { call } from "./calls.ts";
import { quoteText } from "./quote.ts";

/** Names a folder with extensions of DuckDB. None is ever fetched, and none is taken from anywhere else. */
const VARIABLE = "PAWL_DUCKDB_EXTENSIONS";
const ENDING = ".duckdb_extension";

/**
 * Loads the extensions that lie in the folder of `PAWL_DUCKDB_EXTENSIONS`, so that a query in SQL may use their functions; none where
 * the variable is not set. DuckDB takes only those that its makers have signed, for its own version. Errors: `data.extension`.
 */
export async function loadExtensions(instance: DuckDBInstance): Promise<void> {
  const folder = process.env[VARIABLE];
  if (!folder) return;
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    throw new PawlError(
      "data.extension",
      `${VARIABLE} names ${folder}, which cannot be read (${error.code}): name a folder with files such as spatial${ENDING}, or unset it.`,
      { cause: error },
    );
  });
  const files = names.filter((name) => name.endsWith(ENDING)).sort();
  if (files.length === 0) return;
  const connection = await call(() => instance.connect());
  try {
    for (const name of files) {
      await call(() => connection.run(`LOAD ${quoteText(join(resolve(folder), name))}`)).catch((error) => {
        throw new PawlError(
          "data.extension",
          `The extension ${name} in ${folder} cannot be loaded (${errorReason(error).replaceAll(/\s+/g, " ")}): replace it, or remove it from the folder that ${VARIABLE} names.`,
          { cause: error },
        );
      });
    }
  } finally {
    connection.closeSync();
  }
}
