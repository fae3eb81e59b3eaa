import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { ChecksumThreads } from "../../../../src/connect/objects/compare/checksum-threads.ts";
import { Disk } from "../../../../src/connect/objects/files/disk.ts";
import { isPartName } from "../../../../src/connect/objects/files/part-files.ts";
import { FileWriter } from "../../../../src/connect/objects/files/writer.ts";

describe("a file that is being written", () => {
  let folder: string;
  let to: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "pawl-parts-"));
  });
  beforeEach(async () => {
    to = join(folder, crypto.randomUUID(), "to");
    await mkdir(to, { recursive: true });
  });
  after(() => rm(folder, { recursive: true, force: true }));

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
