import assert from "node:assert/strict";
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Glob } from "../../../src/data/read/glob.ts";
import { findDataFiles } from "../../../src/data/read/locations.ts";
import { ownProcessMark } from "../../../src/process-mark.ts";
import { environmentOf as azureEnvironmentOf } from "../../connect/objects/azure/access.ts";
import { BlobStub } from "../../connect/objects/azure/stub/server.ts";
import { environmentOf } from "../../connect/objects/s3/access.ts";
import { misbehaviours } from "../../connect/objects/s3/stub/misbehaviours.ts";
import { S3Stub } from "../../connect/objects/s3/stub/server.ts";
import { fc, runs } from "../../random.ts";
import { environment, staging, temporaryFolder } from "./scene.ts";

const folder = temporaryFolder();

function put(...names: string[]): void {
  for (const name of names) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), name);
  }
}

async function found(locations: string | readonly string[], format: "csv" | "parquet" | "jsonl" = "csv") {
  const { buckets, signal } = staging(folder);
  const given = typeof locations === "string" ? [locations] : locations;
  const files = await findDataFiles(given, { cwd: folder, format, buckets, signal });
  return files.map(({ name }) => name);
}

describe("patterns of paths", () => {
  test("stand for names, folders and either of some, and for a dot at the beginning of a name only where it is written", () => {
    const matches = (pattern: string, path: string) => new Glob(pattern).matches(path);
    assert.ok(matches("tx_*.csv", "tx_1.csv") && !matches("tx_*.csv", "a/tx_1.csv"));
    assert.ok(matches("a/**/b.csv", "a/b.csv") && matches("a/**/b.csv", "a/x/y/b.csv"));
    assert.ok(matches("**/*.csv", "a.csv") && matches("**", "a/b/c.csv") && !matches("a/**", "b/c.csv"));
    assert.ok(!matches("**/*.csv", "_temporary/a.csv") && !matches("**/*.csv", ".pawl-1/a.csv"));
    assert.ok(!matches("*.csv", ".a.csv") && matches(".*.csv", ".a.csv") && matches("*/x", "_a/x"));
    assert.ok(
      matches("y={2023,2024}/{a,b{1,2}}.csv", "y=2024/b2.csv") && !matches("y={2023,2024}/*", "y=2025/a"),
    );
    assert.ok(matches("[a-c]?.csv", "b1.csv") && matches("[!a]*", "b") && !matches("[!a]*", "ab"));
    assert.ok(
      matches("a\\*b", "a*b") &&
        !matches("a\\*b", "axb") &&
        matches("a{b}c", "a{b}c") &&
        matches("a[b", "a[b"),
    );
    assert.throws(
      () => new Glob("[z-a].csv"),
      /\[z-a\] in the pattern \[z-a\]\.csv is not a set of characters/,
    );
    assert.throws(() => new Glob("{a,b}".repeat(10)), /more than 1000 alternatives in its braces/);
  });

  test("match a name that is written with backslashes, and only that one", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme", minLength: 1 }),
        fc.string({ minLength: 1 }),
        (name, other) => {
          const plain = name.replaceAll(/[/\0]/g, "-");
          const pattern = new Glob(plain.replaceAll(/[*?[\]{}\\,]/g, "\\$&"));
          assert.ok(pattern.matches(plain));
          if (other !== plain) assert.ok(!pattern.matches(other));
        },
      ),
      { numRuns: runs(200) },
    );
  });

  test("take no time that grows with the number of stars", () => {
    assert.ok(!new Glob(`${"**/".repeat(40)}x`).matches(`${"a/".repeat(60)}y`));
  });
});

