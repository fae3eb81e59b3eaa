import assert from "node:assert/strict";
import { test } from "node:test";
import { type Store, TransientError } from "../../../src/store/index.ts";
import { type Change, subscribe } from "../../../src/tasks/index.ts";
import { double, flaky } from "../fixtures/tasks.ts";
import { type OpenPlace, Stage } from "../suite/stage.ts";

/** A store whose answers to one question are changed. */
function altered<K extends "changes" | "now">(
  store: Store,
  name: K,
  change: (original: Store[K]) => Store[K],
): Store {
  return new Proxy(store, {
    get(target, property) {
      const value = Reflect.get(target, property, target);
      if (typeof value !== "function") return value;
      const bound = value.bind(target);
      return property === name ? change(bound) : bound;
    },
  });
}

/** Reads until the condition holds. */
async function until(
  changes: AsyncIterable<Change>,
  condition: (seen: readonly Change[]) => boolean,
): Promise<Change[]> {
  const seen: Change[] = [];
  for await (const change of changes) {
    seen.push(change);
    if (condition(seen)) return seen;
  }
  throw new Error("The stream ended before what was waited for.");
}

const states = (changes: readonly Change[]) => changes.map(({ state, attempt }) => `${state} ${attempt}`);

/** The stream of changes. */
export function subscribing(open: OpenPlace): void {
  test("a subscription tells each state of a task, in order, from enqueue to its end", async () => {
    await using stage = await Stage.open(open);
    await using changes = subscribe(stage.store, { states: ["waiting", "leased", "succeeded"] });
    await changes.ready;
    const handle = await stage.client.enqueue(flaky, 2);
    await stage.work();
    const seen = await until(changes, (seen) => seen.at(-1)?.state === "succeeded");
    assert.deepEqual(states(seen), [
      "waiting 0",
      "leased 1",
      "waiting 1",
      "leased 2",
      "waiting 2",
      "leased 3",
      "succeeded 3",
    ]);
    assert.ok(
      seen.every(({ task, name, queue }) => task === handle.id && name === "flaky" && queue === "default"),
    );
    assert.ok(seen.every(({ at }) => at instanceof Date));
  });

  test("conditions narrow a subscription, and what was before it is not told", async () => {
    await using stage = await Stage.open(open);
    await stage.client.enqueue(double, 1, { queue: "other" });
    await using others = subscribe(stage.store, { queue: "other", states: ["waiting"] });
    await using named = subscribe(stage.store, { name: "flaky" });
    await Promise.all([others.ready, named.ready]);
    await stage.client.enqueue(double, 2);
    const other = await stage.client.enqueue(double, 3, { queue: "other" });
    const flakyOne = await stage.client.enqueue(flaky, 0);
    assert.deepEqual(
      (await until(others, () => true)).map(({ task }) => task),
      [other.id],
    );
    assert.deepEqual(
      (await until(named, () => true)).map(({ task }) => task),
      [flakyOne.id],
    );
  });

  test("a slow reader of many changes misses none and sees none twice", async () => {
    await using stage = await Stage.open(open);
    await using changes = subscribe(stage.store);
    await changes.ready;
    for (const _ of [1, 2]) await stage.work({ queues: { default: 8 }, prefetch: 50 });
    const tasks = 1_500;
    await stage.client.enqueueMany(
      double,
      Array.from({ length: tasks }, (_, n) => n),
    );
    const seen = new Map<string, string>();
    let ended = 0;
    let last = 0;
    for await (const { number, task, state } of changes) {
      assert.ok(number > last, `${number} after ${last}`);
      last = number;
      seen.set(task, `${seen.get(task) ?? ""}${state} `);
      if (number % 500 === 0) await new Promise((resolve) => setTimeout(resolve, 50));
      if (state === "succeeded" && ++ended === tasks) break;
    }
    assert.equal(seen.size, tasks);
    for (const [task, story] of seen) assert.equal(story, "waiting leased succeeded ", task);
  });

  test("a subscription ends with its signal, also while nothing happens", async () => {
    await using stage = await Stage.open(open);
    const abort = new AbortController();
    const changes = subscribe(stage.store, { signal: abort.signal });
    await changes.ready;
    const next = changes.next();
    abort.abort();
    assert.deepEqual(await next, { done: true, value: undefined });
    assert.equal((await subscribe(stage.store, { signal: abort.signal }).next()).done, true);
  });

  test("a store that cannot be reached for a while costs a subscription nothing", async () => {
    await using stage = await Stage.open(open);
    let calls = 0;
    const store = altered(stage.store, "changes", (original) => (after, limit) => {
      // The first sets the place from which on it is told.
      if (++calls > 1 && calls < 6) throw new TransientError("store.away", "The store is away.");
      return original(after, limit);
    });
    await using changes = subscribe(store);
    await changes.ready;
    const { id } = await stage.client.enqueue(double, 1);
    assert.deepEqual(
      (await until(changes, () => true)).map(({ task }) => task),
      [id],
    );
    assert.ok(calls >= 6);
  });

  test("a reader that fell too far behind is told so instead of being given a gap", async () => {
    await using stage = await Stage.open(open);
    const store = altered(stage.store, "changes", (original) => async (after, limit) => {
      const page = await original(after, limit);
      // As if the first had been cleaned up.
      return { ...page, changes: page.changes.slice(1) };
    });
    await using changes = subscribe(store);
    await changes.ready;
    await stage.client.enqueueMany(double, [1, 2, 3]);
    await assert.rejects(changes.next(), { code: "subscribe.missed" });
  });

  test("a process that was suspended for minutes is told that it missed something", async (t) => {
    await using stage = await Stage.open(open);
    let now = 1_000_000;
    const store = altered(stage.store, "now", () => async () => now);
    t.mock.timers.enable({ apis: ["setInterval"] });
    await using changes = subscribe(store);
    await changes.ready;
    now += 600_000;
    t.mock.timers.tick(30_000);
    await assert.rejects(changes.next(), { code: "subscribe.missed" });
  });
}
