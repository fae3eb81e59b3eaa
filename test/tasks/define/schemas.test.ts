import assert from "node:assert/strict";
import { test } from "node:test";
import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";
import { parseInput } from "../../../src/tasks/define/schema.ts";
import { take } from "../../../src/tasks/stored-value.ts";

const schemas = {
  zod: z.object({ user: z.object({ age: z.number() }), tags: z.array(z.string()) }),
  valibot: v.object({ user: v.object({ age: v.number() }), tags: v.array(v.string()) }),
  arktype: type({ user: { age: "number" }, tags: "string[]" }),
};

for (const [name, schema] of Object.entries(schemas)) {
  test(`a schema of ${name} parses, and says in one sentence what is wrong and where`, async () => {
    const good = { user: { age: 7 }, tags: ["a"] };
    assert.deepEqual(await parseInput(schema, good, "t"), good);
    await assert.rejects(parseInput(schema, { user: { age: "7" }, tags: ["a", 1] }, "t"), (error: Error) => {
      assert.match(error.message, /^The input of task "t" is not what it takes: [^\n]*\.$/);
      assert.match(error.message, /user\.age/);
      assert.match(error.message, /tags(\.1|\[1\])/);
      return true;
    });
    await assert.rejects(parseInput(schema, undefined, "t"), { code: "task.input" });
  });
}

test("a schema may take its time", async () => {
  const even = z.number().refine(async (n) => n % 2 === 0, "must be even");
  assert.equal(await parseInput(even, 2, "t"), 2);
  await assert.rejects(parseInput(even, 3, "t"), /not what it takes: must be even\.$/);
});

test("what is wrong in a hundred places is told of three", async () => {
  const wrong = Array.from({ length: 100 }, () => "x");
  await assert.rejects(parseInput(z.array(z.number()), wrong, "t"), /; and 97 more\.$/);
});

test("only what JSON can express is stored, and not too much of it", () => {
  for (const value of [null, true, 1.5, "text", [1, { a: null }], { toJSON: () => 1 }]) {
    assert.equal(take(value, "It").value.text, JSON.stringify(value));
  }
  assert.equal(take(undefined, "It").value.text, "null");
  const circle: { self?: unknown } = {};
  circle.self = circle;
  for (const value of [1n, circle, () => {}, Symbol("s"), { a: 1n }]) {
    assert.throws(() => take(value, "It"), {
      code: "task.not-json",
      message: /^It cannot be stored as JSON \(.*\): use plain data\.$/,
    });
  }
  take("é".repeat(500_000), "It");
  assert.throws(() => take("é".repeat(530_000), "It"), {
    code: "task.too-large",
    message: /^It is 1\.1 MB as JSON, and at most 1 MB/,
  });
});
