import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Actor, ActorDiedError, actor, control } from "../../../src/pool/index.ts";
import { randomFrom, seed } from "../../random.ts";
import { failureOf } from "../failure.ts";
import { numbers } from "../numbers.ts";
import { Endless, FailsToStart, Ledger, Once, SlowLedger, Tally, Unsavable } from "./fixtures/classes.ts";

/** `PAWL_RUNS=200` for the long version. */
const RUNS = Number(process.env.PAWL_RUNS ?? 1);

for (const isolate of ["thread", "process"] as const) {
  suite(`an actor in a ${isolate} that dies`, () => {
    test("fails the call that killed it and those that wait, and says why", async () => {
      const tally = await actor(Tally, [], { isolate });
      const settled = await Promise.allSettled([tally.add(1), tally.exit(), tally.add(1)]);
      assert.deepEqual(
        settled.map((one) => (one.status === "fulfilled" ? one.value : one.reason instanceof ActorDiedError)),
        [1, true, true],
      );
      const [, killed, waited] = settled as PromiseRejectedResult[];
      assert.equal(killed?.reason.message, "The actor Tally died while it ran exit: it ended with code 7.");
      assert.equal(waited?.reason.message, "The actor Tally died: it ended with code 7.");
      assert.ok((await failureOf(tally.add(1))) instanceof ActorDiedError);
      assert.equal(control(tally).stats()[0]?.state, "dead");
      await control(tally).close();
    });

    test("is started again as a new object, and makes the calls that had not begun", async () => {
      await using tally = await actor(Tally, [100], { isolate, maxRestarts: 2 });
      const calls = [
        tally.add(1),
        tally.exit(),
        tally.add(2),
        tally.exit(),
        tally.add(3),
        tally.exit(),
        tally.add(4),
      ];
      const settled = await Promise.allSettled(calls);
      assert.deepEqual(
        settled.map((one) => (one.status === "fulfilled" ? one.value : one.reason.code)),
        [101, "pool.actor-died", 102, "pool.actor-died", 103, "pool.actor-died", "pool.actor-died"],
      );
      assert.equal(control(tally).stats()[0]?.restarts, 2);
    });

    test("dies of an uncaught exception, and says which", async () => {
      await using tally = await actor(Tally, [], { isolate, maxRestarts: 1 });
      const settled = await Promise.allSettled([
        tally.later(),
        tally.spin(1),
        tally.patient(60_000),
        tally.count(),
      ]);
      assert.equal(settled[2].status, "rejected");
      const { reason } = settled[2] as PromiseRejectedResult;
      assert.match(reason.message, /while it ran patient: Error: this is not caught/);
      assert.deepEqual(settled[3], { status: "fulfilled", value: 0 });
    });

    test("dies when its heap is full, alone", async () => {
      await using tally = await actor(Tally, [], { isolate, maxRestarts: 1, maxHeap: 48 * 1024 * 1024 });
      const [full, next] = await Promise.allSettled([tally.hoard(), tally.add(1)]);
      assert.ok(full.status === "rejected" && full.reason instanceof ActorDiedError);
      assert.deepEqual(next, { status: "fulfilled", value: 1 });
    });

    test("has the state that was saved with the last result", async () => {
      for (const Class of [Ledger, SlowLedger]) {
        await using ledger = await actor(Class, [], { isolate, maxRestarts: 3 });
        const settled = await Promise.allSettled([
          ledger.add(1),
          ledger.move(2, 5),
          ledger.add(3),
          ledger.die(),
          ledger.add(4),
          ledger.move(5, 5),
          ledger.die(),
          ledger.add(6),
        ]);
        assert.deepEqual(
          settled.map((one) => (one.status === "fulfilled" ? one.value : one.reason.code)),
          [1, 2, 3, "pool.actor-died", 4, 5, "pool.actor-died", 6],
        );
        assert.deepEqual(await ledger.entries(), [1, 2, 3, 4, 5, 6]);
      }
    });

    test("loses no more than saveEvery allows", async () => {
      await using ledger = await actor(Ledger, [], { isolate, maxRestarts: 1, saveEvery: 10 });
      for (const n of numbers(25)) await ledger.add(n);
      await ledger.die().catch(() => {});
      assert.deepEqual(await ledger.entries(), numbers(20));
    });

    test("tells a call whose effect could not be saved", async () => {
      await using unsavable = await actor(Unsavable, [], { isolate, maxRestarts: 1 });
      const settled: unknown[] = [];
      for (const _ of numbers(4)) {
        settled.push(await unsavable.add().catch((error: { code: string }) => error.code));
      }
      assert.deepEqual(settled, [1, 2, "pool.actor-save", "pool.actor-save"]);
      await unsavable.die().catch(() => {});
      assert.equal(await unsavable.add().catch((error: { code: string }) => error.code), "pool.actor-save");
    });

    test("before it is ready is the error of actor(), as is one that is never ready", async () => {
      const error = await failureOf(actor(Endless, [], { isolate, startTimeout: 300, maxRestarts: 5 }));
      assert.equal(error.code, "pool.start-timeout");
      assert.match(error.message, /^The actor Endless was not ready after 300 ms/);
      const stillborn = await failureOf(actor(FailsToStart, [], { isolate, maxRestarts: 5 }));
      assert.ok(stillborn instanceof ActorDiedError);
      assert.equal(stillborn.message, "The actor FailsToStart died: it ended with code 5.");
    });

    test("fails with the reason when it cannot begin again", async () => {
      const folder = await mkdtemp(join(tmpdir(), "pawl-actor-"));
      try {
        const once = await actor(Once, [join(folder, "once")], { isolate, maxRestarts: 2 });
        const [, waiting] = await Promise.allSettled([once.exit(), once.exit()]);
        assert.ok(waiting.status === "rejected" && waiting.reason instanceof ActorDiedError);
        assert.equal(
          waiting.reason.message,
          "The actor Once died and cannot begin again: it is there already.",
        );
      } finally {
        await rm(folder, { recursive: true });
      }
    });

    test(`at any moment loses nothing it has told (seed ${seed})`, async () => {
      const next = randomFrom(seed);
      for (let run = 0; run < RUNS; run++) {
        await using ledger = await actor(Ledger, [], { isolate, maxRestarts: Number.POSITIVE_INFINITY });
        const told: number[] = [];
        let failed = 0;
        let last = -1;
        const use = async (n: number): Promise<void> => {
          const call =
            next() < 0.1 ? ledger.die() : next() < 0.2 ? ledger.move(n, next() * 3) : ledger.add(n);
          try {
            const length = await call;
            told.push(n);
            // In the order in which they were made, and each on what was told before.
            assert.ok(n > last);
            last = n;
            assert.equal(length, told.length);
          } catch (error) {
            if (!(error instanceof ActorDiedError)) throw error;
            failed++;
          }
        };
        const calls: Promise<void>[] = [];
        for (let n = 0; n < 60; n++) {
          calls.push(use(n));
          if (next() < 0.2) await sleep(next() * 20);
          if (next() < 0.1) await calls.at(-1);
        }
        await Promise.all(calls);
        assert.deepEqual(await ledger.entries(), told);
        assert.equal(told.length + failed, 60);
      }
    });
  });
}

