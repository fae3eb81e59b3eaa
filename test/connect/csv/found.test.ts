import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type CsvOptions, csv } from "../../../src/connect/csv/index.ts";
import { compositeConverter } from "../../../src/connect/csv/values/converters.ts";
import { dateReader } from "../../../src/connect/csv/values/dates.ts";
import { numberReader } from "../../../src/connect/csv/values/numbers.ts";
import { fc } from "../../random.ts";
import { ANY, Folder, planOptions, readAll, rowsOf } from "./fixture.ts";

const hex = (text: string) => Buffer.from(text, "hex");
const tar = Buffer.alloc(1024);
tar.write("data.csv", 0);
tar.write("ustar\0", 257, "latin1");

const FORMATS: [what: string, content: Buffer, message: RegExp][] = [
  ["xz", hex("fd377a585a000004e6d6b446"), /an xz archive .*xz -dc '.*the file\.csv' \| pawl load -/],
  ["bzip2", Buffer.from("BZh91AY&SYxxxx"), /bzip2 -dc/],
  ["7-Zip", hex("377abcaf271c0004"), /7z e -so/],
  ["RAR", hex("526172211a070100"), /unrar p/],
  ["lz4", hex("04224d1864404000"), /lz4 -dc/],
  ["lzip", hex("4c5a4950010c0000"), /lzip -dc/],
  ["Parquet", hex("5041523115041500"), /a Parquet file .*duckdb/],
  ["tar", tar, /a tar archive .*tar -xOf/],
  ["a packed tar", gzipSync(tar), /a tar archive .*tar -xOf/],
  ["gzip in gzip", gzipSync(gzipSync("id,v\n1,a\n")), /is packed twice and not a CSV: unpack it once/],
  ["zstd in gzip", gzipSync(zstdCompressSync("id,v\n1,a\n")), /is packed twice/],
  ["a packed xz", zstdCompressSync(hex("fd377a585a000004e6d6b446")), /xz -dc/],
  ["an old sheet", hex("d0cf11e0a1b11ae10000"), /save the sheet as CSV/],
  ["JSON", Buffer.from('\n[\n  {"a": 1}]'), /is JSON .*jq -r '\.\[\]/],
  ["JSON lines", Buffer.from('{"a": 1, "b": {"c": 2}}\n{"a": 2}\n'), /is JSON .*jq -r '\. \|/],
  ["a web page", Buffer.from("<!DOCTYPE html>\n<html>"), /a web page/],
  ["XML", Buffer.from('<?xml version="1.0"?><a/>'), /is XML/],
];

for (const [what, content, message] of FORMATS)
  test(`${what} is told apart from a CSV, from a file and from a pipe`, async () => {
    await using folder = await Folder.make();
    const path = await folder.file(content, "the file.csv");
    await assert.rejects(csv(path).describe(), { code: "csv.other-format", message });
    const stdin = Readable.from([content.subarray(0, 3), content.subarray(3)]);
    await assert.rejects(csv("-", { stdin }).describe(), { code: "csv.other-format" });
  });

test("headers that begin as other formats do are headers", async () => {
  await using folder = await Folder.make();
  for (const name of [
    "BZhang",
    "ORCID",
    "PAR1",
    "PK",
    "LZIP",
    "7z",
    "Objective",
    "SQLite format 3",

    "[x]",
  ])
    assert.deepEqual(await rowsOf(csv(await folder.file(`${name},b\n1,2\n`)), folder), [
      { [name]: "1", b: "2" },
    ]);
});

test("a header of a hundred thousand columns is refused, and ten thousand are read", async () => {
  await using folder = await Folder.make();
  const names = Array.from({ length: 100_000 }, (_, index) => `c${index}`);
  const wide = await folder.file(`${names.join(",")}\n`);
  await assert.rejects(csv(wide).describe(), { code: "csv.header", message: /line 1 has 100000 fields/ });
  await assert.rejects(csv(wide, { header: false }).describe(), { code: "csv.header" });
  const long = await folder.file(`id,${"x".repeat(2_000_000)}\n1,2\n`);
  await assert.rejects(csv(long).describe(), { code: "csv.header", message: /longer than 1 MB/ });
  const taken = names.slice(0, 10_000);
  const path = await folder.file(`${taken.join(",")}\n${taken.map((_, index) => index).join(",")}\n`);
  for (const options of [{}, { trim: true, nullValuesFor: { c7: "7" } }]) {
    const [row] = await rowsOf(csv(path, options), folder);
    assert.equal((row as Record<string, unknown>).c9999, "9999");
  }
  const twice = await folder.file(`${[...taken.slice(1), "c5"].join(",")}\n`);
  await assert.rejects(csv(twice).describe(), { message: /"c5" twice, as columns 5 and 10000/ });
});

test("lines that end in every way, and marks between joined files, give clean values", async () => {
  await using folder = await Folder.make();
  const rows = [
    { id: "1", v: "a" },
    { id: "2", v: "b" },
  ];
  const read = async (text: string, options: CsvOptions = {}) =>
    rowsOf(csv(await folder.file(text), options), folder);
  assert.deepEqual(await read("id,v\r\r\n1,a\r\r\n2,b\r\r\n"), rows);
  assert.deepEqual(await read('id,v\r\r\r\n1,"a"\r\r\n2,b\r\r'), rows);
  assert.deepEqual(await read("\ufeffid,v\n1,a\n\ufeff2,b\n", {}), rows);
  assert.deepEqual(await read('\ufeffid,v\n1,a\n\ufeff"2","b"\n'), rows);
  assert.deepEqual(await read("\ufeffid,v\n1,a\n\ufeffid,v\n2,b\n"), [
    rows[0],
    "row is the header again: files were joined here",
    rows[1],
  ]);
  const [first, ...others] = await read("a\nA\nx@y:1\rz@y:2\nB\n");
  assert.deepEqual([first, others[1]], [{ a: "A" }, { a: "B" }]);
  assert.match(String(others[0]), /carriage return outside quotes/);
  const early = await folder.file("id,v\r1,a\n2,b\n", "t.csv");
  await assert.rejects(rowsOf(csv(early), folder), {
    code: "csv.mixed-line-ends",
    message: /t\.csv line 1 ends with a carriage return alone, and a later line with a line feed/,
  });
});

test("names given for the columns go to the columns that the first header names, in whatever order other files have them", async () => {
  await using folder = await Folder.make();
  const columns = ["id", "vor", "nach"];
  const first = await folder.file("id,first,last\n1,Ada,Lovelace\n", "n1.csv");
  const [ada, grace] = [
    { id: "1", vor: "Ada", nach: "Lovelace" },
    { id: "2", vor: "Grace", nach: "Hopper" },
  ];
  const other = "id, last ,first\r\n2,Hopper,Grace\r\n";
  for (const content of [other, gzipSync(other), `\ufeff${other}`, Buffer.from(`\ufeff${other}`, "utf16le")])
    assert.deepEqual(await rowsOf(csv([first, await folder.file(content, "n2.csv")], { columns }), folder), [
      ada,
      grace,
    ]);
  for (const header of ["id,first,name", "id,last,last", "2,Grace,Hopper", "id,first,"])
    await assert.rejects(
      csv([first, await folder.file(`${header}\n2,a,b\n`, "n2.csv")], { columns }).describe(),
      {
        code: "csv.header-differs",
        message: /n2\.csv/,
      },
    );
  // Names are given for headers that have none, or the same twice, or in another encoding.
  for (const header of [",a,a", "id,x\xe4,x\xf6"]) {
    const files = [1, 2].map((id) => folder.file(Buffer.from(`${header}\n${id},a,b\n`, "latin1")));
    const rows = await rowsOf(csv(await Promise.all(files), { columns }), folder);
    assert.deepEqual(
      rows,
      [1, 2].map((id) => ({ id: String(id), vor: "a", nach: "b" })),
    );
  }
  const joined = await folder.file("id,first,last\n1,Ada,Lovelace\n\ufeffid,first,last\n2,Grace,Hopper\n");
  assert.deepEqual(await rowsOf(csv(joined, { columns }), folder), [
    ada,
    "row is the header again: files were joined here",
    grace,
  ]);
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

test("values of dates and numbers are read for the columns that are such, and refused where they are none", async () => {
  await using folder = await Folder.make();
  const text =
    "id;paid;amount;note\n1;31.01.2026;1.234,50;1.234,50\n2;1/2/26 14:30;-7;31.01.2026\n3;31.02.2026;1;x\n4;1.1.2026;1.5;y\n5;;;\n";
  const options: CsvOptions = { dateOrder: "dmy", decimal: ",", thousands: "." };
  const source = csv(await folder.file(text), options);
  const kinds = [["paid", "date"] as const, ["amount", "number"] as const];
  const planned = await source.shards(2, ANY, { ...planOptions(folder.path), kinds });
  const seen = await readAll(source, planned.shards, { items: 2, bytes: 1000 });
  assert.deepEqual(
    seen.flatMap(({ rows }) => rows),
    [
      { id: "1", paid: "2026-01-31", amount: "1234.50", note: "1.234,50" },
      { id: "2", paid: "2026-02-01 14:30", amount: "-7", note: "31.01.2026" },
      'column "paid": "31.02.2026" is not a date in the order dmy',
      'column "amount": "1.5" is not a number with the decimal "," and the thousands "."',
      { id: "5", paid: null, amount: null, note: null },
    ],
  );
  // Without a target a sample tells what is what, for a table that is made for it.
  const sampled = await csv(await folder.file(text.slice(0, text.indexOf("3;"))), options).sample(9);
  assert.deepEqual(sampled[0], { id: "1", paid: "2026-01-31", amount: "1234.50", note: "1.234,50" });
});

test("numbers and dates survive being written as a country writes them", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -1e9, max: 1e9 }),
      fc.nat(99),
      fc.constantFrom(
        ["de-DE", ",", "."],
        ["en-US", ".", ","],
        ["de-CH", ".", "'"],
        ["fr-FR", ",", " "],
        ["fr-FR", ",", "\u00a0"],
        ["sv-SE", ",", "\u202f"],
        ["de-CH", ".", "\u2019"],
      ),
      (whole, cents, [locale, decimal, thousands]) => {
        const amount = Number(`${whole}.${String(cents).padStart(2, "0")}`);
        const text = amount.toLocaleString(locale, { minimumFractionDigits: 2 });
        const read = numberReader(decimal as string, thousands as string);
        assert.equal(Number(read(text)), amount, text);
        assert.equal(Number(read(amount.toFixed(0))), Number(amount.toFixed(0)));
      },
    ),
    { numRuns: 500 },
  );
  const german = numberReader(",", ".");
  for (const text of ["0.123", "001.234", "0.123,50", "1.234e5", "123.45.678", "1.234.56.789"])
    assert.equal(german(text), null, text);
  for (const text of ["1.5", "1,2,3", "12.34", "1 000", "x", "", "1.2345", ".5", "-"])
    assert.equal(german(text), null);
  assert.deepEqual(["+1.000", ",5", "3-", "1e3", "NaN", "007"].map(german), [
    "+1000",
    "0.5",
    "-3",
    "1e3",
    "NaN",
    "007",
  ]);
  const french = numberReader(",", " ");
  for (const blank of [" ", "\u00a0", "\u202f", "\u2009"])
    assert.equal(french(`${blank}-${blank}1${blank}234,50${blank}`), blank === "\u2009" ? null : "-1234.50");
  assert.equal(french("12 34,5"), null);
  const us = dateReader("mdy");
  assert.deepEqual(["1/31/2026", "2026-01-31", "12-1-69 7:00", "31 Jan 2026"].map(us), [
    "2026-01-31",
    "2026-01-31",
    "2069-12-01 7:00",
    "2026-01-31",
  ]);
  for (const text of ["31/1/2026", "2/30/2026", "1/2/3", "Sat 1/2/2026", "1.2-2026"])
    assert.equal(us(text), null, text);
});

