import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { ObjectEntry } from "../../../../src/connect/objects/contract.ts";
import { compareKeys } from "../../../../src/connect/objects/list/key-order.ts";
import { StoredListing } from "../../../../src/connect/objects/list/stored-listing.ts";
import type { NameComparison } from "../../../../src/connect/objects/names/case-folding.ts";
import { fc, runs } from "../../../random.ts";

const entry = (key: string, size: number | null = key.length): ObjectEntry => ({
  key,
  size,
  modified: null,
  etag: null,
});

describe("a stored listing", () => {
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "pawl-listing-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it("is cut into ranges that hold each object once, in the order in which it was listed", async () => {
    const ranges = fc.array(fc.array(fc.nat(40), { maxLength: 5 }), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(ranges, fc.integer({ min: 1, max: 9 }), async (pages, n) => {
        const path = join(folder, `${crypto.randomUUID()}.db`);
        const wanted: string[] = [];
        for (const [range, sizes] of pages.entries()) {
          for (const [at, size] of sizes.entries()) {
            const keys = Array.from({ length: size }, (_, index) => `${range}/${at}/${index}`);
            // Each page by a process of its own.
            const listing = StoredListing.create(path, 1);
            listing.add(range, { entries: keys.map((key) => entry(key)), next: `${at}` });
            listing.close();
            wanted.push(...keys);
          }
        }
        const listing = StoredListing.create(path, 1);
        assert.equal(listing.objects, wanted.length);
        const found: string[] = [];
        for (const { from, to, items, bytes } of listing.slices(n)) {
          const before = found.length;
          let sum = 0;
          for (let next = from; ; ) {
            const page = listing.page(next, to, 7);
            const last = page.at(-1);
            if (last === undefined) break;
            for (const one of page) sum += one.entry.size ?? 0;
            found.push(...page.map((one) => one.entry.key));
            next = last.number + 1;
          }
          assert.deepEqual([found.length - before, sum], [items, bytes]);
        }
        listing.close();
        assert.deepEqual(found, wanted);
      }),
      { numRuns: runs(15) },
    );
  });

  it("is in the order of the bytes of the keys, whatever characters they are of", () => {
    const key = fc.string({ unit: "binary", maxLength: 6 });
    fc.assert(
      fc.property(key, key, (a, b) => {
        assert.equal(Math.sign(compareKeys(a, b)), Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
      { numRuns: 2000, examples: [["\u{1f600}", "\uffee"]] },
    );
  });

  it("tells what was seen of the target to the process that saw it, and to no other", () => {
    const path = join(folder, "seen.db");
    const first = StoredListing.create(path, 1);
    first.add(0, { entries: [{ ...entry("a"), seenInTarget: true }, entry("b")], next: "b" });
    first.close();
    const second = StoredListing.create(path, 2);
    second.add(0, { entries: [{ ...entry("c"), seenInTarget: true }], next: null });
    second.close();
    for (const [process, seen] of [
      [1, ["a"]],
      [2, ["c"]],
      [3, []],
    ] as const) {
      const listing = StoredListing.read(path, process);
      const page = listing.page(0, 10, 10).map((one) => one.entry);
      assert.deepEqual(
        page.filter(({ seenInTarget }) => seenInTarget).map(({ key }) => key),
        seen,
      );
      assert.equal(page.length, 3);
      listing.close();
    }
  });

  it("keeps where each range stands, and what is left of it", () => {
    const listing = StoredListing.create(join(folder, "stands.db"), 1);
    assert.deepEqual(listing.openRanges(), [{ id: 0, next: null, last: null, before: null }]);
    listing.add(0, { entries: [entry("a")], next: "a" });
    listing.cut(["g", "p"]);
    assert.deepEqual(listing.openRanges(), [
      { id: 0, next: "a", last: "g", before: null },
      { id: 1, next: "g", last: "p", before: null },
      { id: 2, next: "p", last: null, before: null },
    ]);
    listing.add(1, { entries: [], next: null });
    listing.add(2, { entries: [entry("q")], next: "q" });
    assert.deepEqual(
      listing.openRanges().map(({ id, next }) => [id, next]),
      [
        [0, "a"],
        [2, "q"],
      ],
    );
    listing.close();
  });

  it("refuses all but the first of what the target would take for one", () => {
    const problems = (comparison: NameComparison) => {
      const listing = StoredListing.create(join(folder, `${comparison}.db`), 1);
      const keys = ["a", "A", "b", "É", "é", "e\u0301", "a"];
      listing.add(0, { entries: keys.map((key) => entry(key, null)), next: null });
      listing.refuseRepeatedNames(comparison);
      // Asked again when a run continues, it changes nothing.
      listing.refuseRepeatedNames(comparison);
      const [range] = listing.slices(1);
      assert.equal(range?.bytes, null);
      const found = listing
        .page(0, Number.MAX_SAFE_INTEGER, 10)
        .map((one) => one.entry.problem !== undefined);
      listing.close();
      return found;
    };
    assert.deepEqual(problems("exact"), [false, false, false, false, false, false, true]);
    assert.deepEqual(problems("folded"), [false, true, false, false, true, true, true]);
  });

  it("that is not on this machine is said to be missing", () => {
    assert.throws(() => StoredListing.read(join(folder, "none.db"), 1), /is not on this machine/);
  });
});
