import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { int32, readParquet } from "pawl/data";
import { cleanSchema, shop } from "./clean.ts";

let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "pawl-recipe-"));
  await writeFile(
    join(folder, "orders.csv"),
    [
      "number;customer;amount;day",
      '1; Ada@Example.com ;"1.234,50";31.12.2025',
      '2;BOB@example.com;"9,99";05.01.2026',
      '2;bob@example.com;"8,99";06.01.2026',
      '3;eve@example.com;"n/a";07.01.2026',
      '4;zoe@example.com;"5,00";30.02.2026',
      '5;;"5,00";01.02.2026',
      '6;nobody@example.com;"0,50";01.02.2026',
      "",
    ].join("\n"),
  );
  const customers = [
    { email: "ada@example.com", name: "Ada L.", country: "uk", changed: "2025-01-01T00:00:00" },
    { email: "ADA@example.com ", name: " Ada Lovelace", country: "uk ", changed: "2025-06-01T00:00:00" },
    { email: "bob@example.com", name: "Bob", country: null, changed: "2025-01-01T00:00:00" },
  ];
  await writeFile(
    join(folder, "customers.jsonl"),
    `${customers.map((each) => JSON.stringify(each)).join("\n")}\n`,
  );
  await writeFile(join(folder, "countries.csv"), "code,countryName\nUK,United Kingdom\nFR,France\n");
});

after(async () => {
  await rm(folder, { recursive: true, force: true });
});

it("makes one table of three sources, and loses no order", async () => {
  const { clean, refused } = shop(folder);
  const target = join(folder, "clean");
  const written = await clean.writeParquet(target, { partitionBy: ["year"] });
  const bad = await refused.sort("number").collect();
  assert.deepEqual(
    bad.map(({ number, amount, day }) => [number, amount, day]),
    [
      ["3", "n/a", "07.01.2026"],
      ["4", "5,00", "30.02.2026"],
      ["5", "5,00", "01.02.2026"],
    ],
  );
  const rows = await readParquet(target, cleanSchema, { hive: { year: int32() } })
    .sort("number")
    .collect();
  assert.equal(rows.length, written.rows);
  assert.deepEqual(
    rows.map((row) => Object.values(row).join("|")),
    [
      "1|ada@example.com|2025-12-31|1234.50|Ada Lovelace|UK|United Kingdom|2025",
      "2|bob@example.com|2026-01-06|8.99|Bob|||2026",
      "6|nobody@example.com|2026-02-01|0.50||||2026",
    ],
  );
  // Read: 7. Clean: 3, refused: 3, a line that came again: 1.
  assert.equal(rows.length + bad.length + 1, 7);
});
