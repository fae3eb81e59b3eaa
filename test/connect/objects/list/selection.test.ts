import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { copy, verify } from "../../../../src/connect/objects/index.ts";
import { KeyPattern } from "../../../../src/connect/objects/list/key-pattern.ts";
import { ObjectSelection, type SelectionOptions } from "../../../../src/connect/objects/list/selection.ts";
import { StoredListing } from "../../../../src/connect/objects/list/stored-listing.ts";

const takes = (options: SelectionOptions, key: string) =>
  new ObjectSelection(options).includes({ key, size: 1, modified: null, etag: null });

describe("a pattern for keys", () => {
  it("takes a star for anything but a slash, dots at the beginning among it", () => {
    const cases: [string, string[], string[]][] = [
      ["*", [".hidden", "a", "x/.y", ".a/b"], []],
      ["*.tmp", [".tmp", "a.tmp", "x/.a.tmp", "x.y.tmp"], ["a.tmp.gz", "tmp"]],
      ["a/*", ["a/b", "a/.b"], ["a/b/c", "b/a/c", "a"]],
      ["a/**", ["a/b", "a/.b/c", "a/b/../c"], ["b/a/c", "ab/c"]],
      ["**/c", ["c", "a/c", "a/.b/c"], ["ac", "c/d"]],
      ["a/**/c", ["a/c", "a/b/c", "a/b/b/c"], ["a/bc", "ac"]],
      ["2024-??-*.{jpg,png}", ["2024-01-x.jpg", "d/2024-12-.png"], ["2024-1-x.jpg", "2024-01-x.gif"]],
      ["[a-c]x", ["ax", "d/bx"], ["dx", "x"]],
      ["[!a-c]x", ["dx", "éx"], ["ax", "/x"]],
      ["\\*", ["*", "a/*"], ["a"]],
      ["a+(b).^$|c", ["a+(b).^$|c"], ["aab.c"]],
      ["𝒳?", ["𝒳é", "𝒳𝒳"], ["𝒳"]],
      ["a*\n", ["ab\n"], ["ab"]],
    ];
    for (const [pattern, matching, others] of cases) {
      const compiled = new KeyPattern(pattern, "include");
      for (const key of matching) assert.ok(compiled.matches(key), `${pattern} and ${key}`);
      for (const key of others) assert.ok(!compiled.matches(key), `${pattern} and ${key}`);
    }
  });

  it("that is none, or leaves nothing, is refused in one sentence", () => {
    for (const pattern of ["", "[", "a[b", "[z-a]", "{a,b", "a\\"])
      for (const options of [{ include: [pattern] }, { exclude: [pattern] }])
        assert.throws(
          () => new ObjectSelection(options),
          { code: "copy.pattern", message: /is not a pattern/ },
          pattern,
        );
    for (const exclude of ["*", "**", "**/*", "/**"].slice(0, 3))
      assert.throws(() => new ObjectSelection({ exclude: [exclude], include: ["*.jpg"] }), {
        code: "copy.pattern",
        message: /^`exclude` ".*" leaves nothing: `exclude` goes before `include`/,
      });
    const nothing = new ObjectSelection({ include: ["/2024/**"] }).nothingLeft("a place", 12);
    assert.match(
      nothing,
      /Of 12 objects that were listed none is chosen by `include` "\/2024\/\*\*"\. Keys do not begin with a \//,
    );
    assert.match(
      new ObjectSelection({ exclude: ["a*"] }).nothingLeft("a place", 1),
      / The one object that was listed is not chosen by `exclude` "a\*"\.$/,
    );
  });

  it("is named as an option where a run would choose other objects than before", () => {
    const { source } = copy({ from: "from", to: "to" });
    assert.equal(
      source.difference?.({ from: "a", include: ["b"] }, { from: "a" }),
      "Other objects are chosen now by `include`, `exclude` or `newer`",
    );
  });

  it("lets an exclude go before an include, in whatever order they are given", () => {
    const options = { include: ["x/**", "*.jpg"], exclude: ["x/y/*"] };
    assert.deepEqual(
      ["x/a", "x/y/a", "x/y/z/a", "b.jpg", "x/y/b.jpg", "c"].map((key) => takes(options, key)),
      [true, false, true, true, false, false],
    );
  });

  it("skips only folders in which it would take nothing", () => {
    const part = fc.stringMatching(/^[ab.*]{1,3}$/);
    const path = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
    const pattern = fc.oneof(
      path,
      path.map((text) => `${text}/**`),
      fc.constant("a/*"),
      fc.constant("*.b"),
    );
    const some = fc.array(pattern, { maxLength: 2 });
    fc.assert(
      fc.property(some, some, path, path, (include, exclude, folder, below) => {
        let choice: ObjectSelection;
        try {
          choice = new ObjectSelection({ include, exclude });
        } catch {
          return;
        }
        const key = `${folder}/${below}`;
        if (choice.skips(`${folder}/`))
          assert.ok(!choice.includes({ key, size: 1, modified: null, etag: null }), key);
      }),
      { numRuns: 5000, seed: 12 },
    );
    const choice = new ObjectSelection({ include: ["2024/**"], exclude: ["2024/private/**"] });
    assert.deepEqual(
      ["2023/", "2024/", "2024/private/", "2024/private/x/", "2024/public/"].map((folder) =>
        choice.skips(folder),
      ),
      [true, false, true, true, false],
    );
  });
});

