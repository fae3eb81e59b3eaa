import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { Disk } from "../../../../src/connect/objects/files/disk.ts";
import { sortedNames, walk } from "../../../../src/connect/objects/files/walk.ts";
import { foldsCase } from "../../../../src/connect/objects/names/case-folding.ts";
import { fc, runs } from "../../../random.ts";

describe("the walk through a folder", () => {
  it("gives the keys in the order of a bucket, and continues after any of them", async () => {
    const root = await mkdtemp(join(tmpdir(), "pawl-walk-"));
    const part = fc.stringMatching(/^[a-c!.0\-é𝒳]{1,3}$/u).filter((name) => name !== "." && name !== "..");
    try {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(part, { minLength: 1, maxLength: 3 }), { maxLength: 12 }),
          async (paths) => {
            const base = join(root, crypto.randomUUID());
            await mkdir(base);
            for (const path of paths) {
              const file = join(base, ...path);
              await mkdir(dirname(file), { recursive: true }).catch(() => {});
              await writeFile(file, "").catch(() => {});
            }
            const listed = async (after: string | null) => {
              const keys: string[] = [];
              for await (const { entries } of walk(base, after, root, new AbortController().signal, {
                disk: new Disk(),
                cache: null,
                skips: () => false,
              }))
                keys.push(...entries.map(({ key }) => key));
              return keys;
            };
            const all = await listed(null);
            const ordered = [...all].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
            assert.deepEqual(all, ordered);
            for (const [index, key] of all.entries())
              assert.deepEqual(await listed(Buffer.from(key).toString("base64")), all.slice(index + 1));
          },
        ),
        { numRuns: runs(12) },
      );
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });

  it("sorts a folder of many names on disk as it would in memory", async () => {
    const root = await mkdtemp(join(tmpdir(), "pawl-walk-"));
    try {
      await mkdir(join(root, "many"));
      for (let at = 0; at < 2500; at++) await writeFile(join(root, "many", `f${(at * 7919) % 2500}`), "");
      await mkdir(join(root, "many", "folder"));
      const sorted = async (inMemory?: number) => {
        const names: string[] = [];
        for await (const name of sortedNames(join(root, "many"), root, inMemory)) names.push(name);
        return names;
      };
      const inMemory = await sorted();
      assert.deepEqual(await sorted(100), inMemory);
      assert.equal(inMemory.length, 2501);
      assert.deepEqual(await readdir(root), ["many"]);
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });
});

describe("large folders within large folders", () => {
  it("are sorted on disk apart from one another, and leave nothing there", async () => {
    const root = await mkdtemp(join(tmpdir(), "pawl-names-"));
    try {
      await mkdir(join(root, "names/within"), { recursive: true });
      for (const name of ["a", "b", "c", "x", "y"]) {
        await writeFile(join(root, "names", name), "");
        await writeFile(join(root, "names/within", name), "");
      }
      const all: string[] = [];
      for await (const name of sortedNames(join(root, "names"), root, 2)) {
        all.push(name);
        if (!name.endsWith("/")) continue;
        for await (const inner of sortedNames(join(root, "names", name), root, 2)) all.push(name + inner);
      }
      const inner = ["a", "b", "c", "x", "y"].map((name) => `within/${name}`);
      assert.deepEqual(all, ["a", "b", "c", "within/", ...inner, "x", "y"]);
      assert.deepEqual(await readdir(root), ["names"]);
      for (const mayWrite of [true, false])
        assert.equal(await foldsCase(join(root, "names"), mayWrite), process.platform !== "linux");
      assert.equal((await readdir(join(root, "names"))).length, 6);
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });
});
