import assert from "node:assert/strict";
import { test } from "node:test";
import { type CsvRow, csv } from "../../../src/connect/csv/index.ts";
import { csvSource } from "../../../src/connect/csv/source.ts";
import { fc, runs } from "../../random.ts";
import { ANY, Folder, planOptions, readAll, shardsOf } from "./fixture.ts";
import { referenceRecords } from "./reference.ts";

const plain = fc.stringMatching(/^[a-z0-9 ßé漢😀]{0,12}$/u);
const quoted = fc
  .array(fc.constantFrom("a", "ö", ",", "\n", "\r\n", '""', " ", "😀", "\r"), { maxLength: 8 })
  .map((parts) => `"${parts.join("")}"`);
const field = fc.oneof({ weight: 3, arbitrary: plain }, quoted);
const lineEnd = fc.constantFrom("\n", "\r\n");

function text(columns: number) {
  const record = fc
    .array(field, { minLength: columns, maxLength: columns })
    .map((fields) => fields.join(","));
  const ragged = fc.array(plain, { minLength: 1, maxLength: columns + 2 }).map((fields) => fields.join(","));
  const line = fc.oneof({ weight: 8, arbitrary: record }, ragged, fc.constant(""));
  const one = fc
    .tuple(line, fc.array(lineEnd, { minLength: 1, maxLength: 1 }))
    .map(([row, [end]]) => row + end);
  const mixed = fc.array(one, { maxLength: 40 }).map((lines) => lines.join(""));
  const even = fc
    .tuple(fc.array(line, { maxLength: 40 }), lineEnd)
    .map(([lines, end]) => lines.map((row) => row + end).join(""));
  return fc
    .tuple(fc.oneof(mixed, even), fc.boolean())
    .map(([body, cut]) => (cut ? body.replace(/\r?\n$/, "") : body));
}

const size = fc.record({ items: fc.integer({ min: 1, max: 30 }), bytes: fc.integer({ min: 1, max: 400 }) });

function expectedRows(values: readonly (string | null)[], names: readonly string[]): CsvRow | string {
  if (values.length === names.length)
    return Object.fromEntries(names.map((name, at) => [name, values[at] ?? null]));
  const noun = values.length === 1 ? "field" : "fields";
  return `row has ${values.length} ${noun}, the header has ${names.length}`;
}

for (const columns of [1, 3])
  test(`every record of ${columns} columns comes once, in order, whatever the index blocks, shards, sizes and resumes`, async () => {
    await using folder = await Folder.make();
    const names = ["id", "name", "note"].slice(0, columns);
    await fc.assert(
      fc.asyncProperty(
        text(columns),
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 1, max: 4 }),
        size,
        size,
        fc.boolean(),
        async (body, indexBlockBytes, n, first, second, bom) => {
          const path = await folder.file(`${bom ? "\ufeff" : ""}${names.join(",")}\n${body}`, "t.csv");
          const source = csvSource(path, { indexBlockBytes, delimiter: "," });
          const expected = referenceRecords(`${names.join(",")}\n${body}`)
            .slice(1)
            .filter(({ raw }) => columns === 1 || raw !== "");
          const shards = await shardsOf(source, folder, n);
          assert.ok(shards.length <= n);
          assert.equal(
            shards.reduce((sum, { items }) => sum + (items ?? 0), 0),
            expected.length,
          );
          const chunks = await readAll(source, shards, first);
          assert.deepEqual(
            chunks.flatMap(({ rows }) => rows),
            expected.map(({ values }) => expectedRows(values, names)),
          );
          const raws = expected.map(({ raw }) => raw);
          assert.deepEqual(
            chunks.flatMap((chunk) => chunk.raws),
            raws,
          );
          assert.deepEqual(
            chunks.flatMap(({ ats }) => ats),
            expected.map(({ line }) => `t.csv line ${line}`),
          );
          assert.deepEqual(
            chunks.flatMap(({ records }) => records),
            raws,
          );
          for (const chunk of chunks) {
            const again = referenceRecords(chunk.text ?? "").map(({ raw }) => raw);
            assert.deepEqual(again, chunk.raws);
            assert.match(chunk.text ?? "", /\n$/);
          }
          // Resuming anywhere, at another size, gives the rest.
          const shard = shards[0];
          if (!shard) return;
          const whole = await readAll(source, [shard], first);
          for (let done = 0; done < whole.length; done += 3) {
            const rest = await readAll(source, [shard], second, JSON.parse(JSON.stringify(whole[done]?.end)));
            assert.deepEqual(
              rest.flatMap((chunk) => chunk.ats.map((at, index) => [at, chunk.raws[index]])),
              whole.slice(done + 1).flatMap((chunk) => chunk.ats.map((at, index) => [at, chunk.raws[index]])),
            );
          }
        },
      ),
      { numRuns: runs(25) },
    );
  });

test("records larger than blocks and pieces keep their boundaries", async () => {
  await using folder = await Folder.make();
  const rows = Array.from({ length: 20 }, (_, id) => `${id},"${`é,\n""x`.repeat(id * 10_000)}"`);
  const path = await folder.file(`id,note\n${rows.join("\n")}\n`);
  const source = csv(path);
  const { shards, duplicates } = await source.shards(
    3,
    { kind: "byKey", key: [{ name: "note", equality: "bytes" }] },
    planOptions(folder.path, 1 << 20),
  );
  assert.equal(duplicates, 0);
  const seen = await readAll(source, shards, { items: 7, bytes: 3_000_000 });
  assert.deepEqual(
    seen.flatMap(({ raws }) => raws),
    rows,
  );
  assert.deepEqual(
    seen.flatMap((chunk) => chunk.rows).map((row) => (row as CsvRow).note?.length),
    rows.map((_, id) => id * 10_000 * 5),
  );
});

test("a file with carriage returns alone is read, and a stray one in another file costs its row", async () => {
  await using folder = await Folder.make();
  const old = csv(await folder.file('id,note\r1,"a\rb"\r\r2,c\r', "old.csv"));
  const shards = await shardsOf(old, folder);
  const [chunk] = await readAll(old, shards, { items: 10, bytes: 1000 });
  assert.deepEqual(chunk?.rows, [
    { id: "1", note: "a\rb" },
    { id: "2", note: "c" },
  ]);
  assert.deepEqual(chunk?.ats, ["old.csv line 2", "old.csv line 5"]);
  const stray = csv(await folder.file('id,note\n1,a\rb\n2,c\n3,"d\r"\n'));
  const planned = await stray.shards(1, ANY, planOptions(folder.path));
  const [mended] = await readAll(stray, planned.shards, { items: 10, bytes: 1000 });
  assert.match(String(mended?.rows[0]), /carriage return outside quotes/);
  assert.deepEqual(mended?.rows.slice(1), [
    { id: "2", note: "c" },
    { id: "3", note: "d\r" },
  ]);
});

test("a table for a large file stays small", async () => {
  await using folder = await Folder.make();
  const rows = Array.from({ length: 60_000 }, (_, id) => `${id},${"x".repeat(20)}\n`).join("");
  const source = csvSource(await folder.file(`id,note\n${rows}`), { indexBlockBytes: rows.length / 6000 });
  const shards = await shardsOf(source, folder, 4);
  assert.equal(shards.length, 4);
  assert.ok(JSON.stringify(shards).length < 200_000);
  const sizes = shards.map(({ bytes }) => bytes ?? 0);
  assert.ok(Math.max(...sizes) - Math.min(...sizes) < rows.length / 1000);
});
