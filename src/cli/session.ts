import { type Place, statePlace } from "../batch/index.ts";
import { openStore, type Store } from "../store/index.ts";

/** Runs a command with the store open, and closes it whatever happens. */
export async function withStore<T>(body: (store: Store, place: Place) => Promise<T>): Promise<T> {
  const place = statePlace();
  const store = await openStore(place.store);
  try {
    return await body(store, place);
  } finally {
    await store.close();
  }
}
