import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { Pool } from "../../src/pool/index.ts";
import { add, double } from "./fixtures/tasks.ts";
import { resources } from "./resources.ts";

/** `PAWL_POOLS=200` for as many of both kinds. */
const POOLS = process.env.PAWL_POOLS === undefined ? null : Number(process.env.PAWL_POOLS);

/** Files, pipes and sockets that are open; where the system does not tell, none. */
function descriptors(): number {
  return existsSync("/proc/self/fd") ? readdirSync("/proc/self/fd").length : 0;
}

for (const [isolate, pools] of [
  ["thread", POOLS ?? 16],
  ["process", POOLS ?? 8],
] as const) {
  test(`${pools} pools of a ${isolate}, opened and closed, leave nothing behind`, async () => {
    const before = { resources: resources(), descriptors: 0 };
    const after = { rss: 0, heap: 0 };
    const early = Math.floor(pools / 4);
    for (let n = 1; n <= pools; n++) {
      const pool = new Pool({ workers: 1, isolate });
      assert.equal(await pool.apply(add, n, 1), n + 1);
      if (n % 2) await pool.close();
      else {
        // Not only what has nothing to do is ended.
        const call = pool.map(double, [1, 2, 3], { chunkSize: 1 });
        call.catch(() => {});
        await pool.terminate();
      }
      if (n === early) {
        await sleep(200);
        before.descriptors = descriptors();
        Object.assign(after, { rss: process.memoryUsage.rss(), heap: process.memoryUsage().heapUsed });
      }
    }
    // What a process held is closed a moment after it has gone.
    const isFlat = () => resources().length <= before.resources.length && descriptors() <= before.descriptors;
    for (let looks = 0; looks < 250 && !isFlat(); looks++) await sleep(20);
    assert.deepEqual(resources(), before.resources);
    assert.ok(
      descriptors() <= before.descriptors,
      `${descriptors()} descriptors, ${before.descriptors} before`,
    );
    const mb = (bytes: number) => Math.round(bytes / 1024 / 1024);
    const grown = {
      rss: process.memoryUsage.rss() - after.rss,
      heap: process.memoryUsage().heapUsed - after.heap,
    };
    assert.ok(grown.rss < 48 * 1024 * 1024, `${mb(grown.rss)} MB more`);
    assert.ok(grown.heap < 16 * 1024 * 1024, `${mb(grown.heap)} MB more of heap`);
  });
}

test("a pool keeps nothing of inline functions that are made again for each call", async () => {
  await using pool = new Pool({ workers: 1 });
  const round = async (n: number) => {
    for (let at = 0; at < n; at++) {
      assert.deepEqual(await pool.map((x: number) => x * 2, [at]), [at * 2]);
      if (at % 50 === 0) assert.equal(await pool.apply((x: number) => x + 1, at), at + 1);
    }
  };
  await round(500);
  assert.equal(pool.explain().functions.length, 2);
});

test("idle pools let the program end, and their workers end with it", async () => {
  const program = join(import.meta.dirname, "fixtures", "idle-program.ts");
  const { stdout } = await promisify(execFile)(process.execPath, [program], { timeout: 120_000 });
  assert.equal(stdout, "2\n2\n");
});
