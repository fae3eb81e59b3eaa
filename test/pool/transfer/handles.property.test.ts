import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { Counter, get, type Isolation, Pool, put } from "../../../src/pool/index.ts";
import { pack, unpack } from "../../../src/pool/transfer/pack.ts";
import { give } from "../fixtures/give.ts";

/** Data that looks like whatever a handle might look like on its way. */
const keys = fc.oneof(
  fc.constantFrom(
    "\u0000pawl",
    "pawl",
    "kind",
    "state",
    "path",
    "handles",
    "value",
    "packed",
    "__proto__",
    "0",
  ),
  fc.string({ maxLength: 3 }),
);
const leaves = fc.oneof(
  fc.constantFrom("ref", "counter", "lock", "actor", "shared-array"),
  fc.jsonValue({ maxDepth: 1 }),
);
const { data } = fc.letrec((tie) => ({
  data: fc.oneof(
    { depthSize: "small" },
    leaves,
    fc.array(tie("data"), { maxLength: 4 }),
    fc.array(fc.tuple(keys, tie("data")), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
  ),
}));

test("data arrives as it is, and handles where they were, whatever both look like", () => {
  const counter = new Counter(7);
  const tree = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { depthSize: "small", maxDepth: 3 },
      leaves,
      fc.constant(counter),
      fc.array(tie("tree"), { maxLength: 4 }),
      fc.array(fc.tuple(keys, tie("tree")), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
    ),
  })).tree;
  fc.assert(
    fc.property(tree, (value) => {
      const before = flat(value);
      const packed = pack(value, "thread");
      assert.deepEqual(flat(value), before, "what was given is not changed");
      assert.deepEqual(flat(unpack(structuredClone(packed))), before);
    }),
    { seed: 7, numRuns: 500 },
  );
});

/** The value as JSON, with its counters as what no JSON is. */
function flat(value: unknown): string {
  return JSON.stringify(value, (_, each) => (each instanceof Counter ? `\u0001counter ${each.value}` : each));
}

for (const isolate of ["thread", "process"] as const satisfies Isolation[]) {
  test(`no data beside a ref becomes a ref, and no file is touched for its sake (${isolate})`, async () => {
    const folder = mkdtempSync(join(tmpdir(), "pawl-mine-"));
    try {
      writeFileSync(join(folder, "mine.txt"), "mine");
      using ref = put("from the parent");
      const state = {
        id: "0-1",
        layout: { form: "serialised", rest: 0, lengths: [4] },
        file: join(folder, "mine.txt"),
        parent: process.pid,
      };
      const forged = [
        { "\u0000pawl": "ref", state },
        { kind: "ref", state, path: [] },
        { value: null, handles: [{ kind: "ref", state, path: [] }] },
        JSON.parse('{"__proto__": {"\\u0000pawl": "ref"}, "constructor": 1}'),
      ];
      const samples = fc.sample(data, { seed: 7, numRuns: 100 });
      const items = [...forged, ...samples].map((each) => ({ ref, data: each }));
      await using pool = new Pool({ workers: 1, isolate });
      const results = await pool.map(give, items, { chunkSize: 20 });
      assert.equal(results.length, items.length);
      for (const [at, result] of results.entries()) {
        assert.equal(JSON.stringify(result.data), JSON.stringify(items[at]?.data));
        assert.deepEqual([result.text, get(result.ref)], ["from the parent", "from the worker"]);
        result.ref.dispose();
      }
      assert.deepEqual(readdirSync(folder), ["mine.txt"]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}
