import { openStore, type Store } from "../../../src/store/index.ts";
import type { StoreUnderTest } from "../conformance.ts";
import { TestClock } from "../test-clock.ts";
import type { LentStores } from "./lent.ts";

/** What stores by the test's clock need. The clock can be replaced only when the tables are there. */
export const byTestClock = `
  CREATE TABLE public.test_clock (ms bigint);
  INSERT INTO public.test_clock VALUES (0);
  CREATE OR REPLACE FUNCTION pawl.now_ms() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT ms FROM public.test_clock'`;

/** A store by the test's clock, one of `stores` that were prepared so; `through` may lead to it by another way. */
export async function openPlace(
  stores: LentStores,
  through: (url: string) => string = (url) => url,
): Promise<StoreUnderTest> {
  const lent = await stores.lend();
  const clock = new TestClock();
  const opened: Store[] = [];
  const set = (ms: number) => lent.hands.query(`UPDATE public.test_clock SET ms = ${ms}`);
  await set(clock.wall());
  const reopen = async () => {
    const store = await openStore(through(lent.url));
    opened.push(store);
    return clocked(store, clock, set);
  };
  const cleanup = async () => {
    for (const store of opened) await store.close();
    await lent.giveBack();
  };
  const overwrite = async (id: string, column: string, text: string) => {
    await lent.hands.query(`UPDATE pawl.task SET ${column} = $$${text}$$ WHERE id = $$${id}$$`);
  };
  return { store: await reopen(), reopen, clock, overwrite, cleanup };
}

/** Sets the clock of the database to the test's before each operation, when that was moved. */
function clocked(store: Store, clock: TestClock, set: (ms: number) => Promise<unknown>): Store {
  let shown = clock.wall();
  return new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      // Those two are not asked about anything.
      if (name === "onClaimable" || name === "onSettled") return value.bind(target);
      return async (...args: unknown[]) => {
        const now = clock.wall();
        if (now !== shown) {
          await set(now);
          shown = now;
        }
        return await value.apply(target, args);
      };
    },
  });
}
