import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import {
  bytes,
  date,
  decimal,
  type Frame,
  float64,
  fromRows,
  int32,
  int64,
  list,
  readCsv,
  readParquet,
  text,
  timestamp,
  timestamptz,
} from "../../../src/data/index.ts";
import { fc } from "../../random.ts";

const root = mkdtempSync(join(tmpdir(), "pawl-write-"));
after(() => rmSync(root, { recursive: true, force: true }));
let made = 0;
const place = (name: string) => join(root, String(made++), name);

const sales = fromRows({ user: text(), year: int32(), amount: float64() }, [
  { user: "ada", year: 2025, amount: 12 },
  { user: "bob", year: 2026, amount: 30 },
  { user: "eve", year: 2026, amount: 31 },
]);

async function rowsIn(path: string): Promise<unknown[]> {
  const files = readdirSync(path, { recursive: true })
    .map((name) => join(path, String(name)))
    .filter((name) => name.endsWith(".parquet"));
  const rows = await readParquet(files, { user: text(), amount: float64() }).collect();
  return rows.sort((a, b) => a.amount - b.amount);
}

test("Parquet is one file, a folder, or a folder for each value, and says its rows and files", async () => {
  const all = [
    { user: "ada", amount: 12 },
    { user: "bob", amount: 30 },
    { user: "eve", amount: 31 },
  ];
  const file = place("sales.parquet");
  const one = await sales.writeParquet(file, { compression: "zstd", rowGroup: 10_000 });
  assert.deepEqual([one.rows, one.files.map(({ path, rows }) => [path, rows])], [3, [[file, 3]]]);
  const folder = place("sales");
  const { files } = await sales.writeParquet(folder);
  assert.deepEqual(await rowsIn(folder), all);
  assert.ok(files[0]?.path.startsWith(`${folder}/part-`) && files.length === 1);
  const parts = place("deep/sales");
  const parted = await sales.writeParquet(parts, { partitionBy: "year" });
  assert.deepEqual(readdirSync(parts).sort(), ["year=2025", "year=2026"]);
  assert.deepEqual(
    [
      parted.rows,
      parted.files.length,
      parted.files.every(({ path, bytes }) => existsSync(path) && bytes > 0),
    ],
    [3, 2, true],
  );
  assert.deepEqual(await rowsIn(parts), all);
});

test("a folder is replaced or added to as it is said, and refused otherwise", async () => {
  const folder = place("sales");
  await sales.writeParquet(folder, { partitionBy: ["year"] });
  await assert.rejects(sales.writeParquet(folder), { code: "data.target-exists" });
  const late = sales.filter((c) => c.year.gt(2025));
  assert.equal((await late.writeParquet(folder, { partitionBy: ["year"], append: true })).rows, 2);
  assert.equal((await sales.writeParquet(folder, { partitionBy: ["year"], append: true })).rows, 3);
  assert.equal((await rowsIn(folder)).length, 8);
  assert.equal((await late.writeParquet(folder, { overwrite: true })).rows, 2);
  assert.equal((await rowsIn(folder)).length, 2);
  assert.deepEqual(readdirSync(join(folder, "..")), ["sales"]);
});

test("a frame may replace the files that it reads", async () => {
  const file = place("sales.parquet");
  await sales.writeParquet(file);
  const read = readParquet(file, { user: text(), year: int32(), amount: float64() });
  await read.filter((c) => c.amount.gt(20)).writeParquet(file, { overwrite: true });
  assert.deepEqual((await read.collect()).map(({ user }) => user).sort(), ["bob", "eve"]);
});

test("a query that fails half-way leaves what was there, and nothing else", async () => {
  const folder = place("out");
  await sales.writeParquet(folder);
  const numbers = place("numbers.csv");
  mkdirSync(join(numbers, ".."), { recursive: true });
  await fromRows(
    { n: text() },
    Array.from({ length: 5000 }, (_, n) => ({ n: n === 4999 ? "x" : String(n) })),
  ).writeCsv(numbers);
  const failing = readCsv(numbers, { n: text() }).with((c) => ({ k: c.n.cast(int32()) }));
  for (const write of [
    () => failing.writeParquet(folder, { overwrite: true }),
    () => failing.writeParquet(folder, { partitionBy: "k", append: true }),
    () => failing.writeCsv(join(folder, "new.csv")),
    () => failing.writeJsonl(join(folder, "new.jsonl")),
    () => failing.writeParquet(join(folder, "deep", "new.parquet")),
  ])
    await assert.rejects(write, /"x" is not|cast/);
  assert.equal((await rowsIn(folder)).length, 3);
  assert.equal(readdirSync(folder).length, 1);
  assert.deepEqual(readdirSync(join(folder, "..")), ["out"]);
});

