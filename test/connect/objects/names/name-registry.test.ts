import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { defineJob, run } from "../../../../src/batch/index.ts";
import { openItems } from "../../../../src/batch/internal.ts";
import { ChecksumThreads } from "../../../../src/connect/objects/compare/checksum-threads.ts";
import { ChecksumCache } from "../../../../src/connect/objects/files/checksum-cache.ts";
import { FileReader } from "../../../../src/connect/objects/files/reader.ts";
import { FileWriter } from "../../../../src/connect/objects/files/writer.ts";
import type { ObjectEntry } from "../../../../src/connect/objects/index.ts";
import { ObjectSelection } from "../../../../src/connect/objects/list/selection.ts";
import { ObjectSource } from "../../../../src/connect/objects/list/source.ts";
import { NameRegistry, pageSql } from "../../../../src/connect/objects/names/name-registry.ts";
import { openKeyTable } from "../../../../src/connect/objects/private-database.ts";
import { ObjectSink } from "../../../../src/connect/objects/transfer/sink.ts";
import { openStore } from "../../../../src/store/index.ts";

describe("the names that a transform gives", () => {
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "pawl-names-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it("are known in another process", () => {
    const place = join(folder, crypto.randomUUID());
    const first = new NameRegistry(place, "exact");
    assert.deepEqual([first.give("k", "a"), first.give("k", "a"), first.give("k", "b")], [null, null, "a"]);
    first.close();
    const second = new NameRegistry(place, "exact");
    assert.deepEqual([second.give("k", "b"), second.give("k", "a")], ["a", null]);
    second.close();
  });

  it("that differ only by case are one name where the target takes them for one, and else are not", () => {
    const given = (comparison: "exact" | "folded") => {
      const names = new NameRegistry(join(folder, comparison), comparison);
      const others = ["x/A.jpg", "x/a.jpg", "É", "e\u0301", "b"].map((name, at) => names.give(name, `${at}`));
      // Another attempt at an object may give its name in other letters.
      assert.equal(names.give("B", "4"), null);
      const pages: string[] = [];
      for (let page = names.page(null, 2); page.length > 0; page = names.page(page.at(-1)?.key ?? null, 2))
        pages.push(...page.map(({ key, origin }) => `${key} ${origin}`));
      const last = names.namesOf("4").sort();
      names.close();
      return { others, pages: pages.sort(), last };
    };
    assert.deepEqual(given("folded"), {
      others: [null, "0", null, "2", null],
      pages: ["B 4", "x/A.jpg 0", "É 2"],
      last: ["B"],
    });
    const exact = given("exact");
    assert.deepEqual(exact.others, [null, null, null, null, null]);
    assert.deepEqual([exact.pages.length, exact.last], [6, ["B", "b"]]);
  });

  for (const comparison of ["exact", "folded"] as const)
    it(`come in pages that leave none out and hold none twice, where names are ${comparison}`, () => {
      const names = new NameRegistry(join(folder, crypto.randomUUID()), comparison);
      const given = ["Z", "a", "b", "C", "É", "z/1", "Y/2"];
      for (const name of given) assert.equal(names.give(name, `of ${name}`), null);
      for (const most of [1, 2, 3, 100]) {
        const found: string[] = [];
        for (let page = names.page(null, most); page.length > 0; ) {
          found.push(...page.map(({ key }) => key));
          page = names.page(found.at(-1) as string, most);
        }
        assert.deepEqual(found.toSorted(), given.toSorted(), `${most} a page`);
      }
      names.close();
    });

  it("come in pages by the primary key, so that no page sorts all names", () => {
    const table = { name: "names", columns: "name TEXT NOT NULL, origin TEXT NOT NULL", cacheKb: 64 };
    const database = openKeyTable(join(folder, crypto.randomUUID()), table);
    for (const continues of [false, true]) {
      const plan = database
        .prepare(`EXPLAIN QUERY PLAN ${pageSql(continues, 10)}`)
        .all(...(continues ? ["k"] : []));
      assert.doesNotMatch(plan.map(({ detail }) => detail).join("\n"), /TEMP B-TREE/);
    }
    database.close();
  });

  for (const [what, transform] of [
    ["the transform of a job", null],
    ["a module", `export default (bytes, { key }) => ({ bytes, key: key === "1" ? "A.jpg" : "a.jpg" });`],
  ] as const)
    it(`write no object over another in a target that is blind to case, by ${what}`, async () => {
      const root = join(folder, crypto.randomUUID());
      const [from, to] = [join(root, "from"), join(root, "to")];
      await using store = await openStore(join(root, "store.db"));
      const module = join(folder, "names.mjs");
      if (transform !== null) await writeFile(module, transform);
      const reader = new FileReader(from, root, { threads: new ChecksumThreads(), cache: null });
      const sums = { threads: new ChecksumThreads(), cache: new ChecksumCache(() => root) };
      await mkdir(from, { recursive: true });
      for (const key of ["1", "2"]) await writeFile(join(from, key), key);
      const sink = new ObjectSink({
        reader: async () => reader,
        writer: async ({ run, folder: kept }) => new FileWriter(to, { run, kept }, sums),
        identity: async () => ({
          from: { kind: "manifest", path: from },
          to: { kind: "manifest", path: to },
        }),
        difference: () => null,
        foldsNames: async () => true,
        checksums: sums,
        move: false,
        transform: transform === null ? null : { module, timeoutMs: 60_000 },
      });
      const source = new ObjectSource(async () => reader, new ObjectSelection({}));
      const rename = (entry: ObjectEntry) => ({ ...entry, key: entry.key === "1" ? "A.jpg" : "a.jpg" });
      const job = defineJob({ name: to, source, sink, ...(transform === null ? { transform: rename } : {}) });
      const summary = await run(job, { store }).summary();
      assert.deepEqual(
        [summary.state, summary.written, summary.quarantined],
        ["succeeded", 1, 1],
        summary.note,
      );
      for await (const { reason } of openItems(store, summary.run))
        assert.match(
          reason,
          /the name a\.jpg is given to another object, [12]; names that differ only by case/i,
        );
      assert.equal((await readdir(to)).length, 1);
    });
});
