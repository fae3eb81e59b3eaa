import assert from "node:assert/strict";
import { test } from "node:test";
import { PawlError, TransientError } from "../../src/errors.ts";
import { GroupCommit } from "../../src/tasks/group-commit.ts";

const refused = new PawlError("store.22021", "The store x refused: invalid byte sequence.");
const away = new TransientError("store.busy", "The store is busy.");

/** A group commit of numbers, at which the store fails as `fault` says; with what was stored, and what failed with what. */
function numbers(fault: (batch: readonly number[]) => Error | undefined, most = 500) {
  const batches: number[][] = [];
  const failed = new Map<number, unknown>();
  const commit = new GroupCommit<number>({
    most,
    characters: () => 1,
    store: async (batch) => {
      batches.push([...batch]);
      await new Promise(setImmediate);
      const error = fault(batch);
      if (error !== undefined) throw error;
    },
    failed: (entry, error) => failed.set(entry, error),
  });
  return { commit, batches, failed };
}

test("entries of one turn go together, and those that come meanwhile go into the next transaction, in order", async () => {
  const { commit, batches } = numbers(() => undefined, 3);
  for (const entry of [1, 2]) commit.add(entry);
  await Promise.resolve();
  await Promise.resolve();
  await Promise.resolve();
  for (const entry of [3, 4, 5, 6]) commit.add(entry);
  await commit.flushed();
  assert.deepEqual(batches, [[1, 2], [3, 4, 5], [6]]);
});

test("an entry that the store refuses fails alone, after few statements", async () => {
  const { commit, batches, failed } = numbers((batch) => (batch.includes(300) ? refused : undefined));
  for (let entry = 0; entry < 500; entry++) commit.add(entry);
  await commit.flushed();
  assert.deepEqual([...failed], [[300, refused]]);
  assert.ok(batches.length <= 20, `${batches.length} statements`);
});

test("without a policy of retries the entries of a store that is away fail, and later ones are stored", async () => {
  let isAway = true;
  const { commit, batches, failed } = numbers((batch) =>
    batch.length > 2 && batch.includes(1) ? refused : isAway ? away : undefined,
  );
  for (const entry of [1, 2, 3, 4]) commit.add(entry);
  await commit.flushed();
  // Refused as a whole; then the store is away, and is not asked for the other half.
  assert.deepEqual(batches, [
    [1, 2, 3, 4],
    [1, 2],
  ]);
  assert.deepEqual([...failed.keys()], [1, 2, 3, 4]);
  assert.ok([...failed.values()].every((error) => error === away));
  isAway = false;
  commit.add(5);
  await commit.flushed();
  assert.deepEqual(batches.at(-1), [5]);
  assert.equal(failed.has(5), false);
});
