import assert from "node:assert/strict";
import { utimes, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { csv, isCsvChunk } from "../../../src/connect/csv/index.ts";
import { identityDifference } from "../../../src/connect/csv/open/file-identity.ts";
import { type DecodedRow, RowDecoder } from "../../../src/connect/csv/rows/row-decoder.ts";
import { csvSource } from "../../../src/connect/csv/source.ts";
import type { Json, QuarantineRecord } from "../../../src/store/contract.ts";
import { ANY, Folder, planOptions, readAll, rowsOf, signal } from "./fixture.ts";

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

test("an identity differs when the file does, and says how", async () => {
  await using folder = await Folder.make();
  const path = await folder.file("id\n1\n");
  const identity = async () => (await csv(path).describe()).identity;
  const before: Json = JSON.parse(JSON.stringify(await identity()));
  assert.equal(identityDifference(before, await identity()), null);
  await utimes(path, 1, 1);
  assert.match(identityDifference(before, await identity()) ?? "", /was last changed/);
  await writeFile(path, "id\n2\n");
  assert.match(identityDifference(before, await identity()) ?? "", /other content/);
  await writeFile(path, "id\n12\n");
  assert.match(identityDifference(before, await identity()) ?? "", /had 5 bytes and has 6 now/);
  assert.match(identityDifference(before, null) ?? "", /standard input now/);
  // Messages call a file what the person called it.
  const source = csv("a.csv", { cwd: folder.path });
  const named = csv(path.slice(folder.path.length + 1), { cwd: folder.path });
  const { identity: now } = await named.describe();
  assert.match(named.difference?.(before, now) ?? "", /^[^/]+ had 5 bytes and has 6 now\.$/);
  assert.match(source.difference?.(before, now) ?? "", /^\//);
});

test("columns of a list of failures are left out, and the rest passes as it was written", async () => {
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
    const { shards } = await source.shards(3, ANY, planOptions(folder.path));
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

test("a chunk is read as the pace says at that moment, and whole granules are not looked at", async () => {
  await using folder = await Folder.make();
  const source = csvSource(await folder.file(`id\n${"1234\n".repeat(1000)}`), { indexBlockBytes: 100 });
  const { shards } = await source.shards(1, ANY, planOptions(folder.path));
  const pace = { items: 1_000, bytes: 300 };
  const sizes: number[] = [];
  const shard = shards[0];
  assert.ok(shard);
  for await (const chunk of source.read(shard, null, pace, signal)) {
    assert.ok(isCsvChunk(chunk));
    sizes.push(chunk.bytes);
    if (sizes.length === 2) pace.bytes = 30;
    if (sizes.length === 3) Object.assign(pace, { items: 7, bytes: 1000 });
    if (sizes.length === 4) Object.assign(pace, { items: 10_000, bytes: 10_000 });
  }
  assert.deepEqual(sizes.slice(0, 4), [300, 300, 30, 35]);
  assert.equal(
    sizes.reduce((sum, size) => sum + size),
    5000,
  );
  assert.equal(sizes.length, 5);
});

test("a record is parsed by PostgreSQL's rules", () => {
  const dialect = { delimiter: ",", quote: '"', nullValue: "" };
  const decoder = new RowDecoder(dialect, ["a", "b", "c", "d", "e", "f"], "\n");
  const rows: DecodedRow[] = [];
  decoder.decode(Buffer.from('1,,"",a"b,"c,"d ""e""","\r\n"\r\n'));
  decoder.fill(rows, 10);
  assert.deepEqual(rows, [{ a: "1", b: null, c: "", d: "ab,c", e: 'd "e"', f: "\r\n" }]);
});

test("a run that stopped at a record that is too large goes on when larger ones are accepted", async () => {
  await using folder = await Folder.make();
  const rows = Array.from({ length: 8000 }, (_, id) => `${id},${"x".repeat(id === 7000 ? 5000 : 20)}\n`);
  const path = await folder.file(gzipSync(`id,v\n${rows.join("")}`));
  const begun = csv(path, { maxRecordSize: 1000 });
  const { shards } = await begun.shards(1, ANY, planOptions(folder.path));
  const pace = { items: 50, bytes: 10_000 };
  await assert.rejects(readAll(begun, shards, pace), { code: "csv.record-too-large" });
  const later = csv(path, { maxRecordSize: 10_000 });
  const [first] = await readAll(later, shards, pace);
  const rest = await readAll(later, shards, pace, first?.end);
  assert.equal(rest.flatMap((chunk) => chunk.rows).length, 7950);
});

test("a chunk has the rows that it announces, also where the wanted size changes while it is cut", async () => {
  await using folder = await Folder.make();
  const path = await folder.file(`id\n${Array.from({ length: 3_000 }, (_, at) => `${at}\n`).join("")}`);
  const source = csv(path);
  const { shards } = await source.shards(1, ANY, planOptions(folder.path));
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
