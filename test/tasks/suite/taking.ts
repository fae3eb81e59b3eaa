import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { chord, type GroupResults, group, schedule } from "../../../src/tasks/index.ts";
import { inline, inThread } from "../fixtures/content.ts";
import {
  echo,
  Money,
  misreports,
  misreportsInChild,
  spoil,
  spoils,
  spoilsInChild,
} from "../fixtures/tasks.ts";
import { type OpenPlace, Stage } from "./stage.ts";

/** Objects as programs give them: plain ones, and some with a form of their own in JSON. */
const given: fc.Arbitrary<object> = fc.letrec<{ value: unknown; object: object }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom(null, true, 1.5, "text", "\u0000", "\ud800", "\u2028"),
    fc.integer().map((cents) => new Money(cents)),
    fc.constant(0).map(() => new Date(0)),
    fc.array(tie("value"), { maxLength: 3 }),
    tie("object"),
  ),
  object: fc.dictionary(
    fc.oneof(fc.constantFrom("pawl:members", "__proto__", "toString", "n", "value", "members"), fc.string()),
    tie("value"),
    { minKeys: 1, maxKeys: 4 },
  ),
})).object;

/** The same samples each time. */
const samples = (count: number, seed: number) => fc.sample(given, { numRuns: count, seed });

/** As its reader sees it. */
const asStored = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

