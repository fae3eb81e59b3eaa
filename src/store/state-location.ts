import { dirname, join, resolve } from "node:path";
import { PawlError } from "../errors.ts";
import { publicUrl } from "../postgres-url.ts";
import { isUrl } from "../url-scheme.ts";

/** Where a program keeps its state, if it says nothing else. */
export interface StateLocation {
  /** For `openStore`: an absolute path, or the URL of a database. */
  readonly store: string;
  /** A folder for logs and large intermediate files of runs. */
  readonly runs: string;
  /** A folder for the embedded PostgreSQL server. */
  readonly postgres: string;
}

/** The store is `PAWL_STORE`, a path or a URL, or `.pawl/store.db` in the working directory. The folders lie beside its file, or in `.pawl`. */
export function stateLocation(env: NodeJS.ProcessEnv = process.env): StateLocation {
  const given = env.PAWL_STORE || join(".pawl", "store.db");
  const inDatabase = isUrl(given);
  const store = inDatabase ? given : resolve(given);
  const folder = inDatabase ? resolve(".pawl") : dirname(store);
  return { store, runs: join(folder, "runs"), postgres: join(folder, "postgres") };
}

/** The error of a program that creates no store and finds none. */
export function storeMissing(location: string): PawlError {
  const given = process.env.PAWL_STORE ?? "";
  const names = given !== "" && [resolve(given), given, publicUrl(given)].includes(location);
  return new PawlError(
    "store.missing",
    names
      ? `There is no store at ${location}, which PAWL_STORE names: correct it, or begin work with it first.`
      : `There is no store at ${location}: go to the folder where the work was begun, or name its store with PAWL_STORE.`,
  );
}