test("an aborted write publishes nothing", async () => {
  const file = place("out.parquet");
  const stop = AbortSignal.abort(new Error("enough"));
  await assert.rejects(sales.writeParquet(file, { signal: stop }), /enough/);
  assert.equal(existsSync(join(file, "..")), false);
});

test("texts of any kind become folders and are told apart, or are refused in one sentence", async () => {
  const values = [
    "a/b",
    "a=b",
    "",
    "..",
    ".",
    "a%2Fb",
    " ",
    "ü",
    "\n",
    "a\\b",
    "*",
    "null and void",
    "x".repeat(180),
  ];
  const frame = fromRows(
    { k: text(), n: int32() },
    values.map((k, n) => ({ k, n })),
  );
  const folder = place("parts");
  const { files } = await frame.writeParquet(folder, { partitionBy: "k" });
  assert.equal(new Set(files.map(({ path }) => path)).size, values.length);
  for (const { path } of files) assert.equal(path.slice(folder.length + 1).split("/").length, 2);
  for (const k of ["NULL", "Null", "__HIVE_DEFAULT_PARTITION__", "x".repeat(181), "/".repeat(61)])
    await assert.rejects(
      fromRows({ k: text(), n: int32() }, [{ k, n: 1 }]).writeParquet(place("no"), { partitionBy: "k" }),
      { code: "data.partition", message: /column "k" cannot be the name of a folder/ },
    );
  await assert.rejects(sales.writeParquet(place("no"), { partitionBy: "amount" }), {
    code: "data.partition",
    message: /float64/,
  });
  await assert.rejects(
    sales.writeParquet(place("no"), {
      partitionBy: ["user", "year", "amount"].slice(0, 2).concat("user") as never,
    }),
    { code: "data.argument" },
  );
  await assert.rejects(sales.select("year").writeParquet(place("no"), { partitionBy: "year" }), {
    code: "data.partition",
    message: /no column is left/,
  });
});

test("a CSV holds every text so that it is read back as it was, and tells null from an empty text", async () => {
  const cell = fc.oneof(
    fc.string({
      unit: fc.constantFrom("a", ",", '"', "\n", "\r", " ", "ü", "#", "\\", "N", "\t"),
      maxLength: 6,
    }),
    fc.constantFrom(null, "", "NULL"),
  );
  const rows = fc.sample(fc.record({ a: cell, b: cell }), 300);
  for (const options of [{}, { delimiter: "\t" }, { delimiter: ";" }] as const) {
    const file = place("texts.csv");
    await fromRows({ a: text().nullable(), b: text().nullable() }, rows).writeCsv(file, options);
    assert.deepEqual(parsed(readFileSync(file, "utf8"), options.delimiter ?? ","), [
      ["a", "b"],
      ...rows.map(({ a, b }) => [a, b]),
    ]);
  }
});

/** The records of a CSV as RFC 4180 reads them, where an empty value without quotes is null. */
function parsed(content: string, delimiter: string): (string | null)[][] {
  const records: (string | null)[][] = [];
  let record: (string | null)[] = [];
  const value = new RegExp(`(?:"((?:[^"]|"")*)"|([^"\\n${delimiter}]*))(${delimiter}|\\n)`, "y");
  for (let match = value.exec(content); match !== null; match = value.exec(content)) {
    const [, inQuotes, plain, end] = match;
    record.push(inQuotes === undefined ? plain || null : inQuotes.replaceAll('""', '"'));
    if (end === delimiter) continue;
    records.push(record);
    record = [];
  }
  return records;
}