describe("files of this machine", () => {
  before(() => {
    put(
      "d/tx_2.csv",
      "d/tx_10.csv",
      "d/tx_é.csv",
      "d/tx_a.csv.gz",
      "d/notes.md",
      "d/.hidden.csv",
      "d/_tmp/x.csv",
    );
    put("d/year=2024/a.csv", "d/year=2023/b.csv", "d/a[1].csv", "d/.pawl-9/half.csv");
    symlinkSync(join(folder, "d"), join(folder, "d/year=2024/again"));
    symlinkSync(join(folder, "gone"), join(folder, "dangling.csv"));
    symlinkSync(join(folder, "d"), join(folder, "linked"));
  });

  test("come in the order of their paths' bytes, each once", async () => {
    assert.deepEqual(await found(["d/tx_2.csv", "d/tx_*.csv"]), ["d/tx_2.csv", "d/tx_10.csv", "d/tx_é.csv"]);
    assert.deepEqual(await found("d/year=*/*.csv"), ["d/year=2023/b.csv", "d/year=2024/a.csv"]);
    assert.deepEqual(await found("linked/tx_1?.csv"), ["linked/tx_10.csv"]);
  });

  test("are those of the format where a folder is named, however deep, and links do not lead in a circle", async () => {
    assert.deepEqual(await found("d"), [
      "d/a[1].csv",
      "d/tx_10.csv",
      "d/tx_2.csv",
      "d/tx_a.csv.gz",
      "d/tx_é.csv",
      "d/year=2023/b.csv",
      "d/year=2024/a.csv",
    ]);
  });

  test("may be called as a pattern is written", async () => {
    assert.deepEqual(await found("d/a[1].csv"), ["d/a[1].csv"]);
    assert.deepEqual(await found(`file://${folder}/d/a[1].csv`), [join(folder, "d/a[1].csv")]);
  });

  test("that are not there are said in one sentence with names that are near", async () => {
    await assert.rejects(
      found("d/tx_3.csv"),
      /^PawlError: d\/tx_3\.csv does not exist: did you mean d\/tx_2\.csv\?$/,
    );
    await assert.rejects(
      found("e/tx.csv"),
      /e\/tx\.csv does not exist, nor does the folder e: check the path/,
    );
    await assert.rejects(
      found("d/txx_*.csv"),
      /No file matches d\/txx_\*\.csv: (nearest to it is|d\/ holds) d\/.*, and more\./,
    );
    await assert.rejects(
      found("nowhere/*.csv"),
      /No file matches nowhere\/\*\.csv, since there is no folder nowhere\//,
    );
    await assert.rejects(found("d", "parquet"), /There is no Parquet file in d: check the name/);
    await assert.rejects(found("dangling*.csv"), /dangling\.csv is a link that leads nowhere/);
    await assert.rejects(found([]), /No file was given/);
    await assert.rejects(
      found("ftp://host/a.csv"),
      /ftp:\/\/ cannot be read: give a path, s3:\/\/bucket\/key/,
    );
    await assert.rejects(
      found("env:PAWL_NO_SUCH_THING"),
      /env:PAWL_NO_SUCH_THING names an environment variable that is not set/,
    );
  });

  test("of the web are named without what signs them, and never listed", async () => {
    const [name] = await found("https://host.example/a/b.csv?sig=secret-77");
    assert.equal(name, "https://host.example/a/b.csv?…");
    const error = await found("https://user:secret-77@host.example/a*.csv").catch((each) => each);
    assert.match(error.message, /is a pattern, and servers of the web list nothing/);
    assert.doesNotMatch(error.message, /secret-77/);
  });
});

