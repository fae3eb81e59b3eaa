import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { Pool } from "../../src/pool/index.ts";
import { add } from "./fixtures/tasks.ts";

/** Handles and requests that keep the program, beside those of the test runner. */
function resources(): string[] {
  return process
    .getActiveResourcesInfo()
    .filter((name) => /Process|MessagePort|Worker|Pipe/.test(name))
    .sort();
}

for (const [isolate, pools] of [
  ["thread", 100],
  ["process", 15],
] as const) {
  test(`${pools} pools of a ${isolate}, opened and closed, leave nothing behind`, async () => {
    const before = resources();
    let early = 0;
    for (let n = 1; n <= pools; n++) {
      const pool = new Pool({ workers: 1, isolate });
      assert.equal(await pool.apply(add, n, 1), n + 1);
      await (n % 2 ? pool.close() : pool.terminate());
      if (n === Math.floor(pools / 4)) early = process.memoryUsage.rss();
    }
    // What a process held is closed a moment after it has gone.
    for (let looks = 0; looks < 50 && resources().length > before.length; looks++) await sleep(20);
    assert.deepEqual(resources(), before);
    const grown = process.memoryUsage.rss() - early;
    assert.ok(grown < 48 * 1024 * 1024, `${Math.round(grown / 1024 / 1024)} MB more`);
  });
}

test("idle pools let the program end, and their workers end with it", async () => {
  const program = join(import.meta.dirname, "fixtures", "idle-program.ts");
  const { stdout } = await promisify(execFile)(process.execPath, [program], { timeout: 30_000 });
  assert.equal(stdout, "2\n2\n");
});
