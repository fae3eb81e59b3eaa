import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { withCommonParts } from "../../../src/data/frame/breaks.ts";
import { Frame } from "../../../src/data/frame/frame.ts";
import type { RunnableStage } from "../../../src/data/frame/stage.ts";
import {
  computeAll,
  count,
  delayed,
  fromRows,
  int32,
  readCsv,
  readTable,
  text,
} from "../../../src/data/index.ts";
import type { StagedNode } from "../../../src/data/plan/node.ts";
import { nodesOf } from "../../../src/data/plan/walk.ts";

let folder = "";
before(() => {
  folder = mkdtempSync(join(tmpdir(), "pawl-cache-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

function written(name: string, rows: string): string {
  const path = join(folder, name);
  writeFileSync(path, `user,n\n${rows}`);
  return path;
}
const schema = { user: text(), n: int32() };
/** Entries of a cache: what is neither being written nor in use. */
const entries = (cache: string) => readdirSync(cache).filter((name) => !name.startsWith("."));

test("rows are kept until a file or the plan is another one", async () => {
  const cache = join(folder, "kept");
  const path = written("a.csv", "ada,1\nbob,2\n");
  const sums = () => readCsv(path, schema).agg((c) => ({ sum: c.n.sum() }));
  const kept = () => sums().cache({ folder: cache });
  assert.equal((await kept().first())?.sum, 3n);
  const [key] = entries(cache);
  const { mtimeMs, ino } = statSync(join(cache, String(key), "rows.parquet"));
  assert.equal((await kept().first())?.sum, 3n);
  const again = statSync(join(cache, String(key), "rows.parquet"));
  assert.deepEqual([again.mtimeMs, again.ino, entries(cache).length], [mtimeMs, ino, 1]);
  written("a.csv", "ada,1\nbob,40\n");
  assert.equal((await kept().first())?.sum, 41n);
  assert.equal(entries(cache).length, 2);
  await kept().remove();
  assert.equal(entries(cache).length, 1);
  assert.deepEqual(
    readdirSync(cache).filter((name) => name.startsWith(".") && name !== ".gitignore"),
    [],
    "nothing of a run is left",
  );
  assert.equal(statSync(cache).mode & 0o077, 0);
});

test("a cached frame is a frame like others, and goes with its block", async () => {
  const cache = join(folder, "block");
  const path = written("b.csv", "ada,1\nbob,2\n");
  {
    await using base = readCsv(path, schema).cache({ folder: cache });
    assert.equal(await base.filter((c) => c.n.gt(1)).count(), 1);
    assert.equal(await base.join(base.select("user"), "user").count(), 2);
    assert.equal(entries(cache).length, 1);
  }
  assert.equal(entries(cache).length, 0);
});

test("what was used longest ago makes way, and what is larger than the budget is not kept", async () => {
  const cache = join(folder, "budget");
  const frame = (n: number, budget: number) =>
    fromRows({ n: int32() }, [{ n }]).cache({ folder: cache, budget });
  await frame(1, 1e6).count();
  const size = statSync(join(cache, String(entries(cache)[0]), "rows.parquet")).size;
  const budget = Math.ceil(size * 2.5);
  const [first] = entries(cache);
  await frame(2, budget).count();
  await new Promise((resolve) => setTimeout(resolve, 20));
  await frame(1, budget).count();
  await frame(3, budget).count();
  assert.equal(entries(cache).length, 2);
  assert.ok(entries(cache).includes(String(first)), "what was just used stays");
  assert.equal(await frame(4, 10).count(), 1);
  assert.equal(entries(cache).length, 2);
});

test("a kept file that was cut off is made again", async () => {
  const cache = join(folder, "cut");
  const frame = fromRows({ n: int32() }, [{ n: 1 }]).cache({ folder: cache });
  await frame.count();
  truncateSync(join(cache, String(entries(cache)[0]), "rows.parquet"), 100);
  assert.equal((await frame.first())?.n, 1);
  assert.equal((await frame.first())?.n, 1);
});

test("what a killed process left is swept", async () => {
  const cache = join(folder, "swept");
  await fromRows({ n: int32() }, [{ n: 1 }])
    .cache({ folder: cache })
    .count();
  const script = `
    import { mkdirSync } from "node:fs";
    import { ownProcessMark } from ${JSON.stringify(new URL("../../../src/process-mark.ts", import.meta.url).href)};
    mkdirSync(${JSON.stringify(cache)} + "/.new-" + ownProcessMark + "-0123456789abcdef");`;
  await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
  mkdirSync(join(cache, ".mine"));
  const dead = () => readdirSync(cache).filter((name) => name.startsWith(".new-")).length;
  assert.equal(dead(), 1);
  await fromRows({ n: int32() }, [{ n: 2 }])
    .cache({ folder: cache })
    .count();
  assert.equal(dead(), 0);
  assert.ok(readdirSync(cache).includes(".mine"));
});

test("what does not tell whether it has changed needs an age", async () => {
  const table = readTable("postgres://127.0.0.1:1/nothing", "t", { n: int32() });
  await assert.rejects(table.cache({ folder: join(folder, "table") }).count(), /maxAge: "1h"/);
});

/** A frame that counts how often it is worked out. */
function counted(): { frame: Frame<{ readonly n: ReturnType<typeof int32> }>; runs: () => number } {
  let runs = 0;
  const { plan } = fromRows({ n: int32() }, [{ n: 1 }, { n: 2 }]);
  const stage: RunnableStage = {
    identity: `counted`,
    run: async ([input], { session, folder: place, signal }) => {
      runs++;
      const path = join(place, "x.parquet");
      const target = {
        format: "parquet",
        path,
        partitionBy: [],
        compression: "snappy",
        rowGroup: null,
        csv: null,
      };
      const { rows } = await session.write(input as never, target as never, { signal });
      return { paths: [path], rows };
    },
  };
  const staged: StagedNode = { kind: "staged", name: "counted", inputs: [plan], stage, fields: plan.fields };
  return { frame: new Frame(staged), runs: () => runs };
}

test("what several results have in common is worked out once", async () => {
  const { frame, runs } = counted();
  const twice = delayed((x: number) => x * 2, { name: "twice" });
  const { sum, n, all, four } = await computeAll({
    sum: frame.agg((c) => ({ sum: c.n.sum() })),
    n: frame.filter((c) => c.n.gt(1)).agg(() => ({ n: count() })),
    all: frame,
    four: twice(2),
  });
  const total: bigint | null | undefined = sum[0]?.sum;
  const rows: number | undefined = n[0]?.n;
  const number: number = four;
  assert.deepEqual([total, rows, all, number], [3n, 1, [{ n: 1 }, { n: 2 }], 4]);
  assert.equal(runs(), 1);
});

test("a CSV that several results read is read once", async () => {
  const path = written("c.csv", "ada,1\nbob,2\nada,5\n");
  const base = readCsv(path, schema).filter((c) => c.n.gt(1));
  const results = {
    users: base
      .groupBy("user")
      .agg((c) => ({ n: c.n.sum() }))
      .sort("user"),
    largest: base.top(1, "n"),
  };
  const scans = withCommonParts([results.users.plan, results.largest.plan]).map((plan) =>
    nodesOf(plan).filter(({ kind }) => kind === "scan" || kind === "staged"),
  );
  assert.deepEqual(
    scans.map((nodes) => nodes.map(({ kind }) => kind)),
    [
      ["scan", "staged"],
      ["scan", "staged"],
    ],
  );
  assert.equal(scans[0]?.[1], scans[1]?.[1]);
  const { users, largest } = await computeAll(results);
  assert.deepEqual(users, [
    { user: "ada", n: 5n },
    { user: "bob", n: 2n },
  ]);
  assert.deepEqual(largest, [{ user: "ada", n: 5 }]);
});

test("a plan of a thousand verbs runs in parts", async () => {
  let frame = fromRows({ n: int32() }, [{ n: 1 }, { n: 2 }]).with((c) => ({ sum: c.n.mul(1) }));
  for (let step = 0; step < 1000; step++)
    frame = frame
      .with((c) => ({ sum: c.sum.add(1) }))
      .as({ n: int32(), sum: frame.fields[1]?.type as never }) as never;
  const rows = await frame.sort("n").collect();
  assert.deepEqual(
    rows.map(({ sum }) => sum),
    [1001n, 1002n],
  );
});
