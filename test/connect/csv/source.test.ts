import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { csv, isCsvChunk } from "../../../src/connect/csv/index.ts";
import { csvSource } from "../../../src/connect/csv/source.ts";
import { Folder, planOptions, readAll, rowsOf, shardsOf, signal } from "./fixture.ts";

test("the delimiter is found, and all else may be told", async () => {
  await using folder = await Folder.make();
  for (const delimiter of [",", ";", "\t", "|"]) {
    const path = await folder.file(`id${delimiter}a\n1${delimiter}"x,;|\t"\n2${delimiter}y z\n`);
    assert.deepEqual(await rowsOf(csv(path), folder), [
      { id: "1", a: "x,;|\t" },
      { id: "2", a: "y z" },
    ]);
  }
  const told = await folder.file("1~'a~''b'~NA\n");
  assert.deepEqual(
    await rowsOf(csv(told, { delimiter: "~", quote: "'", nullValues: "NA", header: false }), folder),
    [{ column1: "1", column2: "a~'b", column3: null }],
  );
  const named = csv(await folder.file("a,b\n1,2\n"), { columns: ["x", "__proto__"] });
  assert.deepEqual(await rowsOf(named, folder), [
    Object.fromEntries([
      ["x", "1"],
      ["__proto__", "2"],
    ]),
  ]);
});

test("columns of a list of quarantined rows are left out, and the rest passes as it was written", async () => {
  await using folder = await Folder.make();
  const path = await folder.file(
    'pawl_row,pawl_reason,id,note\n7,"bad, very",1,"a ""b"",\nc"\r\n9,worse,2,\n11,worst,3\n',
    "m.csv",
  );
  const source = csv(path, { ignoreColumns: ["pawl_row", "pawl_reason"] });
  assert.deepEqual((await source.describe()).columns, ["id", "note"]);
  const { shards } = await source.shards(
    1,
    { kind: "byKey", key: [{ name: "id", equality: "integer" }] },
    planOptions(folder.path),
  );
  const [chunk] = await readAll(source, shards, { items: 9, bytes: 999 });
  assert.equal(chunk?.text, '1,"a ""b"",\nc"\n2,\n3\n');
  assert.deepEqual(chunk?.records, ['1,"a ""b"",\nc"', "2,", "3"]);
  assert.deepEqual(chunk?.raws, chunk?.records);
  assert.deepEqual(chunk?.rows, [
    { id: "1", note: 'a "b",\nc' },
    { id: "2", note: null },
    "row has 1 field, the header has 2",
  ]);
});

test("a chunk has the size that is wanted at that moment, and whole index blocks are not read", async () => {
  await using folder = await Folder.make();
  const source = csvSource(await folder.file(`id\n${"1234\n".repeat(1000)}`), { indexBlockBytes: 100 });
  const shards = await shardsOf(source, folder);
  const size = { items: 1_000, bytes: 300 };
  const sizes: number[] = [];
  const shard = shards[0];
  assert.ok(shard);
  for await (const chunk of source.read(shard, null, size, signal)) {
    assert.ok(isCsvChunk(chunk));
    sizes.push(chunk.bytes);
    if (sizes.length === 2) size.bytes = 30;
    if (sizes.length === 3) Object.assign(size, { items: 7, bytes: 1000 });
    if (sizes.length === 4) Object.assign(size, { items: 10_000, bytes: 10_000 });
  }
  assert.deepEqual(sizes.slice(0, 4), [300, 300, 30, 35]);
  assert.equal(
    sizes.reduce((sum, each) => sum + each),
    5000,
  );
  assert.equal(sizes.length, 5);
});

test("a run that stopped at a record that is too large continues when larger ones are accepted", async () => {
  await using folder = await Folder.make();
  const rows = Array.from({ length: 8000 }, (_, id) => `${id},${"x".repeat(id === 7000 ? 5000 : 20)}\n`);
  const path = await folder.file(gzipSync(`id,v\n${rows.join("")}`));
  const begun = csv(path, { maxRecordSize: 1000 });
  const shards = await shardsOf(begun, folder);
  const size = { items: 50, bytes: 10_000 };
  await assert.rejects(readAll(begun, shards, size), { code: "csv.record-too-large" });
  const later = csv(path, { maxRecordSize: 10_000 });
  const [first] = await readAll(later, shards, size);
  const rest = await readAll(later, shards, size, first?.end);
  assert.equal(rest.flatMap((chunk) => chunk.rows).length, 7950);
});

test("a chunk has the rows that it announces, also where the wanted size changes while it is cut", async () => {
  await using folder = await Folder.make();
  const path = await folder.file(`id\n${Array.from({ length: 3_000 }, (_, at) => `${at}\n`).join("")}`);
  const source = csv(path);
  const shards = await shardsOf(source, folder);
  // As the engine does it: the numbers are others whenever they are looked at.
  let looked = 0;
  const size = {
    get items() {
      return (looked++ * 37) % 200;
    },
    get bytes() {
      return 1 + ((looked++ * 101) % 2_000);
    },
  };
  const ids: unknown[] = [];
  for (const shard of shards)
    for await (const chunk of source.read(shard, null, size, signal)) {
      let given = 0;
      for await (const rows of chunk.slices()) {
        given += rows.length;
        ids.push(...rows.map((row) => (row as { readonly id: string }).id));
      }
      assert.equal(given, chunk.items);
    }
  assert.deepEqual(
    ids,
    Array.from({ length: 3_000 }, (_, at) => `${at}`),
  );
});
