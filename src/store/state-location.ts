import { dirname, join, resolve } from "node:path";
import { environmentValue, variableName } from "../environment.ts";
import { PawlError } from "../errors.ts";
import { publicUrl } from "../postgres-url.ts";
import { isUrl, urlScheme } from "../url-scheme.ts";

/** Where a program keeps its state, if it says nothing else. */
export interface StateLocation {
  /** For `openStore`: an absolute path, or the URL of a database. */
  readonly store: string;
  /** A folder for logs and large intermediate files of runs. */
  readonly runs: string;
  /** A folder for the embedded PostgreSQL server. */
  readonly postgres: string;
}

/**
 * The store is `PAWL_STORE`, a path, a URL or `env:NAME`, or `.pawl/store.db` in the working directory; `openStore` (index.ts) chooses SQLite
 * or PostgreSQL by it. The folders lie beside its file, or in `.pawl`.
 */
export function stateLocation(env: NodeJS.ProcessEnv = process.env): StateLocation {
  const given = environmentValue("PAWL_STORE", env) ?? join(".pawl", "store.db");
  const location = storeLocation(given, "PAWL_STORE", env);
  const inDatabase = isUrl(location);
  const store = inDatabase ? location : resolve(location);
  const folder = inDatabase ? resolve(".pawl") : dirname(store);
  return { store, runs: join(folder, "runs"), postgres: join(folder, "postgres") };
}

/** The start of a text that is a path, whatever follows. */
const EXPLICIT_PATH = /^(\.{0,2}[\\/]|[a-z]:[\\/])/i;

/** An absolute path, which is not the beginning of a URL whose scheme is missing. */
const ABSOLUTE_PATH = /^([\\/](?![\\/])|[a-z]:[\\/])/i;

/** The settings of a connection as `psql` takes them: a password, or any with a blank, which parts it from the next one. */
const SETTINGS =
  /(^|\s)password\s*=|^(?=.*\s)(.*\s)?(host|hostaddr|port|dbname|user|passfile|service|sslmode)\s*=/i;

/**
 * The URL of a store in PostgreSQL, or the path of its file, as it was given or as the variable of `env:NAME` holds it. `source` says
 * where it was given, and begins the sentence that refuses what is neither. It never shows the value: what was meant to be a URL
 * holds a password, and as the path of a file it would stand in the name of a folder.
 */
export function storeLocation(given: string, source: string, env: NodeJS.ProcessEnv = process.env): string {
  const name = variableName(given);
  const location = name === null ? given : environmentValue(name, env);
  if (location === undefined) {
    throw new PawlError("usage.store", `${source} is env:${name}, and that environment variable is not set.`);
  }
  const from = name === null ? source : `${source} (env:${name})`;
  const wrong = (what: string) => new PawlError("store.unsupported", `${from} ${what}.`);
  // An absolute path may lie in a folder of any name: the program made it of the working directory.
  if (/^\s|\s$|\0/.test(location) || (/\p{Cc}/u.test(location) && !ABSOLUTE_PATH.test(location)))
    throw wrong("has a blank at its beginning or end, or a line break: remove it");
  if (/^["'`“”‘’]|["'`“”‘’]$/.test(location))
    throw wrong(
      "has a quotation mark at its beginning or end: remove it; docker --env-file keeps quotes as they are",
    );
  const scheme = urlScheme(location);
  if (scheme !== null) {
    if (/^postgres(ql)?$/i.test(scheme)) return location;
    throw wrong(
      `is a ${scheme}:// address, which cannot hold the store: give the path of a file, or a postgres:// URL`,
    );
  }
  const isPath = EXPLICIT_PATH.test(location) && !/^[\\/]{2}[^\\/]*@/.test(location);
  if (isPath || !(/^[^\\/]+:|^[\\/]{2}/.test(location) || SETTINGS.test(location))) return location;
  throw wrong(
    "is neither a path nor the URL of a database: write postgres://user:password@host:5432/database, or ./ before the name of a file that has a colon or an equals sign",
  );
}

/** What named the store of this process, where that was not `PAWL_STORE` from the beginning. */
let named: { readonly location: string; readonly by: string } | undefined;

/**
 * Makes a location the store of this process and of those that it starts, which look for it in `PAWL_STORE`. `by` is what named it, for
 * the errors about it.
 */
export function nameStore(location: string, by: string): void {
  process.env.PAWL_STORE = location;
  named = { location, by };
}

/** The error of a program that creates no store and finds none. */
export function storeMissing(location: string): PawlError {
  const given = process.env.PAWL_STORE ?? "";
  const by = named?.location === given ? named.by : "PAWL_STORE";
  return new PawlError(
    "store.missing",
    given !== "" && isStoreOfProcess(location)
      ? `There is no store at ${location}, which ${by} names: correct it, or begin work with it first.`
      : `There is no store at ${location}: go to the folder where the work was begun, or name its store with PAWL_STORE.`,
  );
}

function isStoreOfProcess(location: string): boolean {
  try {
    const { store } = stateLocation();
    return location === store || location === publicUrl(store);
  } catch {
    return false;
  }
}
