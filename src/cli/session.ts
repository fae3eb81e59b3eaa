import { findRun, type Place, statePlace } from "../batch/index.ts";
import type { RunRecord } from "../store/contract.ts";
import { openStore, type Store } from "../store/index.ts";

/** What a command does with the store; `find` gives the run of an id, the beginning of one, or `last`. */
type Body<T> = (store: Store, place: Place, find: (reference: string) => Promise<RunRecord>) => Promise<T>;

/** Runs a command with the store open, and closes it whatever happens. A command that only looks creates none. */
export async function withStore<T>(body: Body<T>, { create = true } = {}): Promise<T> {
  const place = statePlace();
  const store = await openStore(place.store, { create });
  try {
    return await body(store, place, (reference) => findRun(store, reference));
  } finally {
    await store.close();
  }
}
