import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { type Actor, ActorDiedError, actor, control, Pool, replicas } from "../../../src/pool/index.ts";
import { failureOf } from "../failure.ts";
import { numbers } from "../numbers.ts";
import { addBy, addMany, Caller, failBy, Tally } from "./fixtures/classes.ts";
import { below, limited, own } from "./fixtures/nested.ts";

const kinds = ["thread", "process"] as const;

for (const inside of kinds) {
  for (const isolate of kinds) {
    suite(`a handle to an actor in a ${isolate}, in a ${inside}`, () => {
      test("is called from a pool's function, as item and as argument", async () => {
        await using tally = await actor(Tally, [], { isolate });
        await using pool = new Pool({ workers: 2, isolate: inside });
        const items = numbers(40).map((amount) => ({ tally, amount }));
        await pool.map(addBy, items, { chunkSize: 5 });
        assert.equal(await tally.count(), 780);
        assert.deepEqual(
          (await tally.seen()).toSorted((a, b) => a - b),
          numbers(40),
        );
      });

      test("keeps the order of each caller's calls", async () => {
        await using tally = await actor(Tally, [], { isolate });
        await using pool = new Pool({ workers: 2, isolate: inside });
        await Promise.all([pool.apply(addMany, tally, 0, 400), pool.apply(addMany, tally, 1000, 400)]);
        const seen = await tally.seen();
        for (const from of [0, 1000]) {
          assert.deepEqual(
            seen.filter((amount) => amount >= from && amount < from + 400),
            numbers(400).map((n) => n + from),
          );
        }
      });

      test("is passed to another actor, called there, and comes back as the same", async () => {
        await using tally = await actor(Tally, [], { isolate });
        await using caller = await actor(Caller, [tally], { isolate: inside });
        assert.deepEqual(await caller.addAll([1, 2, 3]), [1, 3, 6]);
        assert.equal(await caller.with(tally, 4), 10);
        const again: Actor<Tally> = await caller.handle();
        assert.equal(await again.add(1), 11);
        assert.equal(control(again).stats()[0]?.calls, 5);
      });

      test("gives the errors of the actor with their type", async () => {
        await using tally = await actor(Tally, [], { isolate });
        await using pool = new Pool({ workers: 1, isolate: inside });
        assert.deepEqual(await pool.apply(failBy, tally), {
          name: "RangeError",
          range: true,
          code: "too-far",
        });
      });
    });
  }

  test(`a ${inside} that dies with calls under way harms no other`, async () => {
    await using tally = await actor(Tally, []);
    await using caller = await actor(Caller, [tally], { isolate: inside, maxRestarts: 1 });
    const [abandoned, next] = await Promise.allSettled([caller.abandon(), caller.addAll([10])]);
    assert.ok(abandoned.status === "rejected" && abandoned.reason instanceof ActorDiedError);
    assert.deepEqual(next, { status: "fulfilled", value: [12] });
    assert.deepEqual(await tally.seen(), [1, 1, 10]);
  });

  test(`a handle passes through a ${inside} to the workers of its own pool`, async () => {
    await using tally = await actor(Tally, []);
    await using pool = new Pool({ workers: 1, isolate: inside });
    for (const innermost of kinds) {
      assert.deepEqual(
        await pool.apply(below, tally, innermost, 20),
        numbers(20).map((n) => n + 1),
      );
      await tally.add(-20);
    }
    assert.equal(await tally.count(), 0);
  });

  test(`what a handle may not do in a ${inside} is told`, async () => {
    await using pool = new Pool({ workers: 1, isolate: inside });
    await using tally = await actor(Tally, []);
    assert.deepEqual(await pool.apply(limited, tally), ["AbortError", "TimeLimitError", "pool.actor-owner"]);
    const orphan = await pool.apply(own);
    assert.equal((await failureOf(orphan.add(1))).code, "pool.actor-gone");
    const closed = await actor(Tally, []);
    await control(closed).close();
    await assert.rejects(pool.apply(addMany, closed, 0, 1), { code: "pool.actor-gone" });
  });
}

test("a handle to replicas shares the calls of workers among them", async () => {
  await using tallies = await replicas(3, Tally, []);
  await using pool = new Pool({ workers: 2 });
  await pool.map(
    addBy,
    numbers(30).map((amount) => ({ tally: tallies, amount })),
    { chunkSize: 3 },
  );
  const calls = control(tallies)
    .stats()
    .map((one) => one.calls);
  assert.deepEqual(calls, [10, 10, 10]);
});

test("a worker asks for no more than maxPending", async () => {
  await using tally = await actor(Tally, [], { maxPending: 20 });
  await using pool = new Pool({ workers: 1 });
  assert.equal((await pool.apply(addMany, tally, 0, 20)).length, 20);
  await assert.rejects(pool.apply(addMany, tally, 0, 50), { code: "pool.actor-busy" });
});
