import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { type Actor, ActorDiedError, actor, control, replicas } from "../../../src/pool/index.ts";
import { failureOf } from "../failure.ts";
import { numbers } from "../numbers.ts";
import { Tally, Unready } from "./fixtures/classes.ts";

async function placesOf(tallies: Actor<Tally>, calls: number): Promise<string[]> {
  const places: string[] = [];
  for (let n = 0; n < calls; n++) places.push(await tallies.where());
  return places;
}

for (const isolate of ["thread", "process"] as const) {
  suite(`replicas in ${isolate === "thread" ? "threads" : "processes"}`, () => {
    test("take turns", async () => {
      await using tallies = await replicas(3, Tally, [], { isolate });
      const places = await placesOf(tallies, 9);
      assert.equal(new Set(places).size, 3);
      assert.deepEqual(places.slice(0, 3), places.slice(3, 6));
      assert.deepEqual(
        control(tallies)
          .stats()
          .map(({ calls }) => calls),
        [3, 3, 3],
      );
    });

    test("leave out the busy one when the least busy is asked for", async () => {
      await using tallies = await replicas(2, Tally, [], { isolate, route: "leastBusy" });
      const aborted = new AbortController();
      const long = control(tallies).with({ signal: aborted.signal }).patient(60_000);
      const others = await placesOf(tallies, 6);
      assert.equal(new Set(others).size, 1);
      aborted.abort();
      await assert.rejects(long, { name: "AbortError" });
      assert.equal(new Set(await placesOf(tallies, 4)).size, 2);
    });

    test("continue without the one that dies, and with it when it is back", async () => {
      await using tallies = await replicas(3, Tally, [], { isolate, maxRestarts: 1 });
      const calls = numbers(60).map((n) => (n === 10 ? tallies.exit() : tallies.slow(1, 2)));
      const settled = await Promise.allSettled(calls);
      const failed = settled.flatMap((one, n) => (one.status === "rejected" ? [n] : []));
      assert.deepEqual(failed, [10]);
      while (
        control(tallies)
          .stats()
          .some(({ state }) => state !== "ready")
      )
        await tallies.slow(0, 5);
      assert.equal(new Set(await placesOf(tallies, 6)).size, 3);
      assert.deepEqual(
        control(tallies)
          .stats()
          .map(({ restarts }) => restarts)
          .toSorted(),
        [0, 0, 1],
      );
    });

    test("serve until the last is dead, and then say so", async () => {
      const tallies = await replicas(2, Tally, [], { isolate });
      await tallies.exit().catch(() => {});
      assert.equal(new Set(await placesOf(tallies, 4)).size, 1);
      await tallies.exit().catch(() => {});
      assert.ok((await failureOf(tallies.count())) instanceof ActorDiedError);
      assert.deepEqual(
        control(tallies)
          .stats()
          .map(({ state }) => state),
        ["dead", "dead"],
      );
      await control(tallies).terminate();
    });
  });
}

test("replicas of which one cannot begin are none", async () => {
  assert.equal((await failureOf(replicas(3, Unready, ["no"]))).message, "no");
  for (const count of [0, 1.5, Number.NaN]) {
    assert.equal((await failureOf(replicas(count, Tally, []))).code, "pool.option");
  }
});

test("one replica is an actor", async () => {
  await using one = await replicas(1, Tally, [3]);
  await using other = await actor(Tally, [3]);
  assert.equal(await one.add(1), await other.add(1));
});
