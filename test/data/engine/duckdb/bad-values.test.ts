import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import type {
  BadRow,
  EngineSession,
  QueryOptions,
  WriteTarget,
} from "../../../../src/data/engine/contract.ts";
import { duckdb } from "../../../../src/data/engine/duckdb/duckdb.ts";
import { rowsOf } from "../../../../src/data/frame/rows.ts";
import {
  bool,
  date,
  decimal,
  type FrameSchema,
  float64,
  int32,
  int64,
  json,
  list,
  text,
  timestamp,
} from "../../../../src/data/index.ts";
import type { CsvFormat, FileScan, PlanNode } from "../../../../src/data/plan/node.ts";
import { fieldsOf } from "../../../../src/data/schema/column-type.ts";

let folder = "";
let session: EngineSession;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "pawl-bad-values-"));
  session = await duckdb.open({
    memory: 256 * 1024 ** 2,
    spillFolder: join(folder, "spill"),
    spillLimit: null,
    threads: 2,
  });
});
after(async () => {
  await session.close();
  rmSync(folder, { recursive: true, force: true });
});

const CSV: CsvFormat = { delimiter: ",", quote: '"', escape: '"', header: true, nullText: "" };

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function scan(locations: readonly string[], schema: FrameSchema, more: Partial<FileScan> = {}): FileScan {
  const isJson = (locations[0] ?? "").includes(".jsonl");
  const own = fieldsOf(schema, "a scan");
  const hive = more.hive ?? [];
  const named =
    more.fileColumn === undefined || more.fileColumn === null
      ? []
      : [{ name: more.fileColumn, type: text() }];
  return {
    kind: "scan",
    format: isJson ? "jsonl" : "csv",
    locations,
    hive,
    fileColumn: null,
    bad: "fail",
    csv: isJson ? null : CSV,
    ...more,
    fields: [...own, ...hive, ...named],
  };
}

async function read(plan: PlanNode, options: QueryOptions = {}): Promise<Record<string, unknown>[]> {
  const rows: Record<string, unknown>[] = [];
  for await (const batch of session.batches(plan, options)) rows.push(...rowsOf(batch, plan.fields));
  return rows;
}

/** What is kept and what is handed over, lines and columns only; the counts have to add up. */
async function quarantined(plan: FileScan): Promise<{ kept: unknown[]; bad: string[] }> {
  const bad: BadRow[] = [];
  const before = session.scanned();
  const kept = await read({ ...plan, bad: "quarantine" }, { onBadRows: (rows) => void bad.push(...rows) });
  const now = session.scanned();
  assert.equal(now.kept - before.kept, kept.length);
  assert.equal(now.rejected - before.rejected, bad.length);
  assert.equal(now.read - before.read, kept.length + bad.length);
  return {
    kept: kept.map((row) => Object.values(row)),
    bad: bad.map((row) => `${basename(row.file)}:${row.line}:${row.column ?? ""} ${row.reason} <${row.raw}>`),
  };
}

