import { openStore, type Store } from "../../../src/store/index.ts";
import { TestClient, type TestServer } from "../../connect/postgres/server.ts";
import type { StoreUnderTest } from "../conformance.ts";
import { TestClock } from "../test-clock.ts";

let schemas = 0;

/** A store in a schema of its own, by the test's clock. */
export async function openPlace(
  server: TestServer,
  storeUrl = server.url,
  parameters = "",
): Promise<StoreUnderTest> {
  const schema = `test_${process.pid}_${++schemas}`;
  const url = `${storeUrl}?schema=${schema}${parameters}`;
  const clock = new TestClock();
  const opened: Store[] = [];
  // It makes the tables; the clock can be replaced only then.
  await (await openStore(url)).close();
  const hands = await TestClient.connect(server.url);
  await hands.query(`
    CREATE TABLE ${schema}.test_clock (ms bigint);
    INSERT INTO ${schema}.test_clock VALUES (${clock.wall()});
    CREATE OR REPLACE FUNCTION ${schema}.now_ms() RETURNS bigint LANGUAGE sql STABLE
      AS 'SELECT ms FROM ${schema}.test_clock'`);
  const reopen = async () => {
    const store = await openStore(url);
    opened.push(store);
    return clocked(store, clock, (ms) => hands.query(`UPDATE ${schema}.test_clock SET ms = ${ms}`));
  };
  const cleanup = async () => {
    for (const store of opened) await store.close();
    await hands.query(`DROP SCHEMA ${schema} CASCADE`);
    await hands[Symbol.asyncDispose]();
  };
  return { store: await reopen(), reopen, clock, cleanup };
}

/** Sets the clock of the database to the test's before each operation, when that was moved. */
function clocked(store: Store, clock: TestClock, set: (ms: number) => Promise<unknown>): Store {
  let shown = clock.wall();
  return new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      // Those two are not asked about anything.
      if (name === "wake" || name === "onSettled") return value.bind(target);
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
