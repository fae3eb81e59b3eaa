import assert from "node:assert/strict";
import { test } from "node:test";
import { type CsvOptions, csv } from "../../../../src/connect/csv/index.ts";
import { compositeConverter } from "../../../../src/connect/csv/values/converters.ts";
import { dateReader } from "../../../../src/connect/csv/values/dates.ts";
import { numberReader } from "../../../../src/connect/csv/values/numbers.ts";
import { fc } from "../../../random.ts";
import { ANY, Folder, planOptions, readAll } from "../fixture.ts";

test("values of dates and numbers are read for the columns that are such, and refused where they are not", async () => {
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