describe("a folder that cannot be read", () => {
  let root: string;
  const isRoot = process.getuid?.() === 0;

  before(async () => {
    root = await mkdtemp(join(tmpdir(), "pawl-unread-"));
    await chmod(root, 0o755);
    for (const side of ["from", "to"])
      for (const key of ["a/1", "locked/2", "locked/in/3", "z/4"]) {
        await mkdir(dirname(join(root, side, key)), { recursive: true });
        await writeFile(join(root, side, key), key);
      }
    await chmod(join(root, "from/locked"), isRoot ? 0o700 : 0);
  });
  after(async () => {
    await chmod(join(root, "from/locked"), 0o700);
    await rm(root, { recursive: true, force: true });
  });

  /** As a user who is not root and may not enter it. */
  const asOther = async <T>(work: () => Promise<T>): Promise<T> => {
    if (isRoot) process.seteuid?.(65_534);
    try {
      return await work();
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  };

  const listed = async (options: SelectionOptions) => {
    const folder = await mkdtemp(join(tmpdir(), "pawl-unread-list-"));
    await chmod(folder, 0o777);
    try {
      const { source } = copy({ from: join(root, "from"), to: join(root, "none"), ...options });
      const signal = new AbortController().signal;
      await source.shards(1, { kind: "any" }, { folder, scratch: folder, memory: 0, signal });
      const listing = StoredListing.read(join(folder, "listing.db"), 0);
      const found = listing.page(0, 100, 100).map(({ entry }) => [entry.key, entry.problem ?? null]);
      listing.close();
      return found;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  };

  it("is one failure with its reason, and the rest is listed", async () => {
    assert.deepEqual(await asOther(() => listed({})), [
      ["a/1", null],
      ["locked/", "this folder cannot be read, so that nothing in it is copied"],
      ["z/4", null],
    ]);
  });

  it("is not looked at where nothing in it is chosen", async () => {
    for (const options of [{ exclude: ["locked/**"] }, { exclude: ["locked"] }, { include: ["a/*", "z/**"] }])
      assert.deepEqual(await asOther(() => listed(options)), [
        ["a/1", null],
        ["z/4", null],
      ]);
  });

  it("is unreadable when two places are compared, with what the other side has there", async () => {
    const verdicts = await asOther(async () => {
      const found: string[] = [];
      for await (const { key, result } of verify({ from: join(root, "from"), to: join(root, "to") }))
        found.push(`${result} ${key}`);
      return found;
    });
    assert.deepEqual(verdicts, [
      "same a/1",
      "unreadable locked/",
      "unreadable locked/2",
      "unreadable locked/in/3",
      "same z/4",
    ]);
  });
});
