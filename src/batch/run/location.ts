import { dirname, join, resolve } from "node:path";

/** Where the state of runs lives. */
export interface StateLocation {
  /** For `openStore`. */
  readonly store: string;
  /** A folder for logs and large intermediate files of runs. */
  readonly runs: string;
  /** A folder for the embedded PostgreSQL server. */
  readonly postgres: string;
}

/** `PAWL_STORE` (the store's file, or the URL of a database), or `.pawl/` in the working directory. */
export function stateLocation(env: NodeJS.ProcessEnv = process.env): StateLocation {
  const given = env.PAWL_STORE || join(".pawl", "store.db");
  const isUrl = /^[a-z][a-z0-9+.-]+:\/\//i.test(given);
  const store = isUrl ? given : resolve(given);
  const folder = isUrl ? resolve(".pawl") : dirname(store);
  return { store, runs: join(folder, "runs"), postgres: join(folder, "postgres") };
}
