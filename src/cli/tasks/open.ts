import { PawlError } from "../../errors.ts";
import { own } from "../../own.ts";
import { openStore, type Store } from "../../store/index.ts";
import { defaultLocation } from "../../tasks/index.ts";

/** What every command about tasks takes. */
export interface CommonFlags {
  readonly store?: string;
  readonly json?: boolean;
}

/** Runs a command with the store of tasks open, and closes it whatever happens. */
export async function withTasks<T>(flags: CommonFlags, body: (store: Store) => Promise<T>): Promise<T> {
  const store = await openStore(storeLocation(flags.store), { create: false });
  try {
    return await body(store);
  } finally {
    await store.close();
  }
}

/** Resolves `--store`: an address, a path, `env:NAME`, or nothing for where tasks are stored by default. */
export function storeLocation(given: string | undefined): string {
  if (given === undefined) return defaultLocation();
  const location = given.startsWith("env:") ? own(process.env, given.slice(4)) : given;
  if (location) return defaultLocation({ PAWL_STORE: location });
  throw new PawlError(
    "usage.store",
    given === ""
      ? "--store takes a file, a postgres:// URL or env:NAME, not nothing."
      : `--store ${given} names an environment variable that is not set.`,
  );
}
