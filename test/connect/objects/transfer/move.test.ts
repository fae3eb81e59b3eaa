import assert from "node:assert/strict";
import { hash } from "node:crypto";
import {
  appendFile,
  link,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { versionOf } from "../../../../src/connect/objects/files/file-version.ts";
import { removeFile } from "../../../../src/connect/objects/files/remove-file.ts";
import { environmentOf } from "../s3/access.ts";
import { S3Stub } from "../s3/stub/server.ts";
import { Workspace } from "../workspace.ts";

let workspace: Workspace;
let folder: string;
let from: string;
let to: string;

before(async () => {
  workspace = await Workspace.begin({ PAWL_PAUSE_MS: "1" });
  ({ folder } = workspace);
});
beforeEach(async () => {
  ({ from, to } = await workspace.ends());
});
after(() => workspace.end());

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
    const summary = await workspace.ran(from, to, { move: true, transform: module });
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
    const summary = await workspace.ran(from, to, { move: true, transform: module });
    assert.deepEqual([summary.written, summary.quarantined], [0, 1]);
    assert.match(
      (await workspace.reasons(summary)).join(),
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
    Object.assign(process.env, environmentOf(stub.access));
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
    const summary = await workspace.ran("s3://b", to, { move: true });
    stub.misbehaviour = {};
    assert.deepEqual(
      [summary.written, summary.quarantined],
      [3, 1],
      (await workspace.reasons(summary)).join(),
    );
    assert.deepEqual(await client.keys(), ["always"]);
    assert.equal(await readFile(join(to, "once"), "utf8"), "new");
    assert.equal(await readFile(join(to, "late"), "utf8"), "new");
    assert.equal(await readFile(join(to, "calm"), "utf8"), "calm");
  });
});
