import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import {
  bool,
  float64,
  fromRows,
  int32,
  int64,
  readParquet,
  text,
  timestamp,
} from "../../../src/data/index.ts";

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "pawl-partitions-"));
});
after(() => rm(folder, { recursive: true, force: true }));

const numbers = (count: number) =>
  fromRows(
    { n: int32(), name: text().nullable(), at: timestamp(), big: int64() },
    Array.from({ length: count }, (_, n) => ({
      n,
      name: n % 3 === 0 ? null : `n${n}`,
      at: "2026-01-31T10:30:00.123456",
      big: 9007199254740993n,
    })),
  );

test("a function is given typed arrays and adds columns, whatever the number of workers and rows of a call", async () => {
  for (const [rows, concurrency] of [
    [1, 2],
    [7, 1],
    [16_384, 2],
  ] as const) {
    const found = await numbers(50)
      .mapPartitions(
        ({ n, name, at, big }, context) => {
          if (!(n instanceof Int32Array) || !(big instanceof BigInt64Array) || n.length !== context.rows)
            throw new Error("not as promised");
          return {
            half: Float64Array.from(n, (each) => each / 2),
            label: name.map((each, row) => `${each} ${at[row]}`),
            large: n.length === 0 ? [] : Array.from(n, (each) => each > 40),
          };
        },
        {
          input: ["n", "name", "at", "big"],
          output: { half: float64(), label: text(), large: bool() },
          rows,
          concurrency,
        },
      )
      .sort("n")
      .collect();
    assert.equal(found.length, 50);
    assert.deepEqual(found[1], {
      n: 1,
      name: "n1",
      at: "2026-01-31T10:30:00.123456",
      big: 9007199254740993n,
      half: 0.5,
      label: "n1 2026-01-31T10:30:00.123456",
      large: false,
    });
    assert.equal(found[0]?.label, "null 2026-01-31T10:30:00.123456");
  }
});

test("rows that are not kept are dropped, and what is broadcast and made once reaches every call", async () => {
  const found = await numbers(20)
    .mapPartitions(
      ({ n }, { keep, broadcast, init }) => {
        keep(n.map((each) => (each % broadcast.every === 0 ? 1 : 0)));
        return { n: n.map((each) => each + init) };
      },
      {
        input: ["n"],
        output: { n: int32() },
        broadcast: { every: 5 },
        init: ({ every }: { readonly every: number }) => every * 100,
        rows: 3,
      },
    )
    .select("n")
    .sort("n")
    .collect();
  assert.deepEqual(
    found.map(({ n }) => n),
    [500, 505, 510, 515],
  );
});

test("what a function gives is checked against its declared columns, and the sentence names the column and the row", async () => {
  const options = { input: ["n"], output: { y: int32() } } as const;
  const cases: readonly [(columns: { n: Int32Array }) => never, RegExp][] = [
    [
      (({ n }: { n: Int32Array }) => ({ y: n.subarray(1) })) as never,
      /gave 9 values of the column "y" for 10 rows/,
    ],
    [
      (({ n }: { n: Int32Array }) => ({ y: Array.from(n, (each) => each / 2) })) as never,
      /gave 0\.5 in row 1 of the column "y", which is int32\(\)/,
    ],
    [(({ n }: { n: Int32Array }) => ({ y: Array.from(n, () => null) })) as never, /gave null in row 0/],
    [
      (({ n }: { n: Int32Array }) => ({ y: n, z: n })) as never,
      /gave a column "z" that its output does not declare: is "y" meant/,
    ],
    [(() => undefined) as never, /gave undefined, and not an object/],
    [
      (() => {
        throw new Error("no model");
      }) as never,
      /failed in part 0: no model/,
    ],
  ];
  for (const [fn, sentence] of cases)
    await assert.rejects(
      numbers(10)
        .mapPartitions(fn as never, options)
        .collect(),
      (error: Error) => {
        assert.match(error.message, sentence);
        return true;
      },
    );
});

test("rows of a call that fails are quarantined with their reason, and the rest is there", async () => {
  const quarantine = join(folder, "bad");
  const found = await numbers(20)
    .mapPartitions(
      ({ n }) => {
        if (n[0] === 5) throw new Error("no good");
        return { y: n };
      },
      { input: ["n"], output: { y: int32() }, rows: 5, quarantine },
    )
    .count();
  assert.equal(found, 15);
  const bad = await readParquet(quarantine, { n: int32(), reason: text() }).collect();
  assert.deepEqual(
    bad.map(({ n, reason }) => [n, reason]),
    [5, 6, 7, 8, 9].map((n) => [n, "no good"]),
  );
});

test("a frame without rows has the new columns too", async () => {
  const found = numbers(3)
    .filter((c) => c.n.gt(10))
    .mapPartitions(({ n }) => ({ y: n }), { input: ["n"], output: { y: int32() } });
  assert.equal(await found.count(), 0);
  assert.deepEqual(
    found.fields.map(({ name }) => name),
    ["n", "name", "at", "big", "y"],
  );
});

test("a run with a name that is killed calls the function again only for parts that were not finished", async () => {
  const file = join(folder, "n.parquet");
  const target = join(folder, "squares.parquet");
  const notes = join(folder, "notes");
  const total = 20_000;
  await fromRows(
    { n: int32() },
    Array.from({ length: total }, (_, n) => ({ n })),
  ).writeParquet(file);
  const program = fileURLToPath(new URL("./fixtures/partition-program.ts", import.meta.url));
  const start = () =>
    spawn(process.execPath, [program, file, target, notes], {
      cwd: folder,
      stdio: ["ignore", "ignore", "inherit"],
    });
  const finishedParts = async () =>
    (await readdir(join(folder, ".pawl", "partitions", "squares")).catch(() => [])).filter((name) =>
      /^part-.*\d\.parquet$/.test(name),
    );

  const killed = start();
  const ended = once(killed, "exit");
  while ((await finishedParts()).length < 3) await sleep(20);
  killed.kill("SIGKILL");
  await ended;
  assert.ok(!existsSync(target));
  const finished = (await finishedParts()).length;
  const calls = readFileSync(notes, "utf8").trim().split("\n").length;

  const [code] = await once(start(), "exit");
  assert.equal(code, 0);
  const found = await readParquet(target, { n: int32(), square: int32() })
    .agg((c) => ({ rows: c.n.count(), distinct: c.n.countDistinct(), sum: c.square.sum() }))
    .collect();
  const sum = Array.from({ length: total }, (_, n) => (n % 1000) ** 2).reduce((a, b) => a + b, 0);
  assert.deepEqual([found[0]?.rows, found[0]?.distinct, found[0]?.sum], [total, total, BigInt(sum)]);
  // Sixteen parts, of which those that were finished are not begun again.
  const all = readFileSync(notes, "utf8").trim().split("\n");
  const perPart = total / 100 / 16;
  assert.ok(
    all.length - calls <= Math.ceil((16 - finished) * perPart) + 16,
    `${all.length} calls, ${calls} before, ${finished} parts finished`,
  );
  assert.ok(!existsSync(join(folder, ".pawl", "partitions", "squares")));
});
