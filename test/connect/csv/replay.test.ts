import assert from "node:assert/strict";
import { test } from "node:test";
import { csv } from "../../../src/connect/csv/index.ts";
import type { QuarantineRecord } from "../../../src/store/contract.ts";
import { Folder, readAll, shardsOf } from "./fixture.ts";

test("quarantined records run again as they were, from any cursor, and keep their origin", async () => {
  await using folder = await Folder.make();
  const path = await folder.file('id,note\n1,a\n2,"b\nc"\n3\n');
  const records = ['2,"b\nc"', "3", "4,d"].map(
    (raw, index): QuarantineRecord => ({
      shard: 0,
      ordinal: index * 10,
      raw: Buffer.from(raw),
      at: `f.csv line ${index}`,
      reason: "bad",
      code: null,
      number: index + 5,
      replayedBy: null,
    }),
  );
  async function* items() {
    yield* records;
  }
  const known = csv("/gone.csv", { columns: ["id", "note"], delimiter: ",", header: false });
  for (const source of [csv(path).replay(items), known.replay(items)]) {
    assert.deepEqual((await source.describe()).columns, ["id", "note"]);
    assert.deepEqual(await source.sample(9), [
      { id: "2", note: "b\nc" },
      { id: "4", note: "d" },
    ]);
    const shards = await shardsOf(source, folder, 3);
    const seen = await readAll(source, shards, { items: 2, bytes: 999 });
    assert.deepEqual(
      seen.map(({ ats }) => ats),
      [["f.csv line 0", "f.csv line 1"], ["f.csv line 2"]],
    );
    assert.deepEqual(seen[0]?.rows, [{ id: "2", note: "b\nc" }, "row has 1 field, the header has 2"]);
    const rest = await readAll(source, shards, { items: 2, bytes: 999 }, seen[0]?.end);
    assert.deepEqual(
      rest.flatMap(({ raws }) => raws),
      ["4,d"],
    );
  }
});