describe("a value that does not fit its declared type", () => {
  const cases: readonly (readonly [string, FrameSchema, string, RegExp])[] = [
    [
      "a text in a number",
      { n: float64() },
      "1.5\nabc\n",
      /line 3: the column "n" has "abc", which does not fit float64/,
    ],
    [
      "a decimal in a whole number",
      { n: int32() },
      "1\n1.6\n",
      /line 3: the column "n" has "1\.6", which does not fit int32/,
    ],
    ["a decimal in an int64", { n: int64() }, "1\n1.6\n", /line 3: the column "n" has "1\.6"/],
    ["a number out of range", { n: int32() }, "1\n3000000000\n", /line 3: the column "n" has "3000000000"/],
    [
      "more digits than a decimal has",
      { n: decimal(10, 2) },
      "1.25\n1.255\n",
      /line 3: the column "n" has "1\.255"/,
    ],
    [
      "nothing where no null is allowed",
      { n: int32(), t: text() },
      "1,a\n,b\n",
      /line 3: the column "n" has no value/,
    ],
    ["nothing in a text", { n: int32(), t: text() }, "1,a\n2,\n", /line 3: the column "t" has no value/],
    ["a day with a time", { d: date() }, "2026-01-31\n2026-01-31 10:00:00\n", /line 3: the column "d"/],
    [
      "a time with a zone",
      { d: timestamp() },
      "2026-01-31 10:00:00\n2026-01-31T10:00:00+02:00\n",
      /line 3: the column "d"/,
    ],
    ["broken JSON", { j: json() }, '"{""a"":1}"\n{a\n', /line 3: the column "j"/],
    [
      "too few values",
      { n: int32(), t: text() },
      "1,a\n2\n",
      /line 3: (the column "t" )?has fewer values than the 2/,
    ],
    [
      "too many values",
      { n: int32(), t: text() },
      "1,a\n2,b,c\n",
      /line 3: has 3 or more values where 2 are expected/,
    ],
  ];
  for (const [index, [name, schema, content, message]] of cases.entries())
    test(`${name} in a CSV fails with its file, line and column`, async () => {
      const path = file(`fail-${index}.csv`, `${Object.keys(schema).join(",")}\n${content}`);
      await assert.rejects(read(scan([path], schema)), { code: "data.bad-value", message });
    });

  test("in JSONL fails with its file, line and column", async () => {
    const path = file("fail.jsonl", '{"n":1}\n\n{"n":2.5}\n');
    await assert.rejects(read(scan([path], { n: int32() })), {
      code: "data.bad-value",
      message: /fail\.jsonl line 3: the column "n" has "2\.5", which does not fit int32\(\)/,
    });
    const broken = file("broken.jsonl", '{"n":1}\n{bad\n');
    await assert.rejects(
      read(scan([broken], { n: int32() })),
      /broken\.jsonl line 2: is not an object of JSON/,
    );
  });

  test("is left out and handed over with its line, whatever is read of it", async () => {
    const path = file(
      "mixed.csv",
      'n,i,t\n1,1,a\nx,2,b\n3,1.5,c\n4,4,\n5,5,"two\nlines"\n6\n7,7,"q"\ny,z,h\n9,9,"",w\n10,10,""\n',
    );
    const plan = scan([path], { n: float64(), i: int32(), t: text() });
    assert.deepEqual(await quarantined(plan), {
      kept: [
        [1, 1, "a"],
        [5, 5, "two\nlines"],
        [7, 7, "q"],
        [10, 10, ""],
      ],
      bad: [
        'mixed.csv:3:n has "x", which does not fit float64() <x,2,b>',
        'mixed.csv:4:i has "1.5", which does not fit int32() <3,1.5,c>',
        "mixed.csv:5:t has no value, and text() allows no null <4,4,>",
        "mixed.csv:8:i has fewer values than the 3 that are expected <6>",
        'mixed.csv:10:n has "y", which does not fit float64() <y,z,h>',
        'mixed.csv:11: has 4 or more values where 3 are expected <9,9,"",w>',
      ],
    });
    const bad: BadRow[] = [];
    const filtered: PlanNode = {
      kind: "filter",
      input: { ...plan, bad: "quarantine" },
      where: {
        kind: "call",
        function: "gt",
        arguments: [
          { kind: "column", name: "n", type: float64() },
          { kind: "literal", value: 6, type: float64() },
        ],
        type: bool(),
      },
      fields: plan.fields,
    };
    const only: PlanNode = {
      kind: "project",
      input: filtered,
      columns: [{ name: "n", expression: { kind: "column", name: "n", type: float64() } }],
      fields: [{ name: "n", type: float64() }],
    };
    const rows = await read(only, { onBadRows: (some) => void bad.push(...some) });
    assert.deepEqual([rows.map(({ n }) => n), bad.length], [[7, 10], 6]);
  });

  test("of JSONL is left out and handed over with its line", async () => {
    const path = file(
      "mixed.jsonl",
      '{"n":1,"t":"a"}\n{"n":"q","t":"b"}\n{bad\n{"n":2.5,"t":"c"}\n\n{"n":3}\n{"t":"d","n":4,"more":1}\n[1]\n{"n":12345678901,"t":"e"}\n',
    );
    const { kept, bad } = await quarantined(scan([path], { n: int32(), t: text().nullable() }));
    assert.deepEqual(kept, [
      [1, "a"],
      [3, null],
      [4, "d"],
    ]);
    assert.deepEqual(
      bad.map((row) => row.slice(0, row.indexOf(" "))),
      ["mixed.jsonl:2:n", "mixed.jsonl:3:", "mixed.jsonl:4:n", "mixed.jsonl:8:", "mixed.jsonl:9:n"],
    );
  });
});

