import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MemoryBudget } from "../../../../src/connect/objects/transfer/memory-budget.ts";

describe("the memory for objects under way", () => {
  it("is never more than was given, but for one that needs more alone", async () => {
    const budget = new MemoryBudget(100);
    let held = 0;
    let most = 0;
    const pieces = new Set<ArrayBufferLike>();
    await Promise.all(
      Array.from({ length: 200 }, (_, at) => {
        const bytes = at % 50 === 0 ? 300 : 1 + (at % 40);
        return budget.lend(bytes, async (piece) => {
          assert.equal(piece.length, bytes);
          assert.ok(!pieces.has(piece.buffer), "lent twice at once");
          pieces.add(piece.buffer);
          held += bytes;
          most = Math.max(most, held);
          if (bytes === 300) assert.equal(held, 300);
          await new Promise((resolve) => setImmediate(resolve));
          held -= bytes;
          pieces.delete(piece.buffer);
        });
      }),
    );
    assert.ok(most <= 300);
    await assert.rejects(
      budget.hold(100, async () => Promise.reject(new Error("no"))),
      /no/,
    );
    assert.equal(await budget.hold(100, async () => 5), 5);
  });
});
