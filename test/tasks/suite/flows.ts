import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
  atLeast,
  chain,
  chord,
  type Flow,
  type GroupResults,
  group,
  TaskFailedError,
} from "../../../src/tasks/index.ts";
import {
  add,
  checked,
  counts,
  deaf,
  double,
  echo,
  fails,
  fixable,
  hourly,
  lists,
  notes,
  once,
  outcomes,
  pair,
  sumOf,
  total,
  unwraps,
  waits,
  wraps,
} from "../fixtures/tasks.ts";
import { type OpenPlace, Stage } from "./stage.ts";

/** Chains, groups and chords, and what becomes of them in the store. */
export function flows(open: OpenPlace): void {
  test("a chain passes results on, as they are or through a function of the next task", async () => {
    await using stage = await Stage.open(open);
    await stage.work();
    const flow = chain(add, double, pair, double.via("sumOf"), chain(double, double));
    assert.equal(await (await stage.client.enqueueFlow(flow, { a: 1, b: 2 })).result(), 96);
    const told = chain(add, group([1, 2, 3].map((n) => double.via("plus", { with: n }))));
    assert.deepEqual(
      await (await (await stage.client.enqueueFlow(told, { a: 1 })).result()).all(),
      [6, 8, 10],
    );
    const fixed = chain(add, double.with(50));
    assert.equal(await (await stage.client.enqueueFlow(fixed, { a: 1 })).result(), 100);
  });

  test("a group gives its members' results in their order", async () => {
    await using stage = await Stage.open(open);
    await stage.work();
    const handle = await stage.client.enqueueFlow(
      group([double.with(1), chain(double.with(2), double), double.with(3)]),
    );
    const members = await handle.result();
    assert.deepEqual(await members.all(), [2, 8, 6]);
    assert.deepEqual(await members.counts(), { members: 3, succeeded: 3, failed: 0 });
    // From another process as well.
    const again = (await stage.client.handle(handle.id).result()) as typeof members;
    assert.deepEqual(await again.all(), [2, 8, 6]);
  });

  test("an empty group has no results, and what follows runs", async () => {
    await using stage = await Stage.open(open);
    await stage.work();
    const flow = chord([] as ReturnType<typeof double.with>[], total);
    assert.deepEqual(await (await stage.client.enqueueFlow(flow)).result(), { sum: 0, count: 0, attempt: 1 });
    const streamed = chord(new Set<ReturnType<typeof double.with>>(), total);
    assert.equal((await (await stage.client.enqueueFlow(streamed)).result()).count, 0);
    const later = chain(double.with(1), group([] as (typeof double)[]), total);
    assert.equal((await (await stage.client.enqueueFlow(later)).result()).count, 0);
  });

  test("members are stored as they are read, and the callback runs once with all results", async () => {
    await using stage = await Stage.open(open);
    await stage.work({ queues: { default: 8 }, prefetch: 100 });
    let read = 0;
    function* members() {
      for (; read < 700; read++) yield double.with(read);
    }
    const handle = await stage.client.enqueueFlow(chain(group(members()), total));
    assert.deepEqual(await handle.result(), { sum: 700 * 699, count: 700, attempt: 1 });
    assert.equal((await stage.task(handle.id)).fence, 1);
  });

  test("a large array of members is stored in steps, and is the same flow with the same key", async () => {
    await using stage = await Stage.open(open);
    const members = Array.from({ length: 700 }, (_, n) => double.with(n));
    const first = await stage.client.enqueueFlow(chord(members, total), undefined, { key: "big" });
    const second = await stage.client.enqueueFlow(chord(members, total), undefined, { key: "big" });
    assert.deepEqual([second.id, first.created, second.created], [first.id, true, false]);
    await stage.work({ queues: { default: 8 }, prefetch: 100 });
    assert.equal((await second.result()).count, 700);
  });

  for (const [how, members] of [
    ["an array", (n: number) => Array.from({ length: n }, (_, i) => double.with(i))],
    ["a set", (n: number) => new Set(Array.from({ length: n }, (_, i) => double.with(i)))],
  ] as const) {
    test(`a flow is stored once with its key, though it has more members the next time (${how})`, async () => {
      await using stage = await Stage.open(open);
      const options = { key: "same" };
      const first = await stage.client.enqueueFlow(chord(members(3), total), undefined, options);
      for (const n of [5, 0]) {
        const again = await stage.client.enqueueFlow(chord(members(n), total), undefined, options);
        assert.deepEqual([again.id, again.created], [first.id, false]);
      }
      assert.equal((await stage.store.query({ flow: first.id })).length, 4);
      await stage.work();
      assert.deepEqual(await first.result(), { sum: 6, count: 3, attempt: 1 });
    });
  }

  test("two flows with one key are two, or the second is refused, and neither is dropped without a word", async () => {
    await using stage = await Stage.open(open);
    const { client } = stage;
    const options = { key: "q" };
    const streamed = () => new Set([double.with(3)]);
    const flows = [
      () => group([double.with(1)]),
      () => chain(double.with(2)),
      () => chain(double.with(2), double),
      () => chord([double.with(1)], total),
      () => chain(group(streamed()), total, echo),
    ];
    const handles = [];
    for (const flow of flows)
      handles.push(await client.enqueueFlow(flow() as Flow<unknown, unknown>, null, options));
    assert.equal(new Set(handles.map(({ id }) => id)).size, flows.length);
    for (const [n, flow] of flows.entries()) {
      const again = await client.enqueueFlow(flow() as Flow<unknown, unknown>, null, options);
      assert.deepEqual([again.id, again.created], [handles[n]?.id, false]);
    }
    const refused = { code: "flow.key", message: /has no task "echo"/ };
    for (const members of [[echo.with(1)], new Set([echo.with(1)]), [double.with(1), echo.with(1)]]) {
      await assert.rejects(client.enqueueFlow(group(members), null, options), refused);
    }
    const later = (member: typeof double | typeof echo) =>
      chain(double.with(1), group([member, double]), counts);
    await client.enqueueFlow(later(double), undefined, options);
    assert.equal((await client.enqueueFlow(later(double), undefined, options)).created, false);
    await assert.rejects(client.enqueueFlow(later(echo), undefined, options), { code: "flow.key" });
  });

  test("of two streamed groups with one key that begin alike, the other one is refused, also half-way", async () => {
    await using stage = await Stage.open(open);
    const { client, store } = stage;
    const many = Array.from({ length: 600 }, () => double.with(1));
    const begun = client.enqueueFlow(
      group(
        (function* () {
          yield* many;
          throw new Error("cut off");
        })(),
      ),
      undefined,
      { key: "half" },
    );
    await assert.rejects(begun, /cut off/);
    const refused = { code: "flow.key", message: /give each flow a key of its own/ };
    const nested = chain(group([double.with(1), echo.with(1)]), echo);
    for (const [key, other] of [
      ["half", [double.with(1), echo.with(2)]],
      ["whole", [double.with(1), echo.with(2)]],
      ["whole", [double.with(1), chain(double.with(1), echo)]],
      ["whole", [double.with(1), nested]],
    ] as const) {
      if (key === "whole") await client.enqueueFlow(group(many.values()), undefined, { key });
      const before = (await store.query({ queue: "default" })).length;
      await assert.rejects(client.enqueueFlow(group(other.values()), undefined, { key }), refused);
      assert.equal((await store.query({ queue: "default" })).length, before);
    }
    // What was stored of it counts, though it has fewer members now.
    const fewer = await client.enqueueFlow(group(many.slice(0, 3).values()), undefined, { key: "half" });
    assert.deepEqual([fewer.created, (await store.query({ flow: fewer.id })).length], [false, 501]);
    assert.equal((await store.group(fewer.id))?.children, 500);
    const mixed = () => [double.with(1), nested, chain(double.with(2), echo)].values();
    const first = await client.enqueueFlow(group(mixed()), undefined, { key: "mixed" });
    for (let round = 0; round < 2; round++) {
      const again = await client.enqueueFlow(group(mixed()), undefined, { key: "mixed" });
      assert.deepEqual([again.id, again.created], [first.id, false]);
      if (round === 0) {
        await stage.work();
        assert.equal(((await first.result()) as GroupResults<unknown>).group, first.id);
      }
    }
  });

  test("a flow whose members break off leaves nothing that waits for ever", async () => {
    await using stage = await Stage.open(open);
    function* members() {
      for (let n = 0; n < 1_000; n++) yield double.with(n);
      throw new Error("The list broke off.");
    }
    await assert.rejects(stage.client.enqueueFlow(chord(members(), total)), /broke off/);
    const left = await stage.store.query({ queue: "default", states: ["waiting", "leased"] });
    assert.deepEqual(left, []);
  });

  test("failFast: the first failure cancels the others, and the callback is dead", async () => {
    await using stage = await Stage.open(open);
    await stage.work({ lease: "900ms" });
    const flow = chord([fails.with("broken"), waits.with(null)], counts);
    const handle = await stage.client.enqueueFlow(flow);
    await assert.rejects(handle.result(), (error) => {
      assert.ok(error instanceof TaskFailedError);
      assert.match(error.message, /broken/);
      return true;
    });
    await stage.until(`${handle.id}/1`, ({ state }) => state === "cancelled");
  });

  test("atLeast: enough may succeed, or too few", async () => {
    await using stage = await Stage.open(open);
    await stage.work();
    const members = [fails.with("broken"), double.with(4), double.with(5)];
    const enough = chord(members, total, { policy: atLeast(2) });
    assert.deepEqual(await (await stage.client.enqueueFlow(enough)).result(), {
      sum: 18,
      count: 2,
      attempt: 1,
    });
    const few = chord([...members, fails.with("torn")], total, { policy: atLeast(3) });
    await assert.rejects((await stage.client.enqueueFlow(few)).result(), /broken|torn/);
    assert.throws(() => group(members, { policy: atLeast(4) }), { code: "flow.at-least" });
  });

  test("a failure in an inner group reaches the end of the outer flow", async () => {
    await using stage = await Stage.open(open);
    await stage.work();
    const inner = chain(group([double.with(1), fails.with("deep inside")]), total);
    const flow = chord([inner, double.with(2)], outcomes);
    await assert.rejects((await stage.client.enqueueFlow(flow)).result(), { code: "task.failed" });
    const waited = chord([inner, double.with(2)], outcomes, { policy: "wait" });
    const seen = await (await stage.client.enqueueFlow(waited)).result();
    assert.match(seen[0] ?? "", /^0 dead .*deep inside/);
    assert.equal(seen[1], "1 succeeded 4");
  });

  test("a failed link is told, what follows it never begins, and a retry goes on from there", async () => {
    await using stage = await Stage.open(open);
    await stage.work();
    const fixed = join(stage.folder, "fixed");
    const file = join(stage.folder, "runs");
    const flow = chain(notes.with({ file, line: "first" }), fixable.with(fixed), double, double);
    const handle = await stage.client.enqueueFlow(flow);
    await assert.rejects(handle.result(), /not corrected yet/);
    assert.equal((await handle.status())?.state, "dead");
    assert.equal((await stage.store.query({ flow: handle.id })).length, 2);
    await writeFile(fixed, "");
    assert.equal(await handle.retry(), true);
    assert.equal(await handle.result(), 28);
    // The first link ran once.
    assert.equal((await stage.task(`${handle.id}:1`)).fence, 1);
  });

  test("a failed chord goes on from the members that failed", async () => {
    await using stage = await Stage.open(open);
    await stage.work();
    const fixed = join(stage.folder, "fixed");
    const members = [double.with(1), chain(fixable.with(fixed), double), double.with(3)];
    const handle = await stage.client.enqueueFlow(chain(chord(members, total), sumOf));
    await assert.rejects(handle.result(), /not corrected yet/);
    await writeFile(fixed, "");
    assert.equal(await handle.retry(), true);
    assert.equal(await handle.result(), 22);
  });

  test("a cancelled flow does not go on, and can be taken up again", async () => {
    await using stage = await Stage.open(open);
    const file = join(stage.folder, "runs");
    const members = [1, 2, 3].map((n) => notes.with({ file, line: `member ${n}` }));
    const handle = await stage.client.enqueueFlow(chain(chord(members, counts), double));
    assert.equal(await handle.cancel(), true);
    await stage.work();
    await assert.rejects(handle.result(), { name: "TaskFailedError" });
    const states = new Set((await stage.store.query({ flow: handle.id })).map(({ state }) => state));
    assert.ok(!states.has("waiting") && !states.has("leased"), [...states].join());
    assert.equal(await handle.retry(), true);
    assert.equal(await handle.result(), 6);
  });

  test("a chain whose running link does not listen ends with that link when it is cancelled", async () => {
    await using stage = await Stage.open(open);
    const file = join(stage.folder, "runs");
    await stage.work();
    const flow = chain(deaf.with(300), notes.with({ file, line: "must not run" }));
    const handle = await stage.client.enqueueFlow(flow);
    await stage.until(`${handle.id}:1`, ({ state }) => state === "leased");
    await handle.cancel();
    await assert.rejects(handle.result(), { code: "task.cancelled" });
    await stage.until(`${handle.id}:1`, ({ state }) => state === "cancelled");
    assert.equal((await stage.store.query({ flow: handle.id })).length, 1);
  });

  test("members of nested groups are members at any depth, also within what a task returns", async () => {
    await using stage = await Stage.open(open);
    await stage.work();
    const groups = [group([double.with(1), double.with(2)]), group([double.with(3)])];
    assert.deepEqual(await (await stage.client.enqueueFlow(chain(group(groups), lists))).result(), [
      [2, 4],
      [6],
    ]);
    const deepest = await (await stage.client.enqueueFlow(group([group(groups), double.with(9)]))).result();
    const [outer, nine] = (await deepest.all()) as [GroupResults<GroupResults<number>>, number];
    assert.equal(nine, 18);
    assert.deepEqual(await Promise.all((await outer.all()).map((inner) => inner.all())), [[2, 4], [6]]);
    for await (const { result } of outer.records()) assert.ok((await result?.counts())?.members);
    const wrapped = chain(group([double.with(4), double.with(5)]), wraps, unwraps);
    assert.deepEqual(await (await stage.client.enqueueFlow(wrapped)).result(), [
      [8, 10],
      [8, 10],
    ]);
    const kept = await (await stage.client.enqueueFlow(chain(group([double.with(6)]), wraps))).result();
    assert.deepEqual(await kept.deep[0]?.again.all(), [12]);
    assert.equal(kept.deep[0]?.["pawl:members"], "text");
  });

  test("a callback that has a time of its own counts it from when its group has ended", async () => {
    await using stage = await Stage.open(open);
    await stage.work();
    for (const members of [[double.with(1)], new Set([double.with(1)])]) {
      const delayed = await stage.client.enqueueFlow(
        chain(chord(members, total), sumOf.via("late", { delay: "1h" })),
      );
      const callback = await stage.client.enqueueFlow(chain(group(members), hourly));
      assert.equal(await callback.result(), 1);
      const { expiresAt, createdAt } = await stage.task(callback.id);
      assert.equal(expiresAt, createdAt + 3_600_000);
      const held = await stage.client.enqueueFlow(chord(members, echo.via("first", { delay: "1h" })));
      for (const { id } of [delayed, held]) {
        const { due, createdAt } = await stage.until(id, ({ state }) => state === "waiting");
        assert.equal(due, createdAt + 3_600_000);
      }
    }
  });

  test("a delayed flow begins later, all of it", async () => {
    await using stage = await Stage.open(open);
    const handle = await stage.client.enqueueFlow(chord([double.with(1), double.with(2)], total), undefined, {
      delay: "1h",
    });
    const now = await stage.store.now();
    for (const task of await stage.store.query({ flow: handle.id })) {
      assert.ok(task.due === null || task.due > now + 3_000_000, task.id);
    }
  });
}