const MONTHS = "January February March April May June July August September October November December".split(
  " ",
);

test("a date is read in the order that was said however it is written, or refused, and never left to the server", () => {
  const two = (n: number) => String(n).padStart(2, "0");
  const written = (
    order: "dmy" | "mdy" | "ymd",
    [y, m, d]: readonly [string, string, string],
    between: string,
  ) => ({ dmy: [d, m, y], mdy: [m, d, y], ymd: [y, m, d] })[order].join(between);
  fc.assert(
    fc.property(
      fc.date({ min: new Date("1970-01-01"), max: new Date("2069-12-31"), noInvalidDate: true }),
      fc.constantFrom("dmy" as const, "mdy" as const, "ymd" as const),
      fc.constantFrom(".", "/", "-", " ", "\\", "_", ", ", ". ", "\u00a0", ""),
      fc.boolean(),
      fc.constantFrom(
        ["", ""],
        [" 13:45", " 13:45"],
        ["T134500", " 13:45:00"],
        [", 1:45:10,5 p.m.", " 1:45:10.5 pm"],
        [" 13.45", " 13:45"],
        ["T13:45Z", " 13:45Z"],
        [" 1345 Europe/Berlin", " 13:45 Europe/Berlin"],
      ),
      (date, order, between, short, [time, read]) => {
        const iso = date.toISOString().slice(0, 10);
        const [y, m, d] = [iso.slice(0, 4), date.getUTCMonth() + 1, date.getUTCDate()];
        const bare = short && between !== "";
        const parts = [short ? y.slice(2) : y, bare ? String(m) : two(m), bare ? String(d) : two(d)] as const;
        const reader = dateReader(order);
        const text = `${written(order, parts, between)}${time}`;
        assert.equal(reader(text), `${iso}${read}`, text);
        assert.equal(reader(`${iso}${time}`), `${iso}${read}`);
        assert.equal(reader(`${iso.replaceAll("-", "")}${time}`), `${iso}${read}`);
        const name = MONTHS[m - 1] as string;
        for (const named of [
          `${d} ${name} ${y}`,
          `${name} ${d}, ${y}`,
          `${two(d)}-${name.slice(0, 3).toUpperCase()}-${y}`,
          `Mon, ${d}. ${name} ${y}`,
          `${y}${name}${two(d)}`,
        ])
          assert.equal(reader(`${named}${time}`), `${iso}${read}`, named);
        const shortNamed =
          order === "ymd"
            ? `${y.slice(2)}-${name.slice(0, 3)}-${two(d)}`
            : `${two(d)}-${name.slice(0, 3)}-${y.slice(2)}`;
        assert.equal(reader(shortNamed), iso, shortNamed);
      },
    ),
    { numRuns: 300 },
  );
  const token = fc.constantFrom(
    ..."1 2 02 31 26 2026 13:45 010226 20260201 . / - , _ \\ T Z AM Feb BC Mon +01 J 032".split(" "),
    " ",
    " ",
  );
  fc.assert(
    fc.property(
      fc.array(token, { minLength: 1, maxLength: 8 }),
      fc.constantFrom("dmy" as const, "mdy" as const, "ymd" as const),
      (tokens, order) => {
        const read = dateReader(order)(tokens.join(""));
        if (read !== null)
          assert.match(read, /^\d{4}-\d{2}-\d{2}(?: \d{1,2}:\d{2}(?::\d{2})?.*)?$/, tokens.join(""));
      },
    ),
    { numRuns: 2000 },
  );
  for (const text of [
    "2026.032",
    "2026032",
    "J2451187",
    "20111",
    "010226x",
    "1-2-26-3",
    "13:45 1/2/2026",
    "1/2",
    "Feb 2026",
    "1/2/2026 1 PM AMT",
  ])
    assert.equal(dateReader("dmy")(text), null, text);
});

