import assert from "node:assert/strict";
import { hash } from "node:crypto";
import {
  appendFile,
  chmod,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { defineJob, run } from "../../../../src/batch/index.ts";
import { openItems } from "../../../../src/batch/internal.ts";
import { ChecksumThreads } from "../../../../src/connect/objects/compare/checksum-threads.ts";
import { Disk } from "../../../../src/connect/objects/files/disk.ts";
import { versionOf } from "../../../../src/connect/objects/files/file-version.ts";
import { isPartName } from "../../../../src/connect/objects/files/part-files.ts";
import { removeFile } from "../../../../src/connect/objects/files/remove-file.ts";
import { FileWriter } from "../../../../src/connect/objects/files/writer.ts";
import { copy } from "../../../../src/connect/objects/index.ts";
import { openStore, type Store } from "../../../../src/store/index.ts";
import { S3Stub } from "../s3/stub/server.ts";

const kept = { ...process.env };
let folder: string;
let store: Store;
let from: string;
let to: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "pawl-moves-"));
  process.env.PAWL_STORE = join(folder, "place", "store.db");
  process.env.PAWL_PAUSE_MS = "1";
  store = await openStore(join(folder, "store.db"));
});
beforeEach(async () => {
  const place = join(folder, crypto.randomUUID());
  [from, to] = [join(place, "from"), join(place, "to")];
  await mkdir(from, { recursive: true });
});
after(async () => {
  for (const key of Object.keys(process.env)) if (!(key in kept)) delete process.env[key];
  Object.assign(process.env, kept);
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

const reasons = async (id: string) => {
  const found: string[] = [];
  for await (const { reason } of openItems(store, id)) found.push(reason);
  return found;
};

describe("a file that is moved", () => {
  it("and rewritten while its transform runs is copied again as it is now, and only then removed", async () => {
    await writeFile(join(from, "a"), "old");
    const module = join(folder, "rewrites.mjs");
    // The first time it is called, as another program does at the same time.
    await writeFile(
      module,
      `import { existsSync, writeFileSync } from "node:fs";
      export default (bytes) => {
        if (!existsSync(${JSON.stringify(`${from}.done`)})) {
          writeFileSync(${JSON.stringify(`${from}.done`)}, "");
          writeFileSync(${JSON.stringify(join(from, "a"))}, "new");
        }
        return bytes;
      };`,
    );
    const ends = copy({ from, to, move: true, transform: module });
    const summary = await run(defineJob({ name: "rewritten", ...ends }), { store }).summary();
    assert.deepEqual([summary.state, summary.written], ["succeeded", 1]);
    assert.equal(await readFile(join(to, "a"), "utf8"), "new");
    assert.deepEqual(await readdir(from), []);
  });

  it("and is rewritten again and again is kept with the reason", async () => {
    await writeFile(join(from, "a"), "0");
    const module = join(folder, "always.mjs");
    await writeFile(
      module,
      `import { appendFileSync } from "node:fs";
      export default (bytes) => { appendFileSync(${JSON.stringify(join(from, "a"))}, "+"); return bytes; };`,
    );
    const ends = copy({ from, to, move: true, transform: module });
    const summary = await run(defineJob({ name: "always", ...ends }), { store }).summary();
    assert.deepEqual([summary.written, summary.quarantined], [0, 1]);
    assert.match(
      (await reasons(summary.run)).join(),
      /was changed since it was copied, and stays where it is/,
    );
    assert.match(await readFile(join(from, "a"), "utf8"), /^0\++$/);
  });

  const changes: Record<string, (path: string) => Promise<void>> = {
    "other bytes of the same number, with the old time": async (path) => {
      const { mtime } = await stat(path);
      await writeFile(path, "OLD");
      await utimes(path, new Date(), mtime);
    },
    "another file in its place": async (path) => {
      await writeFile(`${path}.new`, "old");
      await rename(`${path}.new`, path);
    },
    "more bytes": (path) => appendFile(path, "+"),
    "a folder in its place": async (path) => {
      await rm(path);
      await mkdir(path);
    },
    "a link in its place": async (path) => {
      await rename(path, `${path}.other`);
      await symlink(`${path}.other`, path);
      await appendFile(`${path}.other`, "+");
    },
  };
  for (const [what, change] of Object.entries(changes)) {
    it(`stays with ${what}`, async () => {
      const path = join(from, "a");
      await writeFile(path, "old");
      const version = versionOf(await stat(path, { bigint: true }));
      await change(path);
      const before = await readdir(from);
      await assert.rejects(removeFile(path, version), { code: "copy.changed" });
      assert.deepEqual(await readdir(from), before);
    });
  }

  it("is removed with its link alone, and by an attempt that follows a kill", async () => {
    const path = join(from, "a");
    await writeFile(path, "old");
    await link(path, join(from, "hard"));
    await symlink("a", join(from, "soft"));
    await removeFile(join(from, "soft"), versionOf(await stat(path, { bigint: true })));
    assert.deepEqual(await readdir(from), ["a", "hard"]);
    const version = versionOf(await stat(path, { bigint: true }));
    // As one that was killed between the two steps leaves it.
    await rename(path, join(from, `.pawl-${hash("sha256", `${path}\0${version}`).slice(0, 32)}.aside`));
    await removeFile(path, version);
    assert.deepEqual(await readdir(from), ["hard"]);
    await removeFile(path, version);
    assert.equal(await readFile(join(from, "hard"), "utf8"), "old");
  });
});

describe("an object of a bucket that is moved", () => {
  it("and written again meanwhile is copied again; one without an end stays", async () => {
    await using stub = await S3Stub.start();
    const { endpoint, accessKeyId, secretAccessKey, region } = stub.access;
    Object.assign(process.env, {
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_REGION: region,
    });
    stub.fill("b", ["once", "always", "late", "calm"]);
    const times = new Map<string, number>();
    const nth = (key: string) => {
      times.set(key, (times.get(key) ?? 0) + 1);
      return times.get(key) as number;
    };
    const client = stub.client("b");
    stub.misbehaviour = {
      answer: ({ method, key, headers }, answer) => {
        // Between the last look and the removal there is nothing but the condition.
        if (method === "GET" && key === "once" && nth(key) === 1) stub.fill("b", ["once"], "new");
        if (method === "GET" && key === "always") stub.fill("b", ["always"], `${nth(key)}`);
        if (method === "HEAD" && key === "late" && nth(key) === 1) stub.fill("b", ["late"], "new");
        if (method === "DELETE") assert.ok(headers["if-match"]);
        return answer;
      },
    };
    const summary = await run(defineJob({ name: "moved", ...copy({ from: "s3://b", to, move: true }) }), {
      store,
    }).summary();
    stub.misbehaviour = {};
    assert.deepEqual([summary.written, summary.quarantined], [3, 1], (await reasons(summary.run)).join());
    assert.deepEqual(await client.keys(), ["always"]);
    assert.equal(await readFile(join(to, "once"), "utf8"), "new");
    assert.equal(await readFile(join(to, "late"), "utf8"), "new");
    assert.equal(await readFile(join(to, "calm"), "utf8"), "calm");
  });
});

describe("a file that is being written", () => {
  const writer = async (kept: string) => {
    const sums = { threads: new ChecksumThreads(), cache: null };
    const made = new FileWriter(to, { run: "r1", kept }, sums, new Disk());
    await made.prepare(false);
    return made;
  };
  const entry = { key: "sub/a", size: 3, modified: null, etag: null };
  const described = {
    size: 3,
    etag: null,
    modified: null,
    properties: { headers: {}, metadata: {}, tags: null },
  };

  it("has a name that cannot be guessed, and a new one each time", async () => {
    const made = await writer(join(folder, "names"));
    const seen = new Set<string>();
    for (let n = 0; n < 3; n++) {
      const upload = await made.beginUpload(entry, described);
      const [name = ""] = (await readdir(join(to, "sub"))).filter((each) => isPartName(each));
      assert.match(name, /^\.pawl-r1-[0-9a-f]{32}\.part$/);
      seen.add(name);
      await upload.abort();
    }
    assert.equal(seen.size, 3);
    await made.close();
  });

  it("is swept after a kill, with no more than what the run has left", async () => {
    const place = join(folder, "swept");
    const killed = await writer(place);
    await killed.beginUpload(entry, described);
    await writeFile(join(to, "sub", `.pawl-other-${"0".repeat(32)}.part`), "another run");
    await writeFile(join(to, "sub", "mine.part"), "of the user");
    assert.equal((await readdir(join(to, "sub"))).length, 3);
    const next = await writer(place);
    assert.deepEqual((await readdir(join(to, "sub"))).sort(), [
      `.pawl-other-${"0".repeat(32)}.part`,
      "mine.part",
    ]);
    await next.close();
    await killed.close();
  });

  it("is not written through a folder that was replaced by a link", async () => {
    const outside = join(dirname(to), "outside");
    await mkdir(outside);
    await writeFile(join(outside, "a"), "precious");
    const made = await writer(join(folder, "links"));
    await made.put(entry, Buffer.from("one"), "", described);
    await rename(join(to, "sub"), join(to, "was"));
    await symlink(outside, join(to, "sub"));
    for (const bytes of [Buffer.from("two"), Buffer.alloc(300_000)])
      await assert.rejects(
        made.put({ ...entry, size: bytes.length }, bytes, "", described),
        /leads out of the target/,
      );
    assert.equal(await readFile(join(outside, "a"), "utf8"), "precious");
    assert.deepEqual(await readdir(outside), ["a"]);
    await made.close();
    await chmod(outside, 0o700);
  });
});
