import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { after } from "node:test";
import { type PublishOptions, publish } from "../../../src/data/parts/publish.ts";
import { isWorkFolder, recoverTarget } from "../../../src/data/parts/work-folder.ts";
import { ownProcessMark } from "../../../src/process-mark.ts";

const root = mkdtempSync(join(tmpdir(), "pawl-publish-"));
after(() => rmSync(root, { recursive: true, force: true }));
let made = 0;

function place(): string {
  const folder = join(root, String(made++));
  mkdirSync(folder);
  return folder;
}

/** All files below a folder with what is in them; of a file, that. */
function content(path: string): Record<string, string> | string | null {
  if (!existsSync(path)) return null;
  if (statSync(path).isFile()) return readFileSync(path, "utf8");
  return Object.fromEntries(
    readdirSync(path, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(
        (entry) =>
          [
            join(entry.parentPath, entry.name).slice(path.length + 1),
            readFileSync(join(entry.parentPath, entry.name), "utf8"),
          ] as const,
      )
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

function fill(path: string, files: Readonly<Record<string, string>> | string): void {
  if (typeof files === "string") writeFileSync(path, files);
  if (typeof files === "string") return;
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), text);
  }
}

function write(
  target: string,
  options: Omit<PublishOptions, "what">,
  files: Readonly<Record<string, string>> | string,
): Promise<void> {
  return publish(target, { ...options, what: "writeTest" }, async (path) => fill(path, files));
}

/** What writers have left beside a target. */
function leftovers(folder: string): string[] {
  return readdirSync(folder).filter(isWorkFolder);
}

const CALLS = ["mkdir", "rename", "link", "unlink", "rm", "rmdir", "writeFile", "chmod", "symlink"] as const;

/** Runs `work` as if the process were killed at its `n`th change of the file system. Returns whether it came so far. */
async function killedAt(n: number, work: () => Promise<void>): Promise<boolean> {
  const real = Object.fromEntries(CALLS.map((name) => [name, promises[name]]));
  let calls = 0;
  let died: () => void = () => {};
  const death = new Promise<boolean>((resolve) => {
    died = () => resolve(true);
  });
  for (const name of CALLS)
    Object.assign(promises, {
      [name]: (...args: unknown[]) => {
        if (calls++ < n) return (real[name] as (...args: unknown[]) => Promise<unknown>)(...args);
        died();
        return new Promise(() => {});
      },
    });
  syncBuiltinESMExports();
  try {
    return await Promise.race([death, work().then(() => false)]);
  } finally {
    Object.assign(promises, real);
    syncBuiltinESMExports();
  }
}

/** Gives what this process has left to a process that is dead. */
async function disown(folder: string): Promise<void> {
  const [machine, boot] = ownProcessMark.split("-");
  for (const name of leftovers(folder)) {
    const to = name.replace(ownProcessMark, `${machine}-${boot}-4194303-1`);
    await promises.rename(join(folder, name), join(folder, to));
  }
}

const OLD = { "k=1/a": "old a", "k=2/b": "old b", root: "old root" };
const cases = [
  { name: "a new file", shape: "file", mode: "new", before: null, files: "new", result: "new" },
  {
    name: "a file that is replaced",
    shape: "file",
    mode: "overwrite",
    before: "old",
    files: "new",
    result: "new",
  },
  {
    name: "a new folder",
    shape: "folder",
    mode: "new",
    before: null,
    files: { "k=1/x": "new" },
    result: { "k=1/x": "new" },
  },
  {
    name: "a folder that is replaced",
    shape: "folder",
    mode: "overwrite",
    before: OLD,
    files: { "k=3/x": "new", y: "new" },
    result: { "k=3/x": "new", y: "new" },
  },
  {
    name: "a folder to which one file is added",
    shape: "folder",
    mode: "append",
    before: OLD,
    files: { "k=1/x": "new" },
    result: { ...OLD, "k=1/x": "new" },
  },
  {
    name: "a folder to which a partition is added",
    shape: "folder",
    mode: "append",
    before: OLD,
    files: { "k=3/x": "new", "k=3/y": "new" },
    result: { ...OLD, "k=3/x": "new", "k=3/y": "new" },
  },
  {
    name: "a folder to which files of several partitions are added",
    shape: "folder",
    mode: "append",
    before: OLD,
    files: { "k=1/x": "new", "k=3/y": "new" },
    result: { ...OLD, "k=1/x": "new", "k=3/y": "new" },
  },
] as const;