test("values that hold numbers or dates pass only where they mean the same in every country", () => {
  const german = { dateOrder: "dmy", decimal: ",", thousands: "." } as const;
  const passes = (
    numbers: "none" | "whole" | "any" | "money",
    dates: boolean,
    text: string,
    reading: Parameters<typeof compositeConverter>[1] = german,
  ) => (compositeConverter({ type: "t", dates, numbers }, reading)?.convert(text) ?? null) === text;
  for (const text of [
    "{2026-01-31,NULL}",
    "[2026-01-31,2026-02-03)",
    '["2026-01-31 13:45:00+01",infinity)',
    "[0:0]={2026-01-31}",
    "(5,2026-01-31,x)",
    "{}",
    "{[2026-01-31,),(,2026-02-01]}",
  ])
    assert.equal(passes("none", true, text), true, text);
  for (const text of [
    "{01/02/2026}",
    '{"1, 2, 2026"}',
    "{010226}",
    '{"1 Feb 26"}',
    "[2026-01-31,03/04/2026)",
    '("1 2 2026",2026-01-31)',
    '{"(5,\\"1, 2, 2026\\")"}',
  ])
    assert.equal(passes("none", true, text), false, text);
  for (const text of ["3", "-3", "$ 3", "(3)"]) assert.equal(passes("money", false, text), true, text);
  for (const text of ["3,4", "3.40", "$1'000", "1 000", ",5", "1.234,50"])
    assert.equal(passes("money", false, text), false, text);
  for (const text of ["{1,5}", "[1,)", "{NULL,3}"]) assert.equal(passes("whole", false, text), true, text);
  for (const text of ["{1,5}", "{1.5}", "{.5}", "1,5 hours", "1.500 days"])
    assert.equal(passes("any", false, text), false, text);
  for (const text of ["{1}", "2 hours", "[,)", "1 day, 2 hours"])
    assert.equal(passes("any", false, text), true, text);
  assert.equal(passes("whole", false, "{1.500}"), false);
  const swiss = { dateOrder: null, decimal: "", thousands: "'" };
  assert.equal(passes("any", false, "{1.5,2.5}", swiss), true);
  assert.equal(passes("any", false, "{1\u2019000}", swiss), false);
  assert.equal(compositeConverter({ type: "date[]", dates: true, numbers: "none" }, swiss), null);
});

