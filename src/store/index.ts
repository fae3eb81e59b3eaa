import { PawlError } from "../errors.ts";
import type { Clock } from "./clock.ts";
import type { Store } from "./contract.ts";
import { openSqliteStore } from "./sqlite/open.ts";

export { LostError, PawlError, TransientError } from "../errors.ts";
export type { Clock } from "./clock.ts";
export type * from "./contract.ts";

export interface StoreOptions {
  /** Where the time comes from; the machine's clocks unless a test wants to move them. */
  readonly clock?: Clock;
}

/**
 * Opens the store at `location`: the path of a SQLite file, which is created with its folders when it is not there.
 * Any number of processes may have the same file open. Throws a PawlError when the file cannot serve as a store,
 * and a TransientError when it may serve later.
 */
export async function openStore(location: string, options: StoreOptions = {}): Promise<Store> {
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(location)) {
    const scheme = location.slice(0, location.indexOf(":"));
    throw new PawlError(
      "store.unsupported",
      `A ${scheme}:// address cannot hold the store yet: give the path of a file instead.`,
    );
  }
  return await openSqliteStore(location, options.clock);
}