for (const { name, shape, mode, before, files, result } of cases)
  test(`a kill at any moment leaves ${name} as it was or as it is to be, whole, and the next write clears up`, async () => {
    let kills = 0;
    const seen = new Set<string>();
    for (; kills < 200; kills++) {
      const folder = place();
      const target = join(folder, "out");
      if (before !== null) fill(target, before);
      const killed = await killedAt(kills, () => write(target, { shape, mode }, files));
      await recoverTarget(target);
      const now = content(target);
      const is = [before, result].findIndex(
        (each) => JSON.stringify(sorted(each)) === JSON.stringify(sorted(now)),
      );
      assert.ok(is >= 0, `killed at change ${kills}: ${JSON.stringify(now)}`);
      seen.add(is === 0 ? "before" : "after");
      if (!killed) {
        assert.equal(is, 1);
        assert.deepEqual(leftovers(folder), []);
        break;
      }
      await disown(folder);
      await write(target, { shape, mode: "overwrite" }, files);
      assert.deepEqual(sorted(content(target)), sorted(files));
      assert.deepEqual(leftovers(folder), []);
    }
    assert.ok(kills > 2 && kills < 200);
    assert.equal(seen.size, 2);
  });

function sorted(files: Readonly<Record<string, string>> | string | null): unknown {
  return files === null || typeof files === "string"
    ? files
    : Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1));
}

test("a target that is there is refused before anything is written, unless it is said what is to become of it", async () => {
  const folder = place();
  const [file, filled, empty] = [join(folder, "file"), join(folder, "filled"), join(folder, "empty")];
  fill(file, "old");
  fill(filled, { a: "old" });
  mkdirSync(empty);
  const never = () => Promise.reject(new Error("must not be called"));
  for (const [target, shape] of [
    [file, "file"],
    [filled, "folder"],
  ] as const)
    await assert.rejects(publish(target, { shape, mode: "new", what: "writeTest" }, never), {
      code: "data.target-exists",
      message: /is there already: give `overwrite: true`/,
    });
  await assert.rejects(publish(filled, { shape: "file", mode: "overwrite", what: "writeTest" }, never), {
    code: "data.target",
    message: /is a folder/,
  });
  await assert.rejects(publish(file, { shape: "folder", mode: "overwrite", what: "writeTest" }, never), {
    code: "data.target",
    message: /is a file/,
  });
  await assert.rejects(publish("", { shape: "folder", mode: "overwrite", what: "writeTest" }, never), {
    code: "data.target",
  });
  await write(empty, { shape: "folder", mode: "new" }, { a: "new" });
  assert.deepEqual([content(file), content(filled), content(empty)], ["old", { a: "old" }, { a: "new" }]);
});

test("a write that fails leaves what was there and nothing else, not even folders that it made", async () => {
  const folder = place();
  fill(join(folder, "out"), { a: "old" });
  const failing = async (path: string) => {
    fill(path, { a: "half" });
    throw new Error("the query failed");
  };
  for (const target of [join(folder, "out"), join(folder, "deep", "er", "out")])
    await assert.rejects(
      publish(target, { shape: "folder", mode: "overwrite", what: "writeTest" }, failing),
      /the query failed/,
    );
  assert.deepEqual(readdirSync(folder), ["out"]);
  assert.deepEqual(content(join(folder, "out")), { a: "old" });
});

test("of two writers that make one target at the same time one wins whole, and the other says that something is there", async () => {
  for (const shape of ["file", "folder"] as const) {
    const target = join(place(), "out");
    const files = (of: string) => (shape === "file" ? of : { a: of, "k=1/b": of });
    const results = await Promise.allSettled(
      ["1", "2", "3"].map((of) => write(target, { shape, mode: "new" }, files(of))),
    );
    const won = results.findIndex(({ status }) => status === "fulfilled");
    assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1);
    for (const result of results)
      if (result.status === "rejected") assert.equal(result.reason.code, "data.target-exists");
    assert.deepEqual(content(target), files(String(won + 1)));
  }
});

test("writers that replace one folder and add to it at the same time never leave a mixture, and what is added is not lost", async () => {
  for (let round = 0; round < 10; round++) {
    const folder = place();
    const target = join(folder, "out");
    fill(target, { "k=1/a": "old" });
    await Promise.all(
      ["1", "2", "3", "4"].map((of) =>
        write(target, { shape: "folder", mode: "append" }, { [`k=1/${of}`]: of, [`k=2/${of}`]: of }),
      ),
    );
    const all = Object.fromEntries(
      ["1", "2", "3", "4"].flatMap((of) => [
        [`k=1/${of}`, of],
        [`k=2/${of}`, of],
      ]),
    );
    assert.deepEqual(content(target), { "k=1/a": "old", ...all });
    await Promise.all(
      ["5", "6"].map((of) =>
        write(target, { shape: "folder", mode: "overwrite" }, { "k=1/x": of, "k=2/x": of }),
      ),
    );
    const [one, two] = Object.values(content(target) as Record<string, string>);
    assert.equal(one, two);
    assert.deepEqual(readdirSync(folder), ["out"]);
  }
});

