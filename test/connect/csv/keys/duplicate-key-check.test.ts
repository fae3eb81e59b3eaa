import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { test } from "node:test";
import type { KeyColumn } from "../../../../src/batch/contract.ts";
import { type CsvOptions, csv } from "../../../../src/connect/csv/index.ts";
import { csvSource } from "../../../../src/connect/csv/source.ts";
import { fc, runs } from "../../../random.ts";
import { Folder, planOptions, readAll } from "../fixture.ts";

const byKey = (...key: KeyColumn[]) => ({ kind: "byKey", key }) as const;

/** What PostgreSQL would compare, or null. */
function canonical(text: string, equality: KeyColumn["equality"]): string | null {
  if (text === "") return null;
  const value = text.replaceAll('"', "");
  if (equality === "uuid") return `u${value.toLowerCase().replace(/[-{}]/g, "")}`;
  if (equality === "bytes") return `b${value}`;
  const match = /^\s*([+-]?)((?:0[xX])?[0-9a-fA-F_]+)\s*$/.exec(value);
  if (!match) return `b${value}`;
  try {
    const number = BigInt((match[2] as string).replaceAll("_", ""));
    return `i${match[1] === "-" ? -number : number}`;
  } catch {
    return `b${value}`;
  }
}

const digits = fc
  .oneof(fc.bigInt({ min: -30n, max: 30n }), fc.bigInt({ min: 0n, max: 2n ** 64n }))
  .map(String);
const integer = fc.oneof(
  digits,
  digits.map((text) => `"${text}"`),
  digits.map((text) => `  ${text} `),
  fc.nat(40).map((n) => `+00${n}`),
  fc.nat(40).map((n) => `0x${n.toString(16)}`),
  fc.constantFrom("", '""', "abc", "-0", "0", "1_0", "1e1", "12345678901234567890123456789012345"),
);
const uuid = fc.oneof(
  fc.constantFrom("", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}"),
  fc.uuid(),
);
const bytes = fc.oneof(
  fc.stringMatching(/^[ab"]{0,3}$/).filter((text) => !text.includes('"')),
  fc.constantFrom('"a"', "é", '"ba"'),
);

for (const [equality, value] of [
  ["integer", integer],
  ["uuid", uuid],
  ["bytes", bytes],
] as const)
  test(`repeats of ${equality} keys are counted as a set counts them, alone and with a second column`, async () => {
    await using folder = await Folder.make();
    const row = fc.record({ key: value, other: fc.constantFrom("x", "y", "") });
    await fc.assert(
      fc.asyncProperty(fc.array(row, { maxLength: 60 }), fc.boolean(), async (rows, composite) => {
        const path = await folder.file(
          `note,key,other\n${rows.map(({ key, other }) => `n,${key},${other}\n`).join("")}`,
          "k.csv",
        );
        const other = { name: "other", equality: "bytes" } as const;
        const ordering = byKey({ name: "key", equality }, ...(composite ? [other] : []));
        const keys = rows
          .filter((each) => !composite || each.other !== "")
          .map((each) => ({ key: canonical(each.key, equality), other: each.other }))
          .filter(({ key }) => key !== null)
          .map((each) => `${each.key}${composite ? `|${each.other}` : ""}`);
        const repeats = keys.length - new Set(keys).size;
        const planned = await csvSource(path, { indexBlockBytes: 50, delimiter: "," }).shards(
          4,
          ordering,
          planOptions(folder.path),
        );
        assert.equal(planned.duplicates, repeats);
        assert.equal(planned.notes.length, repeats === 0 ? 0 : 1);
        assert.ok(repeats === 0 || planned.shards.length === 1);
      }),
      { numRuns: runs(40) },
    );
  });

test("a rising key that falls late is still compared with all that came before, across files", async () => {
  await using folder = await Folder.make();
  const lines = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, at) => `${from + at},x\n`).join("");
  const a = await folder.file(`id,v\n${lines(0, 30_000)}`, "a.csv");
  const b = await folder.file(`id,v\n${lines(30_000, 60_000)}17,x\n29999,x\n70000,x\n45000,x\n`, "b.csv");
  const source = csv([a, b]);
  const ordering = byKey({ name: "id", equality: "integer" });
  const planned = await source.shards(4, ordering, planOptions(folder.path));
  assert.equal(planned.duplicates, 3);
  assert.equal(planned.shards.length, 1);
  assert.equal(planned.shards[0]?.items, 60_004);
  const seen = await readAll(source, planned.shards, { items: 50_000, bytes: 1 << 20 });
  assert.equal(seen.flatMap(({ raws }) => raws).at(-1), "45000,x");
  assert.equal(seen.flatMap(({ ats }) => ats)[30_000], "b.csv line 2");
});

test("keys that outgrow the memory are spilled and counted exactly", async () => {
  await using folder = await Folder.make();
  const rows = Array.from({ length: 200_000 }, (_, at) => `k${(at * 7919) % 190_000},x\n`).join("");
  const path = await folder.file(`id,v\n${rows}`);
  const ordering = byKey({ name: "id", equality: "bytes" });
  const planned = await csv(path).shards(4, ordering, planOptions(folder.path, 100_000));
  assert.equal(planned.duplicates, 10_000);
  assert.ok((await readdir(folder.path)).some((name) => name.startsWith("keys-")));
});

test("without a key there is no work for one, and total order gives one shard that knows its rows", async () => {
  await using folder = await Folder.make();
  const source = csvSource(await folder.file("id\n1\n1\n2\n"), { indexBlockBytes: 1 });
  const any = await source.shards(2, { kind: "any" }, planOptions(folder.path));
  assert.deepEqual([any.shards.length, any.duplicates], [2, null]);
  const total = await source.shards(2, { kind: "total" }, planOptions(folder.path));
  assert.deepEqual([total.shards.length, total.shards[0]?.items, total.duplicates], [1, 3, null]);
  await assert.rejects(source.shards(2, byKey({ name: "nr", equality: "bytes" }), planOptions(folder.path)), {
    code: "csv.no-key-column",
  });
});

test("a mark before a key does not make it another key", async () => {
  await using folder = await Folder.make();
  const path = await folder.file("id,v\n7,a\n\ufeff7,b\n");
  const ordering = { kind: "byKey", key: [{ name: "id", equality: "bytes" }] } as const;
  assert.equal((await csv(path).shards(2, ordering, planOptions(folder.path))).duplicates, 1);
});

test("keys repeat as their values do, by whatever options the values come about", async () => {
  await using folder = await Folder.make();
  const path = await folder.file("id;v\n 1.000 ;a\n1000;b\n'2;c\n'3'';d\n");
  const options: CsvOptions = { delimiter: ";", trim: true, thousands: ".", quote: null };
  const key = [{ name: "id", equality: "integer" }] as const;
  const planned = await csv(path, options).shards(
    2,
    { kind: "byKey", key },
    { ...planOptions(folder.path), kinds: [["id", "number"]] },
  );
  assert.equal(planned.duplicates, 1);
});