test("CSV and JSON lines hold numbers and moments exactly, also compressed", async () => {
  const frame = fromRows(
    {
      n: int64(),
      d: decimal(38, 4),
      f: float64(),
      at: timestamptz(),
      on: timestamp().nullable(),
      day: date(),
      raw: bytes(),
      l: list(decimal(5, 2)),
    },
    [
      {
        n: 9007199254740993n,
        d: "1234567890123456789012345678901234.1230",
        f: 0.1,
        at: "2026-01-31T10:00:00.123456+02:00",
        on: null,
        day: "2026-01-31",
        raw: new Uint8Array([0, 97]),
        l: ["1.10"],
      },
    ],
  );
  const csv = `n,d,f,at,on,day,raw,l\n9007199254740993,1234567890123456789012345678901234.1230,0.1,2026-01-31T08:00:00.123456Z,,2026-01-31,\\x00a,"[""1.10""]"\n`;
  const json = `{"n":9007199254740993,"d":"1234567890123456789012345678901234.1230","f":0.1,"at":"2026-01-31T08:00:00.123456Z","on":null,"day":"2026-01-31","raw":"\\\\x00a","l":["1.10"]}\n`;
  const [a, b, c, d] = [place("a.csv"), place("b.csv.gz"), place("c.jsonl"), place("d.jsonl.zst")];
  for (const write of [
    () => frame.writeCsv(a),
    () => frame.writeCsv(b),
    () => frame.writeJsonl(c),
    () => frame.writeJsonl(d),
  ])
    assert.equal((await write()).rows, 1);
  assert.equal(readFileSync(a, "utf8"), csv);
  assert.equal(gunzipSync(readFileSync(b)).toString(), csv);
  assert.equal(readFileSync(c, "utf8"), json);
  assert.equal(zstdDecompressSync(readFileSync(d)).toString(), json);
});

test("NaN and infinity are refused in JSON, wherever they stand, and are written to a CSV", async () => {
  const frame = fromRows(
    { f: float64() },
    [Number.NaN, Infinity, -Infinity].map((f) => ({ f })),
  );
  for (const each of [frame, fromRows({ f: list(float64()) }, [{ f: [1, Number.NaN] }])] as Frame[])
    await assert.rejects(each.writeJsonl(place("x.jsonl")), {
      code: "data.json",
      message: /column "f" holds/,
    });
  const file = place("f.csv");
  await frame.writeCsv(file);
  assert.equal(readFileSync(file, "utf8"), "f\nNaN\nInfinity\n-Infinity\n");
});

test("what cannot be a target, an option or a name of a column is said in one sentence", async () => {
  await assert.rejects(sales.writeCsv("s3://bucket/x.csv"), { code: "data.target", message: /pawl copy/ });
  await assert.rejects(sales.writeParquet(place("x.parquet"), { append: true }), {
    code: "data.argument",
    message: /a folder/,
  });
  await assert.rejects(sales.writeParquet(place("x"), { append: true, overwrite: true }), {
    code: "data.argument",
  });
  await assert.rejects(sales.writeParquet(place("x"), { compression: "brotli" as never }), {
    code: "data.argument",
    message: /snappy, zstd/,
  });
  await assert.rejects(sales.writeParquet(place("x"), { partionBy: "year" } as never), {
    message: /did you mean partitionBy/,
  });
  await assert.rejects(sales.writeParquet(place("x"), { partitionBy: "yaer" as never }), {
    code: "data.column",
    message: /did you mean user or year/,
  });
  await assert.rejects(sales.writeCsv(place("x"), { delimiter: "ab" }), { code: "data.argument" });
  await assert.rejects(fromRows({ a: int32(), A: int32() }, [{ a: 1, A: 2 }]).writeParquet(place("x")), {
    code: "data.write",
    message: /"a" and "A"/,
  });
  await assert.rejects(fromRows({ "": int32() }, [{ "": 1 }]).writeCsv(place("x")), { code: "data.name" });
  const file = place("names.csv");
  const names = ["__proto__", "constructor", 'x"y', "2024", "; drop table", "a,b", "rowid"];
  const odd = fromRows(Object.fromEntries(names.map((name) => [name, int32()])), []);
  await odd.writeCsv(file);
  assert.deepEqual(parsed(readFileSync(file, "utf8"), ",")[0]?.length, names.length);
});