test("a stray NUL costs its row, in a file of any size, and a file of another encoding is refused", async () => {
  await using folder = await Folder.make();
  for (const text of ["id,v\n1,a\0\n", "id,v\n\0,a\n2,b\n", "id,v\n1,\0a\0b\n"]) {
    const source = csv(await folder.file(text));
    const { shards } = await source.shards(1, ANY, planOptions(folder.path));
    const rows = (await readAll(source, shards, { items: 9, bytes: 1000 })).flatMap((each) => each.rows);
    assert.equal(rows[0], "row contains a NUL byte, which text cannot hold", JSON.stringify(text));
  }
  for (const text of ["id,v\n1,a\n", "a\n1\n"])
    for (const bytes of [Buffer.from(text, "utf16le"), Buffer.from(text, "utf16le").swap16()])
      await assert.rejects(csv(await folder.file(bytes)).describe(), { code: "csv.binary" });
  await assert.rejects(csv(await folder.file(`id,v\n${"1,a\0\0\0\n".repeat(9)}`)).describe(), {
    code: "csv.binary",
  });
});

test("a comment does not begin with the delimiter, also where that is found in the file", async () => {
  await using folder = await Folder.make();
  await assert.rejects(csv(await folder.file("id;v\n1;a\n;b\n"), { comment: ";" }).describe(), {
    code: "csv.option",
    message: /--comment is ";", which is the delimiter/,
  });
});