/** What is given is taken once, at the moment at which it is given. */
export function taking(open: OpenPlace, driver: "SQLite" | "PostgreSQL"): void {
  // From a child it comes to the worker, which hands it to either store in the same way.
  const isTried = (where: string): boolean => where === "inline" || driver === "SQLite";

  test("an input is stored as it was when it was given, whatever becomes of its object", async () => {
    await using stage = await Stage.open(open);
    const calls: Promise<{ id: string }>[] = [];
    const expected: unknown[] = [];
    for (const value of samples(60, 1)) {
      expected.push(asStored(value));
      const options = { key: `k${calls.length}`, priority: 1, queue: "given" };
      calls.push(stage.client.enqueue(echo, value, options));
      spoil(value);
      Object.assign(options, { key: "other", priority: 2, queue: "other", tx: {} });
    }
    for (const [at, { id }] of (await Promise.all(calls)).entries()) {
      const { payload, priority, queue } = await stage.task(id);
      assert.deepEqual([payload, priority, queue], [expected[at], 1, "given"]);
    }
  });

  test("a row that is used again is stored as it was at each yield", async () => {
    await using stage = await Stage.open(open);
    const rows = samples(40, 2).map(asStored);
    const row: { value: unknown } = { value: null };
    function* reused() {
      for (row.value of rows) yield row;
    }
    async function* reusedLater() {
      for (row.value of rows) yield row;
    }
    const expected = rows.map((value) => ({ value }));
    for (const [queue, inputs] of [
      ["sync", reused()],
      ["async", reusedLater()],
    ] as const) {
      await stage.client.enqueueMany(echo, inputs, { queue });
      const stored = await stage.store.query({ queue });
      assert.deepEqual(
        stored.map(({ payload }) => payload),
        expected,
      );
    }
  });

  test("an array, a set or a map of inputs is taken as it was at the call, with what its objects hold", async () => {
    await using stage = await Stage.open(open);
    const collections: Readonly<Record<string, (inputs: object[]) => Iterable<unknown> & { clear(): void }>> =
      {
        array: (inputs) => Object.assign(inputs, { clear: () => void inputs.splice(0) }),
        set: (inputs) => new Set(inputs),
        map: (inputs) => new Map(inputs.map((input, at) => [at, input])),
      };
    for (const [queue, collect] of Object.entries(collections)) {
      const inputs = samples(6, 5) as object[];
      const given = collect([...inputs]);
      const expected = [...given].map(asStored);
      const key = (_: unknown, at: number) => `${queue} ${at} of ${inputs.length}`;
      const storing = stage.client.enqueueMany(echo, given, { queue, key });
      for (const input of inputs) spoil(input);
      given.clear();
      inputs.length = 0;
      assert.deepEqual(await storing, { count: 6, created: 6 });
      const stored = await stage.store.query({ queue });
      assert.deepEqual(
        stored.map(({ payload }) => payload),
        expected,
      );
      const ids = stored.map(({ id }) => id);
      inputs.length = 6;
      await stage.client.enqueueMany(echo, expected, { queue, key });
      assert.deepEqual(
        (await stage.store.query({ queue })).map(({ id }) => id),
        ids,
        "each had the key that it had then",
      );
    }
  });

  test("links, the input of a flow and members of a streamed group are taken when they are made", async () => {
    await using stage = await Stage.open(open);
    await stage.work();
    const [first, second, third] = samples(3, 3) as [object, object, object];
    const expected = [first, second, third].map(asStored);
    const row: { value: unknown } = { value: null };
    function* members() {
      for (row.value of expected) yield echo.with(row);
    }
    const told = echo.via("both", { with: second });
    const fixed = echo.with(first);
    spoil(second);
    spoil(first);
    const flow = stage.client.enqueueFlow(chord([fixed, told], echo), third);
    spoil(third);
    const streamed = await stage.client.enqueueFlow(group(members()));
    const results = (await (await flow).result()) as GroupResults<unknown>;
    assert.deepEqual(await results.all(), [expected[0], { before: expected[2], more: expected[1] }]);
    assert.deepEqual(
      await (await streamed.result()).all(),
      expected.map((value) => ({ value })),
    );
  });

  test("a schedule fires what it was given", async () => {
    await using stage = await Stage.open(open);
    const input = { n: 1 };
    const stored = schedule("given", echo.with(input), { every: "1h" }, { store: stage.store });
    spoil(input);
    await stored;
    const [{ task } = { task: null }] = await stage.store.schedules();
    assert.deepEqual((task as { payload: unknown }).payload, { n: 1 });
  });

  for (const [where, task] of [
    ["inline", misreports],
    ["in a child", misreportsInChild],
  ] as const) {
    if (!isTried(where)) continue;
    test(`an unreadable progress is refused where it is reported, and none of it is stored (${where})`, async () => {
      await using stage = await Stage.open(open);
      await stage.work();
      const handle = await stage.client.enqueue(task, null);
      assert.deepEqual([...new Set((await handle.result()) as unknown[])], ["task.progress"]);
      assert.equal((await stage.task(handle.id)).progress, null);
    });
  }

  for (const [where, task] of [
    ["inline", spoils],
    ["in a child", spoilsInChild],
  ] as const) {
    if (!isTried(where)) continue;
    test(`a result and a report are stored as they were when they were given (${where})`, async () => {
      await using stage = await Stage.open(open);
      await stage.work();
      const values = samples(8, 4).map(asStored);
      const handles = await Promise.all(values.map((value) => stage.client.enqueue(task, value as never)));
      for (const [at, handle] of handles.entries()) {
        assert.deepEqual(await handle.result(), { given: values[at], price: "5 ct" });
        assert.deepEqual((await handle.status())?.progress, { current: 2, total: 2, note: "as it was" });
      }
    });
  }

  test("an input that JSON would lose is refused at its call by its place, and those beside it are stored", async () => {
    await using stage = await Stage.open(open);
    const { client } = stage;
    const bad = { rows: [{ at: new Date(0) }, { seen: new Map([[1, 2]]) }] };
    const refused = (of: RegExp) => ({ code: "task.not-json", message: of });
    const calls = [client.enqueue(echo, 1), client.enqueue(echo, bad), client.enqueue(echo, 2)];
    const states = await Promise.allSettled(calls);
    assert.deepEqual(
      states.map(({ status }) => status),
      ["fulfilled", "rejected", "fulfilled"],
    );
    await assert.rejects(
      calls[1] as Promise<unknown>,
      refused(/The input of task ".*" .*\(rows\[1\]\.seen is a Map\)/),
    );
    await assert.rejects(client.enqueueMany(echo, [{ n: Number.NaN }]), refused(/\(n is NaN\)/));
    assert.throws(() => echo.with(new Set([1])), refused(/\(it is a Set\)/));
    assert.throws(() => echo.via("both", { with: [/x/] }), refused(/\(\[0\] is a RegExp\)/));
    await assert.rejects(client.enqueueFlow(group([echo]), new Error("x")), refused(/\(it is an Error\)/));
    assert.equal((await stage.store.query({ name: echo.name })).length, 2);
  });

  for (const [where, task] of [
    ["inline", inline],
    ["in a child", inThread],
  ] as const) {
    if (!isTried(where)) continue;
    test(`a result or a report that JSON would lose is a dead letter that names its place (${where})`, async () => {
      await using stage = await Stage.open(open);
      await stage.work();
      for (const [way, kind, why] of [
        ["returns", "a list", /The result of task .* \(\[0\] is an Error\): use plain data/],
        ["returns", "an invalid date", /\(it is an invalid Date\)/],
        ["reports progress", "NaN", /The progress of task .* has a current that is NaN/],
        ["enqueues", "a DOMException", /\(it is a DOMException\)/],
      ] as const) {
        const { id } = await stage.client.enqueue(task, { way, kind });
        await stage.until(id, ({ state }) => state === "dead");
        assert.match((await stage.task(id)).error ?? "", why);
      }
    });
  }
}