describe("objects of buckets", () => {
  let s3: S3Stub;
  let azure: BlobStub;
  environment({ PAWL_PAUSE_MS: "1" });
  before(async () => {
    [s3, azure] = await Promise.all([S3Stub.start(), BlobStub.start()]);
    Object.assign(process.env, environmentOf(s3.access), azureEnvironmentOf(azure.access));
  });
  after(() => Promise.all([s3.stop(), azure.stop()]));

  test("match like files, in the order of their keys' bytes", async () => {
    const keys = [
      "t/y=2/b.parquet",
      "t/y=1/a.parquet",
      "t/y=1/ä.parquet",
      "t/_tmp/x.parquet",
      "t/.x/h.parquet",
      "t/a.txt",
    ];
    s3.fill("shop", [...keys, "t/dir/", "u/y=1/c.parquet"]);
    const sorted = ["s3://shop/t/y=1/a.parquet", "s3://shop/t/y=1/ä.parquet", "s3://shop/t/y=2/b.parquet"];
    assert.deepEqual(await found("s3://shop/t/**/*.parquet", "parquet"), sorted);
    assert.deepEqual(await found("s3://shop/t/", "parquet"), sorted);
    assert.deepEqual(await found("s3://shop/t/y={1,3}/[a-z].parquet", "parquet"), [sorted[0]]);
    const container = await azure.container("box");
    for (const key of keys) await container.put(key, key);
    const account = azure.access.account;
    assert.deepEqual(
      await found(`az://${account}/box/t/y=*/*.parquet`, "parquet"),
      sorted.map((name) => name.replace("s3://shop", `az://${account}/box`)),
    );
  });

  test("that do not match are said with keys that are near, and a bucket that is not there with what to check", async () => {
    await assert.rejects(
      found("s3://shop/t/y=1/aa.parq*", "parquet"),
      /No file matches s3:\/\/shop\/t\/y=1\/aa\.parq\*: nearest to it is s3:\/\/shop\/t\/y=1\/a\.parquet/,
    );
    await assert.rejects(found("s3://nowhere/*.csv"), /there is no such bucket/);
    await assert.rejects(found("s3:///x.csv"), /does not name a bucket/);
    await assert.rejects(
      found("s3://KEY:SECRET-9@shop/x.csv"),
      (error: Error) => !error.message.includes("SECRET-9"),
    );
  });

  test("are many pages of keys, none of which is left out", async () => {
    const keys = Array.from(
      { length: runs(10_000) },
      (_, n) => `many/${String(n % 100).padStart(2, "0")}/${n}.csv`,
    );
    s3.fill("many", keys);
    const names = await found("s3://many/many/**/*.csv");
    assert.equal(names.length, keys.length);
    assert.deepEqual(names, keys.map((key) => `s3://many/${key}`).sort());
  });

  test("are refused where the listing leaves something out or is in no order", async () => {
    const keys = Array.from({ length: 2500 }, (_, n) => `in/${n % 7}/${n}.csv`);
    s3.fill("odd", keys);
    const right = keys.map((key) => `s3://odd/${key}`).sort();
    for (const [what, misbehaviour] of Object.entries(misbehaviours)) {
      s3.misbehaviour = misbehaviour();
      const names = await found("s3://odd/in/**/*.csv").catch((error: Error) => error);
      if (names instanceof Error) assert.match(names.message, /^\S.*\.$/s, what);
      else assert.deepEqual(names, right, what);
    }
    s3.misbehaviour = {};
  });
});

describe("folders that a writer replaces", () => {
  const mark = ownProcessMark;

  test("are found whole by a pattern over several of them, also where a writer was killed between two renames", async () => {
    const long = "x".repeat(200);
    for (const name of ["a", "b", long]) put(`torn/${name}/1.csv`, `torn/${name}/k=1/2.csv`);
    // Killed: the old folder lies beside the new one, and nothing stands at the target.
    for (const [name, short] of [
      ["b", "b"],
      [long, "0123456789abcdef0123456789abcdef"],
    ] as const) {
      const work = join(folder, "torn", `.${short}.pawl-${mark}-0123456789abcdef`);
      mkdirSync(join(work, "set"), { recursive: true });
      if (name === long) writeFileSync(join(work, "name"), name);
      renameSync(join(folder, "torn", name), join(work, "old-0"));
    }
    const names = (of: string) => [`torn/${of}/1.csv`, `torn/${of}/k=1/2.csv`];
    assert.deepEqual(await found("torn/[ab]/**/*.csv"), [...names("a"), ...names("b")]);
  });

  test("are gone through again where they are replaced meanwhile, so that old and new names never mix", async () => {
    put(
      "moving/out/k=1/old.csv",
      "moving/out/k=2/old.csv",
      "moving/next/k=1/new.csv",
      "moving/next/k=3/new.csv",
    );
    const { readdir } = promises;
    let reads = 0;
    // The folder is replaced just after its folders were read, and before the names in these are.
    const replacing = async (...args: Parameters<typeof readdir>) => {
      const names = await readdir(...args);
      const isListing = args[1] !== undefined && String(args[0]) === join(folder, "moving/out");
      if (!isListing || ++reads !== 2) return names;
      renameSync(join(folder, "moving/out"), join(folder, "moving/gone"));
      renameSync(join(folder, "moving/next"), join(folder, "moving/out"));
      return names;
    };
    Object.assign(promises, { readdir: replacing });
    syncBuiltinESMExports();
    try {
      assert.deepEqual(await found("moving/out/**/*.csv"), [
        "moving/out/k=1/new.csv",
        "moving/out/k=3/new.csv",
      ]);
    } finally {
      Object.assign(promises, { readdir });
      syncBuiltinESMExports();
    }
  });
});
