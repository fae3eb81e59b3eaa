import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { type Isolation, Pool, WorkerDiedError } from "../../src/pool/index.ts";
import { clean, double, spoil } from "./fixtures/hostile.ts";

/** After these a worker hears or finds nothing any more: that it does nothing is all that can be known. */
export const DEAFENING: ReadonlySet<string> = new Set([
  "replaces Array.prototype.shift",
  "replaces process.nextTick",
]);
/** After these what the function itself returns is lost. */
const LOSING = new Set(["replaces Array.prototype.push"]);

/** A worker of its own for each of these acts. */
export function holdsUpNothing(isolate: Isolation, acts: readonly string[]): void {
  suite(`a function that spoils its worker (${isolate})`, { timeout: 300_000 }, () => {
    for (const act of acts) {
      if (DEAFENING.has(act)) continue;
      test(`and ${act} holds up nothing behind it`, async () => {
        await using pool = new Pool({ workers: 1, isolate });
        assert.deepEqual(await pool.apply(clean, 1), { n: [1] });
        const [own] = await Promise.allSettled([pool.apply(spoil, act, false)]);
        if (LOSING.has(act)) {
          assert.equal(own.status, "rejected");
          assert.ok(own.reason instanceof WorkerDiedError);
          assert.match(own.reason.message, /^Item 0 has run, and its worker lost its result: [^\n]+\.$/);
        } else assert.deepEqual(own, { status: "fulfilled", value: { done: act } });
        assert.deepEqual(await pool.apply(clean, 2), { n: [2] });
        // One that this worker has yet to load.
        assert.equal(await pool.apply(double, 4), 8);
      });
    }
  });
}
