import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { PawlError } from "../../src/errors.ts";
import { chain, chord, connect, group, task } from "../../src/tasks/index.ts";

/** What programs in JavaScript give by mistake. */
const ODD: readonly unknown[] = [
  null,
  0,
  -1,
  Number.NaN,
  "",
  "x",
  true,
  Symbol("s"),
  5n,
  {},
  Object.create(null),
];

test("what is enqueued is a task or a flow, its inputs can be iterated over and its options are an object: else it is said", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "pawl-arguments-"));
  const client = connect(join(folder, "store.db"));
  t.after(async () => {
    await client.close();
    await rm(folder, { recursive: true });
  });
  const echo = task({ name: "echo" }, (given: unknown) => given);
  for (const odd of ODD) {
    const any = odd as never;
    const isText = typeof odd === "string";
    const isObject = typeof odd === "object" && odd !== null;
    const refused: [string, () => unknown][] = [
      ["task.unknown-task", () => client.enqueue(any, 1)],
      ["task.unknown-task", () => client.enqueueMany(any, [])],
      ["task.key", () => client.enqueueMany(echo, [1], { key: any })],
      ["flow.link", () => chain(echo, any)],
      ["flow.link", () => chord([echo.with(1)], any)],
    ];
    if (!isText) {
      refused.push(["task.inputs", () => client.enqueueMany(echo, any)]);
      refused.push(["task.id", () => client.handle(any)]);
      refused.push(["flow.link", () => client.enqueueFlow(group(any), null)]);
      refused.push(["store.unsupported", () => connect(any)]);
    }
    if (!isObject) refused.push(["task.option", () => client.enqueue(echo, 1, any)]);
    for (const [code, work] of refused) {
      await assert.rejects(
        async () => await work(),
        (error) => {
          assert.ok(error instanceof PawlError, `${code}: ${String(error)}`);
          assert.equal(error.code, code);
          assert.match(error.message, /^[^\n]+\.$/);
          return true;
        },
      );
    }
  }
});