test("the end mark of DOS costs its row, and is a value only where it does not end the file", async () => {
  await using folder = await Folder.make();
  const mark = "row ends with Ctrl-Z (0x1A), by which old programs mark the end of a file: remove that byte";
  for (const pack of [(text: string) => text, gzipSync])
    for (const [text, rows] of [
      ["id,v\n1,a\n2,b\x1a", [{ id: "1", v: "a" }, mark]],
      ["id\r\n1\r\n\x1a", [{ id: "1" }, mark]],
      [
        "id,v\n1,a\x1a\n2,b",
        [
          { id: "1", v: "a\x1a" },
          { id: "2", v: "b" },
        ],
      ],
    ] as const)
      assert.deepEqual(await rowsOf(csv(await folder.file(pack(text))), folder), rows, JSON.stringify(text));
});

test("blanks of every kind are trimmed from bare values, and kept within them and in quotes", async () => {
  await using folder = await Folder.make();
  const source = csv(await folder.file('a,b\n\u00a01\u202f2\u3000, "\u00a0x" \n\t\u2003,\u00a0NA\u00a0\n'), {
    trim: true,
    nullValues: ["", "NA"],
  });
  const { shards } = await source.shards(1, ANY, planOptions(folder.path));
  const rows = (await readAll(source, shards, { items: 9, bytes: 1000 })).flatMap((each) => each.rows);
  assert.deepEqual(rows, [
    { a: "1\u202f2", b: "\u00a0x" },
    { a: null, b: null },
  ]);
});

test("an option that is given empty is refused, unless the empty text is what it means", () => {
  const empty: CsvOptions[] = [
    { delimiter: "" },
    { quote: "" },
    { escape: "" },
    { quote: null, escape: "" },
    { comment: "" },
    { nullValues: [] },
    { nullValuesFor: { a: [] } },
    { decimal: "" },
    { thousands: "" },
    { dateOrder: "" as "dmy" },
    { fileColumn: "" },
    { lineColumn: " " },
    { encoding: "" },
    { skipLines: Number("x") },
  ];
  for (const options of empty)
    assert.throws(() => csv("x.csv", options), { code: "csv.option" }, JSON.stringify(options));
  for (const options of [{ nullValues: "" }, { nullValuesFor: { a: "" } }] satisfies CsvOptions[])
    csv("x.csv", options);
});