describe("files of text", () => {
  test("are read by the names in their headers, whatever their order", async () => {
    const one = file("order-1.csv", "a,b\n1,x\n");
    const two = file("order-2.csv", '\ufeff"b",more,a\r\ny,?,2\r\n');
    const empty = file("order-3.csv", "");
    const head = file("order-4.csv", "b,a");
    const rows = await read(scan([one, two, empty, head], { a: int32(), b: text() }, { fileColumn: "from" }));
    assert.deepEqual(rows, [
      { a: 1, b: "x", from: one },
      { a: 2, b: "y", from: two },
    ]);
    await assert.rejects(read(scan([one, two], { a: int32(), bb: text() })), {
      code: "data.columns",
      message: /order-1\.csv has no column "bb": did you mean b or a\?/,
    });
  });

  test("of several packed members are read whole, and never when they are cut off", async () => {
    const first = Buffer.from("a,b\n1,x\n");
    const second = Buffer.from("2,y\n");
    const schema = { a: int32(), b: text() };
    const gz = file("two.csv.gz", Buffer.concat([gzipSync(first), gzipSync(second)]));
    const zst = file("two.csv.zst", Buffer.concat([zstdCompressSync(first), zstdCompressSync(second)]));
    assert.equal((await read(scan([gz, zst], schema))).length, 4);
    let many = "a,b\n";
    for (let row = 0; row < 20_000; row++) many += `${row},v${row}\n`;
    const packed = gzipSync(many);
    for (const [index, cut] of [8, 4, 100].entries()) {
      const path = file(`cut-${index}.csv.gz`, packed.subarray(0, packed.length - cut));
      await assert.rejects(read(scan([path], schema)), { code: "data.damaged", message: /cut off/ });
    }
    const zstd = zstdCompressSync(many);
    const path = file("cut.csv.zst", zstd.subarray(0, zstd.length - 4));
    await assert.rejects(read(scan([path], schema)), { code: "data.damaged" });
  });

  test("may have names that are patterns, and no file is one sentence", async () => {
    const path = file("a[1]*?.csv", "a\n1\n");
    file("a1.csv", "a\n2\n");
    assert.deepEqual(await read(scan([path], { a: int32() })), [{ a: 1 }]);
    await assert.rejects(read(scan([join(folder, "none.csv")], { a: int32() })), {
      code: "data.no-file",
      message: /There is no file .*none\.csv\./,
    });
  });

  test("with mixed line ends are refused in one sentence", async () => {
    const path = file("ends.csv", "a,b\n1,x\r\n2,y\n3,z\r4,w\n");
    await assert.rejects(read(scan([path], { a: int32(), b: text() })), {
      code: "data.bad-value",
      message: /ends\.csv cannot be read as a CSV: it mixes kinds of line ends/,
    });
  });

  test("give every type of value exactly", async () => {
    const path = file(
      "types.csv",
      'i,d,t,when,j,l\n-9223372036854775808,-0.05,,2026-01-31 10:00:00.123456,"{""a"":[1]}","[1,2]"\n',
    );
    const schema = {
      i: int64(),
      d: decimal(38, 2),
      t: text().nullable(),
      when: timestamp(),
      j: json(),
      l: list(int32()),
    };
    assert.deepEqual(await read(scan([path], schema)), [
      {
        i: -9223372036854775808n,
        d: "-0.05",
        t: null,
        when: "2026-01-31T10:00:00.123456",
        j: { a: [1] },
        l: [1, 2],
      },
    ]);
  });
});

test("a bad value leaves nothing where a query was to be written, and quarantined rows are told", async () => {
  const path = file("write.csv", "n\n1\nx\n3\n");
  const target: WriteTarget = {
    format: "parquet",
    path: join(folder, "written.parquet"),
    partitionBy: [],
    compression: "snappy",
    rowGroup: null,
    csv: null,
  };
  const plan = scan([path], { n: int32() });
  await assert.rejects(session.write(plan, target), { code: "data.bad-value", message: /line 3/ });
  assert.equal(existsSync(target.path), false);
  const bad: BadRow[] = [];
  const quarantine = { ...plan, bad: "quarantine" as const };
  const { rows } = await session.write(quarantine, target, { onBadRows: (some) => void bad.push(...some) });
  assert.deepEqual([rows, bad.map(({ line }) => line)], [2, [3]]);
  const written: FileScan = { ...plan, format: "parquet", locations: [target.path], csv: null };
  assert.deepEqual(await read(written), [{ n: 1 }, { n: 3 }]);
  const wrong = scan([target.path], { m: int32() }, { format: "parquet", csv: null });
  await assert.rejects(read(wrong), { code: "data.columns", message: /no column "m"/ });
  const half = file("half.parquet", readFileSync(target.path).subarray(0, 100));
  await assert.rejects(read({ ...written, locations: [half] }), { code: "data.damaged" });
});