/** What of flows is the same on every store, since it is settled before or after that. */
export function flowsAnywhere(open: OpenPlace): void {
  test("a group whose members can be read once is not stored without them the second time", async () => {
    await using stage = await Stage.open(open);
    function* generated() {
      yield double.with(1);
      yield double.with(2);
    }
    const once = [
      generated(),
      new Set([double.with(1)]).values(),
      new ReadableStream({
        start(controller) {
          controller.enqueue(double.with(1));
          controller.close();
        },
      }),
    ];
    for (const members of once) {
      const flow = chord(members, total);
      await stage.client.enqueueFlow(flow);
      for (const again of [flow, chord(members, total)]) {
        await assert.rejects(stage.client.enqueueFlow(again), { code: "flow.spent" });
      }
    }
    for (const members of [new Set([double.with(1)]), { [Symbol.iterator]: generated }]) {
      const flow = chord(members, total);
      await stage.client.enqueueFlow(flow);
      await stage.client.enqueueFlow(flow);
    }
    const stored = await stage.store.query({ name: double.name });
    assert.equal(stored.length, 2 + 1 + 1 + 2 + 4);
  });

  test("groups within chains within groups: each is given what came before it", async () => {
    await using stage = await Stage.open(open);
    await stage.work();
    const inner = chain(group([double, chain(double, double)]), total);
    const flow = chain(add, group([chain(inner, sumOf), double]), group([counts, counts]));
    const members = await (await stage.client.enqueueFlow(flow, { a: 1, b: 1 })).result();
    assert.deepEqual(await members.all(), [2, 2]);
  });

  test("wait: the callback runs when all have ended, and sees what failed", async () => {
    await using stage = await Stage.open(open);
    await stage.work();
    const flow = chord([fails.with("broken"), double.with(4), fails.with("torn")], outcomes, {
      policy: "wait",
    });
    assert.deepEqual(await (await stage.client.enqueueFlow(flow)).result(), [
      "0 dead broken",
      "1 succeeded 8",
      "2 dead torn",
    ]);
  });

  test("a bad input of any link fails at the caller", async () => {
    await using stage = await Stage.open(open);
    const bad = { a: "x" } as never;
    for (const flow of [
      chain(double.with(1), add.with(bad)),
      chord([double.with(1), add.with(bad)], total),
      chain(double.with(1), group([chain(double, add.with(bad))]), total),
      chord(new Set([add.with(bad)]), total),
    ]) {
      await assert.rejects(stage.client.enqueueFlow(flow as never), { code: "task.input" });
    }
    await assert.rejects(stage.client.enqueueFlow(chain(add, double), bad), { code: "task.input" });
    const open1 = await stage.store.query({ queue: "default", states: ["waiting", "leased"] });
    assert.deepEqual(open1, []);
  });

  test("what cannot be a flow is refused when it is put together", () => {
    assert.throws(() => chain(double.with(1), group(new Set([double.with(1)])) as never), {
      code: "flow.stream",
    });
    assert.throws(() => chain(once.with({ key: "a" })), { code: "task.unique-link" });
    assert.throws(() => double.via("nothing" as "plus", { with: 1 }), { code: "task.via" });
    assert.throws(() => group([double], { policy: "sometimes" as never }), { code: "flow.policy" });
    assert.throws(() => (chain as (...links: never[]) => unknown)(), { code: "flow.empty" });
  });

  test("no data of a client is ever taken for the members of a group", async () => {
    await using stage = await Stage.open(open);
    await stage.work();
    const secret = await stage.client.enqueueFlow(group([echo.with("secret")]));
    const members = await secret.result();
    const marks: unknown[] = [
      { "pawl:members": secret.id },
      { group: secret.id },
      { members: [{ at: [], group: secret.id }], value: null },
      JSON.parse(JSON.stringify(members)),
      [JSON.parse(JSON.stringify({ members }))],
      `${secret.id}/0`,
    ];
    for (const mark of marks) {
      await assert.rejects(stage.client.enqueue(checked, mark as never), { code: "task.input" });
      await assert.rejects(stage.client.enqueueFlow(chain(echo.with(1), checked.with(mark as never))), {
        code: "task.input",
      });
      assert.deepEqual(await (await stage.client.enqueue(echo, mark)).result(), mark);
      const flow = chord([echo.with(mark)], echo);
      const results = (await (await stage.client.enqueueFlow(flow)).result()) as GroupResults<unknown>;
      assert.deepEqual(await results.all(), [mark]);
      const passed = await stage.client.enqueueFlow(chain(echo, echo.via("both", { with: mark })), mark);
      assert.deepEqual(await passed.result(), { before: mark, more: mark });
    }
    await stage.store.enqueue([
      { id: "forged", queue: "default", name: "checked", payload: { "pawl:members": secret.id } },
    ]);
    await stage.until("forged", ({ state }) => state === "dead");
  });

  test("a delayed flow begins later, also where a group of it has no members", async () => {
    await using stage = await Stage.open(open);
    const none = [] as ReturnType<typeof double.with>[];
    for (const flow of [
      chord(none, total),
      chord(new Set(none), total),
      chord([chord(none, total)], counts),
      chord(new Set([chord(none, total)]), counts),
    ] as Flow<unknown, unknown>[]) {
      const { id } = await stage.client.enqueueFlow(flow, undefined, { delay: "1h" });
      const now = await stage.store.now();
      const tasks = await stage.store.query({ flow: id });
      assert.ok(tasks.length > 0);
      for (const { due } of tasks) assert.ok(due === null || due > now + 3_000_000);
      assert.ok(tasks.some(({ due }) => due !== null));
    }
    const expiring = await stage.client.enqueueFlow(
      chain(double.with(1, { expires: "1h" }), double),
      undefined,
      {
        delay: "2h",
      },
    );
    const { due, expiresAt } = await stage.task(`${expiring.id}:1`);
    assert.equal(expiresAt, (due ?? 0) + 3_600_000);
    await assert.rejects(
      stage.client.enqueueFlow(chain(double.with(1)), undefined, { expires: "1h" } as never),
      {
        code: "task.option",
      },
    );
  });
}
