import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { BatchColumn } from "../../../src/data/engine/contract.ts";
import { type FrameProgress, int64, sql } from "../../../src/data/index.ts";

let folder = "";
before(() => {
  folder = mkdtempSync(join(tmpdir(), "pawl-results-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

const range = (rows: number) => sql({}, `SELECT range AS n FROM range(${rows})`, { n: int64() });

test("rows come one by one, however many, and leaving the loop ends the run", async () => {
  let seen = 0;
  for await (const { n } of range(60_000).rows({ spill: folder })) {
    assert.equal(n, BigInt(seen));
    seen++;
  }
  assert.equal(seen, 60_000);
  for await (const { n } of range(60_000).rows({ spill: folder })) if (n === 5n) break;
  assert.deepEqual(readdirSync(folder), []);
});

test("batches are columns, counted", async () => {
  let rows = 0;
  let sum = 0n;
  for await (const { rows: count, columns } of range(5_000).batches()) {
    rows += count;
    for (const value of (columns[0] as BatchColumn).values as BigInt64Array) sum += value;
  }
  assert.deepEqual([rows, sum], [5_000, (4_999n * 5_000n) / 2n]);
});

test("a result that memory does not hold is refused with its number of rows", async () => {
  const many = range(2_000_000);
  await assert.rejects(
    many.collect({ memory: "300MB" }),
    /The result has 2,000,000 rows, which are more than the 75 MB/,
  );
  assert.equal((await many.head(3, { memory: "300MB" })).length, 3);
  assert.equal(await many.count({ memory: "300MB" }), 2_000_000);
  await assert.rejects(many.count({ memory: "100MB" }), /A run needs a memory of at least/);
});

test("a signal ends a run with its reason, and leaves nothing", async () => {
  const endless = sql(
    {},
    "SELECT count(*) FROM range(100000000000) a, range(1000) b WHERE a.range % 7 = b.range",
    {
      n: int64(),
    },
  );
  const controller = new AbortController();
  const reason = new Error("enough");
  const waiting = endless.collect({ signal: controller.signal, spill: folder });
  setTimeout(() => controller.abort(reason), 100);
  await assert.rejects(waiting, (error) => error === reason);
  assert.deepEqual(readdirSync(folder), []);
  await assert.rejects(endless.count({ signal: AbortSignal.abort(reason) }), (error) => error === reason);
});

test("a run tells how far it is", async () => {
  const told: FrameProgress[] = [];
  await sql({}, "SELECT sum(range) FROM range(50000000)", { n: int64() }).collect({
    onProgress: (progress) => told.push(progress),
  });
  for (const { done, stage } of told) assert.ok(done >= 0 && done <= 1 && stage === "query");
});

test("options that cannot be meant are refused", async () => {
  const one = range(1);
  await assert.rejects(
    one.collect({ memry: "1GB" } as never),
    /no option "memry" of a run: did you mean memory\?/,
  );
  await assert.rejects(one.collect({ threads: 0 }), /whole number from 1/);
});

test("the first row may be none", async () => {
  assert.deepEqual(await range(3).first(), { n: 0n });
  assert.equal(await range(0).first(), undefined);
  assert.deepEqual(await range(0).collect(), []);
  assert.equal(await range(0).count(), 0);
});
