import "../node-version.ts";

import { assertObject, assertText } from "../arguments.ts";
import { isUrl } from "../url-scheme.ts";
import type { Clock } from "./clock.ts";
import type { Store } from "./contract.ts";
import { openSqliteStore } from "./sqlite/open.ts";
import { storeLocation } from "./state-location.ts";

export { LostError, PawlError, TransientError } from "../errors.ts";
export type { Clock } from "./clock.ts";
export type * from "./contract.ts";

/** How `openStore` opens a store. */
export interface StoreOptions {
  /**
   * Where the time of a file comes from. A store in PostgreSQL has the clock of its server.
   * @default the clocks of the machine
   */
  readonly clock?: Clock;
  /**
   * Whether a store that is not there is created. False for a program that only reads: a mistyped path is an error then.
   * @default true
   */
  readonly create?: boolean;
}

/**
 * Opens the store at `location`: the path of a SQLite file, which is created with its folders when it is not there, or
 * the URL of a PostgreSQL database, `postgres://user@host/database`, in which it has a schema of its own (`pawl`, or
 * another with `?schema=name`); or `env:NAME` for the environment variable that holds one of them. Any number of processes may have the same store open, on any number of machines where
 * it is in PostgreSQL.
 *
 * @throws {PawlError} when the location cannot serve as a store: `store.unsupported` and `usage.store` where it is neither a path nor such
 *   a URL, or the variable is not set, `state.unsafe` where other users of the machine may
 *   write it, `store.missing` where there is none and none may be created, `store.newer` where a newer Pawl made it
 * @throws {TransientError} when it may serve later, such as `postgres.unreachable` or `store.busy`
 * @example
 * ```ts
 * await using store = await openStore(".pawl/state.db");
 * const dead = await store.query({ states: ["dead"] }, { limit: 10, newestFirst: true });
 * for (const { id, name, error } of dead) console.log(id, name, error);
 * ```
 */
export async function openStore(location: string, options: StoreOptions = {}): Promise<Store> {
  assertText(location, "The location of a store");
  assertObject(options, "The options of openStore");
  const store = storeLocation(location, "The location of a store");
  if (!isUrl(store)) return await openSqliteStore(store, options);
  // Loaded only here: most stores are files.
  const { openPostgresStore } = await import("./postgres/open.ts");
  return await openPostgresStore(store, options);
}
