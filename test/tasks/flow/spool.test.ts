import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { test } from "node:test";
import type { Streamed } from "../../../src/tasks/flow/link.ts";
import type { NodeSpec } from "../../../src/tasks/flow/spec.ts";
import { Spool } from "../../../src/tasks/flow/spool.ts";

const END = "\u2028 \u2029 \n \r \\u2028";

function streamed(count: number, text: string, last = text): Streamed {
  function* members() {
    for (let n = 0; n < count; n++) {
      const value = { n, text: n === count - 1 ? last : text };
      const node: NodeSpec = [{ name: "work", queue: "default", input: { value } }];
      yield { compose: () => ({ node, streamed: null }) };
    }
  }
  return { members: members(), need: "all", callback: null, queue: null, after: [] };
}

async function read(spool: Spool): Promise<unknown[]> {
  const values: unknown[] = [];
  for await (const link of spool.compose().streamed?.members ?? []) {
    const [stage] = link.compose().node ?? [];
    values.push(stage !== undefined && "input" in stage ? stage.input?.value : stage);
  }
  return values;
}

/** Few members, and more than are kept in memory. */
for (const [count, length] of [
  [3, 10],
  [300, 30_000],
] as const) {
  test(`${count} members of a group are read again as they were, and named by all of them`, async () => {
    const text = END + "x".repeat(length);
    const folders = async () => (await readdir(tmpdir())).filter((name) => name.startsWith("pawl-group-"));
    const before = await folders();
    {
      await using spool = await Spool.of(streamed(count, text));
      await using same = await Spool.of(streamed(count, text));
      await using other = await Spool.of(streamed(count, text, `${text}y`));
      assert.equal(same.identity(), spool.identity());
      assert.notEqual(other.identity(), spool.identity());
      const values = Array.from({ length: count }, (_, n) => ({ n, text }));
      assert.deepEqual(await read(spool), values);
      assert.deepEqual((await read(other)).at(-1), { n: count - 1, text: `${text}y` });
    }
    const left = (await folders()).filter((name) => !before.includes(name));
    assert.deepEqual(left, []);
  });
}

test("a group whose members break off leaves no file", async () => {
  const whole = streamed(400, "x".repeat(30_000));
  async function* members() {
    yield* whole.members;
    throw new Error("The list broke off.");
  }
  const before = await readdir(tmpdir());
  await assert.rejects(Spool.of({ ...whole, members: members() }), /broke off/);
  const left = (await readdir(tmpdir())).filter(
    (name) => name.startsWith("pawl-group-") && !before.includes(name),
  );
  assert.deepEqual(left, []);
});
