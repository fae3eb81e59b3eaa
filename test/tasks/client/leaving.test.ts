import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect, task } from "../../../src/tasks/index.ts";

const waits = task({ name: "waits" }, () => {});

test("who waits for a task may leave by a signal; the task goes on, and others still see it", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "pawl-leaving-"));
  const client = connect(join(folder, "store.db"));
  t.after(async () => {
    await client.close();
    await rm(folder, { recursive: true });
  });
  // No worker works here, so that it waits until it is cancelled.
  const handle = await client.enqueue(waits);
  const reason = new Error("The client has gone.");
  const leaving = new AbortController();
  const { signal } = leaving;
  const left = assert.rejects(handle.result({ signal }), reason);
  const seen = all(handle.progress({ signal }));
  const staying = handle.result().then(
    () => "a result",
    (error) => error.code,
  );
  leaving.abort(reason);
  await left;
  assert.deepEqual(await seen, []);
  await assert.rejects(handle.result({ signal }), reason, "a signal that has aborted already");
  assert.deepEqual(await all(handle.progress({ signal })), []);
  assert.equal((await handle.status())?.state, "waiting");
  await handle.cancel();
  assert.equal(await staying, "task.cancelled");
});

async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) items.push(item);
  return items;
}
