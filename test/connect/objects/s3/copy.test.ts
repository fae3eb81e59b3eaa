import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { defineJob, run } from "../../../../src/batch/index.ts";
import { openItems } from "../../../../src/batch/internal.ts";
import { copy } from "../../../../src/connect/objects/index.ts";
import type { Store } from "../../../../src/store/index.ts";
import { WebServer } from "../web-server.ts";
import { putFile, Workspace } from "../workspace.ts";
import { environmentOf, type ObjectServer, profileOf } from "./access.ts";
import { startObjects, whyNoObjects } from "./start.ts";

const MB = 1024 * 1024;

describe("copying from and to buckets", { skip: whyNoObjects() }, () => {
  let server: ObjectServer;
  let folder: string;
  let store: Store;
  let name: string;
  let workspace: Workspace;

  before(async () => {
    server = await startObjects();
    workspace = await Workspace.begin(environmentOf(server.access));
    ({ folder, store } = workspace);
  });
  beforeEach(() => {
    name = `b-${randomBytes(5).toString("hex")}`;
  });
  after(async () => {
    await workspace.end();
    await server.stop();
  });

  const copied = (...args: Parameters<Workspace["copied"]>) => workspace.copied(...args);

  it("takes metadata, headers and tags along, and the type from the name of a file", async () => {
    const [source, target] = [await server.bucket(name), await server.bucket(`${name}-2`)];
    const headers = {
      "content-type": "image/png",
      "cache-control": "max-age=60",
      "content-disposition": "inline",
      "x-amz-meta-author": "ada",
      "x-amz-tagging": "team=maps&of=a%20b",
    };
    await source.put("small.png", "small", headers);
    await source.putInParts("large.png", [randomBytes(5 * MB), randomBytes(5 * MB), randomBytes(5)], headers);
    await copied(`s3://${name}`, `s3://${name}-2`);
    for (const key of ["small.png", "large.png"]) {
      const found = await target.head(key);
      for (const header of [
        "content-type",
        "cache-control",
        "content-disposition",
        "x-amz-meta-author",
      ] as const)
        assert.equal(found.get(header), headers[header], `${key} ${header}`);
      assert.deepEqual(await target.tags(key), { team: "maps", of: "a b" });
    }
    // Its parts are those of the source, so that the two can be compared by what listings tell.
    const etag = async (bucket: typeof source) => (await bucket.all("large")).map((each) => each.etag);
    assert.deepEqual(await etag(target), await etag(source));
    const from = join(folder, name);
    await putFile(from, "a.webp", "x");
    await copied(from, `s3://${name}-2/web`);
    assert.equal((await target.head("web/a.webp")).get("content-type"), "image/webp");
  });

  it("transforms in processes that may hang or die, and keeps those objects with the reason", async () => {
    const target = await server.bucket(name);
    const from = join(folder, name);
    for (const key of ["a.txt", "b.txt", "b2.txt", "five", "hang", "die", "throw", "none", "out"])
      await putFile(from, key, key);
    const module = join(folder, "transform.mjs");
    await writeFile(
      module,
      `export default async (bytes, { key }) => {
        if (key === "hang") for (;;);
        if (key === "die") process.exit(1);
        if (key === "throw") throw new Error("no " + key);
        if (key === "none") return null;
        if (key === "out") return { bytes, key: "../out" };
        if (key === "five") return { bytes, key: 5 };
        const text = Buffer.from(bytes).toString().toUpperCase();
        return key === "a.txt" ? Buffer.from(text) : { bytes: Buffer.from(text), key: "c.md", contentType: "text/x" };
      };`,
    );
    const summary = await copied(from, `s3://${name}`, { transform: module, transformTimeout: "3s" });
    assert.deepEqual([summary.written, summary.skipped, summary.quarantined], [2, 1, 6]);
    assert.equal((await target.get("a.txt")).body.toString(), "A.TXT");
    const other = await target.get("c.md");
    assert.match(other.body.toString(), /^B2?\.TXT$/);
    assert.equal(other.headers.get("content-type"), "text/x");
    const reasons = await workspace.reasonsBelow(from, summary);
    assert.match(reasons.hang ?? "", /took longer than 3 s/);
    assert.match(reasons.die ?? "", /ended its process/);
    assert.match(reasons.throw ?? "", /threw: no throw/);
    assert.match(reasons.out ?? "", /calls it \.\.\/out/);
    assert.match(reasons.five ?? "", /a key that is not a text/);
    assert.match(reasons["b.txt"] ?? reasons["b2.txt"] ?? "", /the name c\.md is given to another object/);
    const ending = join(folder, "ending.mjs");
    await writeFile(ending, "process.exit(0)");
    await assert.rejects(copied(from, `s3://${name}`, { transform: ending }), /ended its process while/);
  });

  it("copies what a manifest names, and keeps what the web does not give with the reason", async () => {
    const bucket = await server.bucket(name);
    await using web = await WebServer.start((request, response) => {
      const url = request.url ?? "";
      if (url.startsWith("/gone")) response.writeHead(404).end();
      else if (url.startsWith("/forbidden")) response.writeHead(403).end();
      else if (url.startsWith("/moved")) response.writeHead(302, { location: "/new" }).end();
      else if (url.startsWith("/round")) response.writeHead(302, { location: url }).end();
      else if (url.startsWith("/part"))
        response.writeHead(206, { "content-range": "bytes 0-3/9" }).end("part");
      else
        response
          .writeHead(200, {
            "content-type": "image/png",
            "cache-control": "no-store",
            "content-length": Buffer.byteLength(`of ${url}`),
          })
          .end(`of ${url}`);
    });
    const at = web.url;
    const rows = [
      `${at}/one.png,a/1.png,`,
      `${at}/by/its%20url.png,,`,
      `${at}/moved,moved,`,
      `${at}/gone,gone,`,
      `${at}/forbidden,forbidden,`,
      `${at}/x,wrong-sum,${"0".repeat(32)}`,
      `${at}/y,a/1.png,`,
      "ftp://there/z,z,",
      ",empty,",
    ];
    const manifest = join(folder, `${name}.csv`);
    await writeFile(manifest, `url,name,md5\n${rows.join("\n")}\n`);
    const summary = await copied(`manifest:${manifest}`, `s3://${name}`);
    assert.deepEqual([summary.read, summary.written, summary.quarantined], [9, 3, 6]);
    assert.deepEqual(await bucket.keys(), ["a/1.png", "by/its url.png", "moved"]);
    assert.equal((await bucket.get("a/1.png")).body.toString(), "of /one.png");
    assert.equal((await bucket.get("moved")).body.toString(), "of /new");
    assert.equal((await bucket.head("a/1.png")).get("cache-control"), "no-store");
    const reasons: string[] = [];
    const positions: string[] = [];
    for await (const { reason, at: position } of openItems(store, summary.run)) {
      reasons.push(reason);
      if (/url/i.test(reason)) positions.push(position);
    }
    assert.deepEqual(
      positions.map((position) => position.slice(position.lastIndexOf("/") + 1)),
      [`${name}.csv line 9`, `${name}.csv line 10`],
    );
    for (const wanted of [
      /it is not there/,
      /access is denied/,
      /checksum/,
      /given to another/,
      /not a URL/,
      /no url/,
    ])
      assert.ok(
        reasons.some((reason) => wanted.test(reason)),
        `${wanted} in ${reasons}`,
      );
    // In JSON Lines, into a folder.
    const one = { url: `${at}/one.png` };
    const bad: [object, RegExp][] = [
      [{ url: `${at}/round` }, /one address to the next without end/],
      [{ url: `${at}/part` }, /answers 206/],
      [{ ...one, name: "size", size: 3 }, /it has 11 bytes, and 3 by the manifest/],
      [{ ...one, name: "many", size: "many" }, /size "many" is not a number/],
      [{ ...one, name: "sum", md5: "sha256:1" }, /md5 "sha256:1" is not an MD5/],
      [{ ...one, name: ["x"] }, /name is not a text/],
      [{ url: one.url.replace("//", "//user:secret@") }, /stores no passwords/],
    ];
    const objects = [
      { ...one, name: "a/1.png" },
      { ...one, name: "b\u2028", size: 11 },
      ...bad.map(([row]) => row),
    ];
    const text = `\ufeff${objects.map((row) => JSON.stringify(row)).join("\n")}\nnonsense\n`;
    await writeFile(
      join(folder, `${name}.jsonl`),
      Buffer.concat([Buffer.from(text), Buffer.from([0x22, 0xff, 0x22])]),
    );
    const lines = await copied(`manifest:${join(folder, `${name}.jsonl`)}`, join(folder, name));
    const why = await workspace.reasons(lines);
    assert.deepEqual([lines.written, lines.quarantined], [2, bad.length + 2], why.join("\n"));
    for (const wanted of [...bad.map(([, reason]) => reason), /not a JSON object/, /not valid UTF-8/])
      assert.ok(
        why.some((reason) => wanted.test(reason)),
        `${wanted} in ${why}`,
      );
    assert.ok(!why.some((reason) => reason.includes("secret")));
    assert.equal(await readFile(join(folder, name, "a/1.png"), "utf8"), "of /one.png");
    assert.equal(await readFile(join(folder, name, "b\u2028"), "utf8"), "of /one.png");
  });

  it("says in one sentence what is wrong with a whole bucket", async () => {
    const from = join(folder, name);
    await putFile(from, "a", "a");
    await assert.rejects(
      copied(from, "s3://no-such-bucket-here"),
      /no-such-bucket-here.*there is no such bucket/,
    );
    process.env.AWS_SECRET_ACCESS_KEY = "wrong";
    try {
      await assert.rejects(copied(from, `s3://${name}`), /the secret key is not the one/);
    } finally {
      process.env.AWS_SECRET_ACCESS_KEY = server.access.secretAccessKey;
    }
    await assert.rejects(copied(from, `s3://${name}`, { toProfile: "nobody" }), /no profile "nobody"/);
  });

  it("takes no other server for one of S3, and no second profile for another bucket", async () => {
    const from = join(folder, name);
    await putFile(from, "a", "a");
    const bucket = await server.bucket(name);
    await bucket.put("x/a", "a");
    let listed = true;
    // A proxy that wants people to log in answers everything alike.
    await using portal = await WebServer.start((request, response) => {
      const page = "<html><body>Log in</body></html>";
      const list = `<ListBucketResult><IsTruncated>${!listed}</IsTruncated></ListBucketResult>`;
      response.end(request.method === "GET" ? (listed ? list : page) : page);
    });
    const config = join(folder, `${name}.ini`);
    await writeFile(
      config,
      profileOf("portal", server.access, portal.url) + profileOf("same", server.access),
    );
    process.env.AWS_CONFIG_FILE = config;
    try {
      const ends = copy({ from, to: `s3://${name}`, toProfile: "portal", move: true });
      const { state, written, note } = await run(defineJob({ name: `portal ${name}`, ...ends }), {
        store,
      }).summary();
      assert.deepEqual([state, written], ["failed", 0]);
      assert.match(note ?? "", /without an ETag, which S3 always gives/);
      assert.equal(await readFile(join(from, "a"), "utf8"), "a");
      listed = false;
      await assert.rejects(
        copied(from, `s3://${name}`, { toProfile: "portal" }),
        /does not answer as S3 does/,
      );
      await assert.rejects(
        copied(`s3://${name}`, from, { fromProfile: "portal" }),
        /does not answer as S3 does/,
      );
      await assert.rejects(
        copied(`s3://${name}/x`, `s3://${name}/x`, { toProfile: "same", move: true }),
        /lies inside the other/,
      );
      assert.deepEqual(await bucket.keys(), ["x/a"]);
    } finally {
      delete process.env.AWS_CONFIG_FILE;
    }
  });
});
