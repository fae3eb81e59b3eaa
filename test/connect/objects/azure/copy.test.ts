import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, afterEach, before, describe, it } from "node:test";
import { azureSettingsOf } from "../../../../src/connect/objects/azure/settings.ts";
import { copy, verify } from "../../../../src/connect/objects/index.ts";
import { environmentOf as s3EnvironmentOf } from "../s3/access.ts";
import { S3Stub } from "../s3/stub/server.ts";
import { folderContents } from "../scene.ts";
import { putFile, Workspace } from "../workspace.ts";
import { environmentOf } from "./access.ts";
import { accountSas } from "./client.ts";
import { BlobStub } from "./stub/server.ts";

const MB = 1024 * 1024;
const main = join(import.meta.dirname, "../../../../src/cli/main.ts");

describe("copying from and to Azure Blob", () => {
  let stub: BlobStub;
  let s3: S3Stub;
  let workspace: Workspace;
  let folder: string;

  before(async () => {
    stub = await BlobStub.start();
    s3 = await S3Stub.start();
    workspace = await Workspace.begin({
      ...environmentOf(stub.access),
      ...s3EnvironmentOf(s3.access),
      PAWL_PAUSE_MS: "1",
    });
    ({ folder } = workspace);
    process.env.AZURE_CONFIG_DIR = folder;
  });
  afterEach(() => {
    stub.misbehaviour = {};
  });
  after(async () => {
    await workspace.end();
    await stub.stop();
    await s3.stop();
  });

  const ran = (...args: Parameters<Workspace["ran"]>) => workspace.ran(...args);
  const copied = (...args: Parameters<Workspace["copied"]>) => workspace.copied(...args);

  it("carries metadata, headers and tags from S3 and back, whatever their names, and finds all unchanged", async () => {
    const headers = {
      "content-type": "image/png",
      "cache-control": "max-age=60",
      "x-amz-meta-my-key": "dashed",
      "x-amz-meta-my_key": "plain",
      "x-amz-meta-my.key": "dotted",
      "x-amz-meta-mykey": "none",
      "x-amz-tagging": "team=maps&of=a%20b",
    };
    const [source, back] = [await s3.bucket("meta"), await s3.bucket("meta-back")];
    const there = await stub.container("meta");
    await source.put("small", "small", headers);
    await source.putInParts("large", [randomBytes(16 * MB), randomBytes(1)], headers);
    s3.fill("meta", ["umlaut"], "u", { "x-amz-meta-name": "\u00c3\u00a4" });
    const first = await copied("s3://meta", there.address);
    assert.deepEqual([first.written, first.quarantined], [2, 1]);
    assert.match(
      (await workspace.reasons(first)).join(),
      /its name holds characters that a header of Azure cannot/,
    );
    await copied(there.address, "s3://meta-back");
    for (const key of ["small", "large"]) {
      const found = await back.head(key);
      for (const [name, value] of Object.entries(headers))
        if (name !== "x-amz-tagging") assert.equal(found.get(name), value, `${key} ${name}`);
      assert.deepEqual(await back.tags(key), { team: "maps", of: "a b" });
    }
    assert.equal((await copied("s3://meta", there.address)).unchanged, 2);
    assert.equal((await copied(there.address, "s3://meta-back")).unchanged, 2);
    for await (const { result } of verify({ from: there.address, to: "s3://meta-back" }))
      assert.equal(result, "same");
  });

  it("keeps what Azure would keep under another name, and what is too long, as failures", async () => {
    const there = await stub.container("names");
    const long = "n".repeat(200);
    await s3.bucket("names");
    const bad = ["a\\b", "end.", "a./b", "tab\t", "../up", `${"d/".repeat(254)}x`];
    s3.fill("names", [...bad, "a/b", "end", `${[long, long, long, long].join("/")}`]);
    const summary = await copied("s3://names", there.address);
    assert.deepEqual([summary.written, summary.quarantined], [3, bad.length]);
    const said = (await workspace.reasons(summary)).join("\n");
    for (const wanted of [
      /a \\, which Azure takes for a \//,
      /ends in a dot/,
      /control character/,
      /255 parts/,
    ])
      assert.match(said, wanted);
    assert.deepEqual((await there.keys()).sort(), ["a/b", "end", [long, long, long, long].join("/")].sort());
  });

  it("writes no bytes that came otherwise than they were sent, and tries those again", async () => {
    const there = await stub.container("spoilt");
    const from = join(folder, "spoilt");
    await putFile(from, "small", randomBytes(1000));
    await putFile(from, "large", randomBytes(16 * MB + 1));
    let left = 2;
    stub.misbehaviour = {
      asked: (asked) => {
        const comp = asked.query.get("comp");
        if (asked.method !== "PUT" || (comp !== null && comp !== "block") || left-- <= 0) return asked;
        return { ...asked, body: Buffer.concat([Buffer.from("x"), asked.body.subarray(1)]) };
      },
    };
    await copied(from, there.address);
    assert.ok(left < 0);
    for (const key of ["small", "large"])
      assert.deepEqual((await there.get(key)).body, await readFile(join(from, key)));
    assert.ok((await there.all()).every(({ md5 }) => md5 !== null));
  });

  it("waits as Retry-After asks, and stops with one sentence where nothing answers as Azure does", async () => {
    const there = await stub.container("busy");
    await there.put("a", "a");
    let busy = 2;
    stub.misbehaviour = {
      answer: ({ method, key }, answer) =>
        method === "GET" && key !== "" && busy-- > 0
          ? {
              status: 503,
              headers: { "retry-after": "0", "x-ms-error-code": "ServerBusy" },
              body: Buffer.alloc(0),
            }
          : answer,
    };
    assert.equal((await copied(there.address, join(folder, "busy"))).written, 1);
    await putFile(join(folder, "portal"), "a", "a");
    stub.misbehaviour = {
      answer: ({ method }, answer) => (method === "PUT" ? { ...answer, status: 200, headers: {} } : answer),
    };
    const summary = await ran(join(folder, "portal"), `${there.address}/portal`);
    assert.equal(summary.state, "failed");
    assert.match(summary.note ?? "", /without an ETag, which Azure Blob always gives/);
  });

  it("copies within an account by the service, which proves the MD5, and by hand where it refuses", async () => {
    const [source, target] = [await stub.container("within"), await stub.container("within-2")];
    for (const key of ["a", "ü/b c"])
      await source.put(key, key, { "x-ms-meta-of": "ada", "x-ms-tags": "t=1" });
    await source.putInBlocks("blocks", ["one", "two"]);
    for (const refuses of [false, true]) {
      stub.journal.length = 0;
      stub.misbehaviour = {
        answer: (asked, answer) =>
          refuses && asked.headers["x-ms-copy-source"] !== undefined
            ? { status: 403, headers: { "x-ms-error-code": "CannotVerifyCopySource" }, body: Buffer.alloc(0) }
            : answer,
      };
      assert.equal((await copied(source.address, `${target.address}/${refuses}`)).written, 3);
      const gets = stub.journal.filter(
        ({ method, key, query }) => method === "GET" && key !== "" && !query.has("comp"),
      );
      // Without an MD5 the service could prove nothing.
      assert.equal(gets.length, refuses ? 3 : 1);
      const found = await target.get(`${refuses}/ü/b c`);
      assert.deepEqual([found.body.toString(), found.headers.get("x-ms-meta-of")], ["ü/b c", "ada"]);
      assert.deepEqual(await target.tags(`${refuses}/a`), { t: "1" });
    }
  });

  it("moves only what was copied: a blob that was written again meanwhile is copied as it is now", async () => {
    const there = await stub.container("move");
    for (const key of ["a", "b", "c"]) await there.put(key, `old ${key}`);
    await there.putInBlocks("blocks", ["one", "two"]);
    const held = stub.held("move").blobs;
    let changed = false;
    stub.misbehaviour = {
      answer: ({ method, key }, answer) => {
        // Between the copy of it and its removal.
        if (method === "HEAD" && key === "b" && !changed) {
          changed = true;
          const blob = held.get("b");
          assert.ok(blob);
          held.set("b", { ...blob, body: Buffer.from("NEW b"), etag: '"0xNEW"', md5: null });
          return { ...answer, headers: { ...answer.headers, etag: '"0xNEW"' } };
        }
        return answer;
      },
    };
    const to = join(folder, "moved");
    assert.equal((await copied(there.address, to, { move: true })).written, 4);
    assert.deepEqual(await there.keys(), []);
    assert.equal(await readFile(join(to, "b"), "utf8"), "NEW b");
    assert.equal(await readFile(join(to, "blocks"), "utf8"), "onetwo");
  });

  it("copies append blobs as they are now, and says how many", async () => {
    const there = await stub.container("append");
    await there.append("log", "one line\n");
    await there.put("a", "a");
    const ends = copy({ from: there.address, to: join(folder, "append") });
    const { notes } = await ends.source.shards(
      1,
      { kind: "any" },
      { folder: join(folder, "notes"), scratch: folder, memory: 0, signal: new AbortController().signal },
    );
    assert.match(notes.join(), /^1 of the blobs .* are append or page blobs/);
    await copied(there.address, join(folder, "append"));
    assert.equal(await readFile(join(folder, "append", "log"), "utf8"), "one line\n");
  });

  it("finds its credentials where the az CLI does, and shows no secret of them", async () => {
    const there = await stub.container("keys");
    await there.put("a", "a");
    const { account, key, endpoint } = stub.access;
    const sas = new URLSearchParams(accountSas(stub.access, "rl")).toString();
    const past = new URLSearchParams(accountSas(stub.access, "rl", new Date(0))).toString();
    const section = (name: string, lines: string) => `[${name}]\n${lines}\nservice_endpoint = ${endpoint}\n`;
    await writeFile(
      join(folder, "config"),
      section("reads", `sas_token = ?${sas}`) +
        section("past", `sas_token = ${past}`) +
        section("other", `account = another\nkey = ${key}`) +
        section("wrong", `key = ${Buffer.from("wrong").toString("base64")}`) +
        `[joined]\nconnection_string = AccountName=${account};AccountKey=${key};BlobEndpoint=${endpoint}/\n`,
    );
    const to = join(folder, "keys");
    assert.equal((await copied(there.address, to, { fromProfile: "reads" })).written, 1);
    assert.equal((await copied(there.address, to, { fromProfile: "joined" })).unchanged, 1);
    for (const [profile, wanted] of [
      ["past", /not valid there, or has expired/],
      ["wrong", /not valid there, or has expired/],
      ["other", /are those of the account another/],
      ["none", /no section \[none\]/],
    ] as const) {
      const error = await copied(there.address, to, { fromProfile: profile }).then(
        () => assert.fail(profile),
        (reason: Error) => reason,
      );
      assert.match(error.message, wanted);
      assert.ok(!/sig=|test-Secret/.test(error.message) && !error.message.includes(key));
    }
    // A SAS that may only read.
    const refused = await ran(to, there.address, { toProfile: "reads" });
    assert.equal(refused.state, "succeeded");
    await putFile(to, "new", "new");
    const written = await ran(to, there.address, { toProfile: "reads" });
    assert.match(written.note ?? "", /may not do what is needed \(AuthorizationPermissionMismatch\)/);
    await assert.rejects(
      async () => copy({ from: `${there.address}/?${sas}`, to }),
      (error: Error) => !error.message.includes("sig="),
    );
    await assert.rejects(
      copied(`${there.address}/x`, `${there.address}/x/y`, { toProfile: "joined" }),
      /lies inside the other/,
    );
    const files = await folderContents(join(folder, "place")).catch(() => ({}));
    for (const name of Object.keys(files)) {
      const text = await readFile(join(folder, "place", name), "latin1");
      assert.ok(!text.includes(key) && !text.includes("sig="), name);
    }
    const settings = await azureSettingsOf(account, null, {
      AZURE_STORAGE_CONNECTION_STRING: `DefaultEndpointsProtocol=https;AccountName=${account};AccountKey=${key};EndpointSuffix=core.chinacloudapi.cn`,
    });
    assert.equal(settings.endpoint.href, `https://${account}.blob.core.chinacloudapi.cn/`);
  });

  it("asks a target by its pages, and by name for what they do not reach", async () => {
    const there = await stub.container("many");
    const { blobs } = stub.held("many");
    await there.put("m", "m");
    const blob = blobs.get("m");
    assert.ok(blob);
    // Between two names of the source lie more of others than pages that are asked for.
    for (let n = 0; n < 16_000; n++) blobs.set(`b-${String(n).padStart(6, "0")}`, blob);
    const from = join(folder, "many");
    for (const key of ["a", "m", "n", "o", "p", "z"]) await putFile(from, key, key);
    assert.deepEqual((await copied(from, there.address)).unchanged, 1);
    assert.deepEqual((await copied(from, there.address)).unchanged, 6);
  });

  it("goes on after a kill in the middle of blocks, and leaves nothing half there", async () => {
    const there = await stub.container("killed");
    const from = join(folder, "killed");
    for (let n = 0; n < 30; n++) await putFile(from, `${n}`, randomBytes(1000 + n));
    await putFile(from, "large", randomBytes(24 * MB + 1));
    const env = {
      ...process.env,
      PAWL_STORE: join(folder, "killed-place", "store.db"),
      PAWL_LEASE_MS: "3000",
    };
    const start = () =>
      spawn(process.execPath, [main, "copy", from, there.address, "--json"], { cwd: folder, env });
    const victim = start();
    let blocks = 0;
    stub.misbehaviour = {
      answer: ({ query }, answer) => {
        if (query.get("comp") === "block" && ++blocks === 3) victim.kill("SIGKILL");
        return answer;
      },
    };
    await once(victim, "close");
    assert.equal(victim.signalCode, "SIGKILL");
    assert.ok(!(await there.keys()).includes("large"));
    const second = start();
    const [out, [code]] = await Promise.all([text(second.stdout), once(second, "close")]);
    assert.equal(code, 0, out);
    assert.deepEqual((await there.keys()).length, 31);
    for await (const { key, result } of verify({ from, to: there.address }))
      assert.equal(result, "same", key);
    assert.equal(stub.held("killed").uncommitted.size, 0);
  });
});