test("a folder that a living writer works in stays, and one of a machine that is not this one until it is old", async () => {
  const folder = place();
  const target = join(folder, "out");
  const [, boot] = ownProcessMark.split("-");
  const mine = `.out.pawl-${ownProcessMark}-0123456789abcdef`;
  const foreign = `.out.pawl-${"0".repeat(12)}-${boot}-1-1-0123456789abcdef`;
  const old = `.out.pawl-${"1".repeat(12)}-${boot}-1-1-0123456789abcdef`;
  const others = [`.other.pawl-${"1".repeat(12)}-${boot}-1-1-0123456789abcdef`, ".out.pawl-mine"];
  for (const name of [mine, foreign, old, ...others]) mkdirSync(join(folder, name));
  await promises.utimes(join(folder, old), 0, 0);
  await write(target, { shape: "file", mode: "new" }, "new");
  assert.deepEqual(readdirSync(folder).sort(), [mine, foreign, ...others, "out"].sort());
});

test("an old set is kept where something else was put in its place before it could be put back", async () => {
  const folder = place();
  const target = join(folder, "out");
  fill(target, { a: "old" });
  for (let n = 0; existsSync(target); n++) {
    await killedAt(n, () => write(target, { shape: "folder", mode: "overwrite" }, { a: "new" }));
    await disown(folder);
  }
  fill(target, { a: "foreign" });
  await assert.rejects(write(target, { shape: "folder", mode: "append" }, { b: "new" }), {
    code: "data.target-torn",
    message: /what stood there before is in .*old-0/,
  });
  assert.deepEqual(content(target), { a: "foreign" });
  rmSync(target, { recursive: true });
  mkdirSync(target);
  await write(target, { shape: "folder", mode: "append" }, { b: "new" });
  assert.deepEqual(content(target), { a: "old", b: "new" });
});

test("a link to a folder is followed, one in place of a file is replaced, and a file keeps who may read it", async () => {
  const folder = place();
  fill(join(folder, "real"), { a: "old" });
  symlinkSync("real", join(folder, "link"));
  await write(join(folder, "link"), { shape: "folder", mode: "overwrite" }, { a: "new" });
  assert.deepEqual(content(join(folder, "real")), { a: "new" });
  writeFileSync(join(folder, "secret"), "old", { mode: 0o600 });
  symlinkSync("secret", join(folder, "file"));
  await write(join(folder, "file"), { shape: "file", mode: "overwrite" }, "new");
  assert.equal(content(join(folder, "secret")), "old");
  await write(join(folder, "secret"), { shape: "file", mode: "overwrite" }, "new");
  assert.equal(statSync(join(folder, "secret")).mode & 0o777, 0o600);
  symlinkSync("nothing", join(folder, "dangling"));
  await assert.rejects(write(join(folder, "dangling"), { shape: "folder", mode: "new" }, {}), {
    code: "data.target",
    message: /where there is nothing/,
  });
});

test("names of any kind and length are targets, and a name that is too long is said", async () => {
  const folder = place();
  for (const name of [
    "a b",
    "__proto__",
    ".hidden",
    "%2F",
    "ü".repeat(120),
    "[*]?",
    "-rf",
    "x".repeat(255),
    "\n",
  ]) {
    await write(join(folder, name), { shape: "file", mode: "new" }, name);
    assert.equal(content(join(folder, name)), name);
  }
  await assert.rejects(write(join(folder, "x".repeat(256)), { shape: "file", mode: "new" }, ""), {
    code: "data.target",
    message: /too long/,
  });
  await assert.rejects(write(join(folder, "a b", "c"), { shape: "file", mode: "new" }, ""), {
    code: "data.target",
    message: /is a file/,
  });
  assert.deepEqual(leftovers(folder), []);
});

test("an abort before the end publishes nothing", async () => {
  const folder = place();
  const stop = new AbortController();
  const writing = publish(
    join(folder, "out"),
    { shape: "file", mode: "new", what: "writeTest", signal: stop.signal },
    async (path) => {
      fill(path, "new");
      stop.abort(new Error("stop"));
    },
  );
  await assert.rejects(writing, /stop/);
  assert.deepEqual(readdirSync(folder), []);
});
