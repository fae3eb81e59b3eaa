import type { RunRecord } from "../store/contract.ts";
import type { Store } from "../store/index.ts";
import type { StateLocation } from "../store/internal.ts";

/** What a command does with the store; `find` gives the run of an id, the beginning of one, or `last`. */
type Body<T> = (
  store: Store,
  location: StateLocation,
  find: (reference: string) => Promise<RunRecord>,
) => Promise<T>;

/**
 * Runs a command with the store open, and closes it whatever happens. With `create: false` a mistyped path is an error and not a new,
 * empty store: for commands that look at what is there. What the store is made of is imported now, and not for `--help`.
 */
export async function withStore<T>(body: Body<T>, { create = true } = {}): Promise<T> {
  const [{ findRun }, { stateLocation }, { openStore }] = await Promise.all([
    import("../batch/internal.ts"),
    import("../store/internal.ts"),
    import("../store/index.ts"),
  ]);
  const location = stateLocation();
  const store = await openStore(location.store, { create });
  try {
    return await body(store, location, (reference) => findRun(store, reference));
  } finally {
    await store.close();
  }
}