test(`killed from outside at any moment, a process gives each call its result or its error (seed ${seed})`, async () => {
  const next = randomFrom(seed);
  await using tally = await actor(Tally, [], { isolate: "process", maxRestarts: 1000 });
  for (let run = 0; run < RUNS * 2; run++) {
    const pid = Number((await tally.where()).split(" ")[0]);
    let sum = await tally.count();
    const calls = Promise.allSettled(numbers(3000).map((n) => tally.add(n)));
    await sleep(next() * 30);
    process.kill(pid, next() < 0.5 ? "SIGKILL" : "SIGSEGV");
    let lives = 1;
    let lost = false;
    for (const [n, one] of (await calls).entries()) {
      if (one.status === "rejected") {
        assert.ok(one.reason instanceof ActorDiedError, String(one.reason));
        lost = true;
      } else {
        // Each adds to the one before it; those that were lost were lost with all before them.
        if (lost || one.value !== sum + n) {
          assert.equal(one.value, n);
          lives++;
        }
        lost = false;
        sum = one.value;
      }
    }
    assert.ok(lives <= 2, String(lives));
  }
});

test("a handle of an actor is typed by its class", async () => {
  await using ledger: Actor<Ledger> = await actor(Ledger, []);
  const length: number = await ledger.add(1);
  const entries: number[] = await ledger.entries();
  assert.deepEqual([length, entries], [1, [1]]);
});
