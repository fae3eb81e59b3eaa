import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { float64, fromRows, int32, readCsv, readJsonl, sql, text } from "../../../src/data/index.ts";

let folder = "";
before(() => {
  folder = mkdtempSync(join(tmpdir(), "pawl-frame-read-"));
  writeFileSync(join(folder, "a.csv"), "user;amount\nada;12.5\nbob;-\n");
  for (const year of [2023, 2024]) {
    mkdirSync(join(folder, `log/year=${year}`), { recursive: true });
    writeFileSync(join(folder, `log/year=${year}/x.jsonl`), `{"level":"ERROR","n":${year}}\n`);
  }
});
after(() => rmSync(folder, { recursive: true, force: true }));

test("a CSV is read as it is written, with the file of each row where it is asked for", async () => {
  const frame = readCsv(
    join(folder, "*.csv"),
    { user: text(), amount: float64().nullable() },
    { delimiter: ";", nullText: "-", fileColumn: "file" },
  );
  const rows = await frame.sort("user").collect();
  const file: string | undefined = rows[0]?.file;
  assert.equal(file, join(folder, "a.csv"));
  assert.deepEqual(
    rows.map(({ user, amount }) => [user, amount]),
    [
      ["ada", 12.5],
      ["bob", null],
    ],
  );
});

test("folders give columns", async () => {
  const frame = readJsonl(join(folder, "log"), { level: text() }, { hive: { year: int32() } });
  const rows = await frame.filter((c) => c.year.gt(2023)).collect();
  const year: number | undefined = rows[0]?.year;
  assert.deepEqual([year, rows.length], [2024, 1]);
});

test("options that cannot be meant are refused in one sentence", () => {
  const schema = { user: text() };
  const csv = (options: object) => readCsv("a.csv", schema, options as never);
  assert.throws(() => csv({ delimeter: ";" }), /no option "delimeter" of readCsv: did you mean delimiter\?/);
  assert.throws(() => csv({ quote: "''" }), /quote of readCsv\(\) is one character/);
  assert.throws(() => csv({ delimiter: '"' }), /cannot part values by the character/);
  assert.throws(() => csv({ bad: "drop" }), /"fail" or "quarantine", not "drop"/);
  assert.throws(() => csv({ fileColumn: "user" }), /two columns "user"/);
  assert.throws(() => readCsv([], schema), /at least one file/);
  assert.throws(() => readCsv("a.csv", {}), /at least one column/);
});

test("rows are not left out without anyone being told", async () => {
  const frame = readCsv(join(folder, "a.csv"), { user: text() }, { bad: "quarantine" });
  await assert.rejects(frame.count(), /give this run onBadRows/);
});

test("a query in SQL has frames as tables and a declared result", async () => {
  const sales = fromRows({ user: text(), amount: float64() }, [
    { user: "ada", amount: 12 },
    { user: "bob", amount: 300 },
  ]);
  const larger = sql(
    { "my sales": sales },
    'SELECT user, count(*) FROM "my sales" WHERE amount > 100 GROUP BY 1 -- why not;',
    { user: text(), n: int32() },
  );
  const rows = await larger.with((c) => ({ twice: c.n.mul(2) })).collect();
  assert.deepEqual(rows, [{ user: "bob", n: 1, twice: 2n }]);
  await assert.rejects(
    sql({ t: sales }, "SELECT null::VARCHAR", { user: text() }).collect(),
    /column "user" of sql\(\) holds a null/,
  );
  const declared = sql({ t: sales }, "SELECT 1.6", { n: int32() });
  await assert.rejects(
    declared.collect(),
    /gives decimal\(2, 1\) where the column "n" is declared as int32\(\)/,
  );
  const two = sql({ t: sales }, "SELECT * FROM t", { user: text() });
  await assert.rejects(two.collect(), /gives 2 columns \(user, amount\), and 1 are declared/);
});
