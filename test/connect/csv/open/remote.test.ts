import assert from "node:assert/strict";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { csv } from "../../../../src/connect/csv/index.ts";
import { S3Stub } from "../../objects/s3/stub/server.ts";
import { Folder, readAll, rowsOf, shardsOf } from "../fixture.ts";

const ROWS = Array.from({ length: 60_000 }, (_, id) => `${id},"a value, ${id}"`);
const TEXT = Buffer.from(`id,note\n${ROWS.join("\n")}\n`);

describe("a CSV in a bucket", () => {
  let stub: S3Stub;
  const kept = { ...process.env };

  before(async () => {
    stub = await S3Stub.start();
    const { endpoint, accessKeyId, secretAccessKey, region } = stub.access;
    Object.assign(process.env, {
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_REGION: region,
      PAWL_PAUSE_MS: "1",
    });
    stub.fill("data", ["in/people.csv"], TEXT);
    stub.fill("data", ["in/people.csv.gz"], gzipSync(TEXT));
    stub.fill("data", ["empty.csv"], Buffer.alloc(0));
  });
  after(async () => {
    for (const key of Object.keys(process.env)) if (!(key in kept)) delete process.env[key];
    Object.assign(process.env, kept);
    await stub.stop();
  });

  for (const key of ["in/people.csv", "in/people.csv.gz"])
    it(`is read and resumed: ${key}`, async () => {
      await using folder = await Folder.make();
      const source = csv(`s3://data/${key}`, { lineColumn: "line" });
      const { bytes, name, identity } = await source.describe();
      assert.equal(name, key.slice(3));
      assert.ok(identity !== null && bytes !== null && bytes > 0);
      const shards = await shardsOf(source, folder, 4);
      const seen = await readAll(source, shards, { items: 9000, bytes: 1 << 20 });
      const rows = seen.flatMap((chunk) => chunk.rows);
      assert.deepEqual(
        rows.map((row) => (row as { id: string }).id),
        ROWS.map((_, id) => String(id)),
      );
      const rest = await readAll(source, shards, { items: 9000, bytes: 1 << 20 }, seen[1]?.end);
      assert.deepEqual(
        rest.flatMap((chunk) => chunk.rows),
        seen.slice(2).flatMap((chunk) => chunk.rows),
      );
    });

  it("continues at the byte where the server hung up", async () => {
    await using folder = await Folder.make();
    const source = csv("s3://data/in/people.csv");
    const shards = await shardsOf(source, folder);
    const begins: string[] = [];
    let hangUps = 3;
    stub.misbehaviour = {
      send: ({ headers }, _, response) => {
        const from = /^bytes=(\d+)-/.exec(headers.range ?? "")?.[1];
        // The plan has read a little, and asked for what came next before it knew that it had enough.
        if (from === undefined || (begins.length === 0 && from !== "0")) return false;
        begins.push(from);
        if (from === "0" || hangUps-- <= 0) return false;
        response.destroy();
        return true;
      },
    };
    const seen = await readAll(source, shards, { items: 90_000, bytes: 1 << 24 });
    stub.misbehaviour = {};
    assert.deepEqual(
      seen.flatMap((chunk) => chunk.rows).map((row) => (row as { id: string }).id),
      ROWS.map((_, id) => String(id)),
    );
    assert.deepEqual(begins, ["0", ...new Array(4).fill(`${1024 * 1024}`)]);
  });

  it("is refused when it has changed since it was planned", async () => {
    await using folder = await Folder.make();
    stub.fill("data", ["changing.csv"], Buffer.from("id\n1\n"));
    const source = csv("s3://data/changing.csv");
    const shards = await shardsOf(source, folder);
    const before = (await source.describe()).identity;
    stub.fill("data", ["changing.csv"], Buffer.from("id\n2\n"));
    await assert.rejects(readAll(source, shards, { items: 10, bytes: 1000 }), { code: "csv.changed" });
    assert.notDeepEqual((await csv("s3://data/changing.csv").describe()).identity, before);
  });

  it("is one sentence where it is missing, empty or no address", async () => {
    await using folder = await Folder.make();
    await assert.rejects(rowsOf(csv("s3://data/none.csv"), folder), {
      code: "csv.missing",
      message: "s3://data/none.csv does not exist: check the bucket and the key.",
    });
    await assert.rejects(csv("s3://data/empty.csv").describe(), { code: "csv.empty" });
    for (const address of ["s3://data", "s3://data/", "s3://data/in/", "s3:///x"])
      await assert.rejects(csv(address).describe(), {
        code: "csv.address",
        message: /does not name an object/,
      });
    await assert.rejects(
      csv("s3://AKIA1:secret@data/a.csv").describe(),
      (error: Error) => !/secret/.test(error.message),
    );
    await assert.rejects(csv("ftp://example.com/a.csv?token=secret").describe(), {
      code: "csv.address",
      message:
        "ftp://example.com/a.csv cannot be read from where it is: fetch it into a pipe: curl -fsSL URL | pawl load - ….",
    });
  });
});

describe("a CSV of the web", () => {
  const servers: Server[] = [];
  const serve = async (listener: RequestListener) => {
    const server = createServer(listener);
    servers.push(server);
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const pause = process.env.PAWL_PAUSE_MS;
  before(() => {
    process.env.PAWL_PAUSE_MS = "1";
  });
  after(() => {
    if (pause === undefined) delete process.env.PAWL_PAUSE_MS;
    else process.env.PAWL_PAUSE_MS = pause;
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
  });
  const SECRET = "X-Signature=secret";

  it("is read and resumed, and its query stands nowhere", async () => {
    await using folder = await Folder.make();
    const bodies = new Map([
      ["/a.csv", TEXT],
      ["/packed", gzipSync(TEXT)],
      ["/frames", zstdCompressSync(TEXT)],
    ]);
    const host = await serve((request, response) => {
      const { pathname, search } = new URL(request.url ?? "", "http://host");
      if (search !== `?${SECRET}`) return void response.writeHead(403).end();
      const body = bodies.get(pathname) as Buffer;
      response.writeHead(200, { "content-length": body.length, etag: '"one"' });
      response.end(body);
    });
    for (const path of bodies.keys()) {
      const source = csv(`${host}${path}?${SECRET}`, { lineColumn: "line" });
      const shards = await shardsOf(source, folder, 4);
      const seen = await readAll(source, shards, { items: 9000, bytes: 1 << 20 });
      assert.deepEqual(
        seen.flatMap((chunk) => chunk.rows).map((row) => (row as { id: string }).id),
        ROWS.map((_, id) => String(id)),
      );
      const rest = await readAll(source, shards, { items: 9000, bytes: 1 << 20 }, seen[1]?.end);
      assert.deepEqual(
        rest.flatMap((chunk) => chunk.rows),
        seen.slice(2).flatMap((chunk) => chunk.rows),
      );
      assert.ok(!JSON.stringify([await source.describe(), shards]).includes("secret"));
    }
    process.env.PAWL_TEST_URL = `${host}/a.csv?${SECRET}`;
    assert.equal((await csv("env:PAWL_TEST_URL").sample(3)).length, 3);
    await assert.rejects(csv([`${host}/a.csv?one`, `${host}/a.csv?two`]).describe(), {
      code: "csv.address",
      message: /^Two addresses/,
    });
    await assert.rejects(csv(`${host}/lost.csv?…`).describe(), {
      code: "csv.address",
      message: /keeps nowhere: give/,
    });
    await assert.rejects(csv(`http://?${SECRET}`).describe(), {
      code: "csv.address",
      message: /^What begins/,
    });
    await assert.rejects(csv("env:PAWL_TEST_NONE").describe(), {
      code: "csv.address",
      message: /is not set/,
    });
    await assert.rejects(csv(`env:https://u:${SECRET}@h/a.csv`).describe(), {
      code: "csv.address",
      message:
        "A path has an address after env: where the name of an environment variable belongs: write env:NAME.",
    });
  });

  it("is asked for again where the server hangs up, before its headers or in its first bytes", async () => {
    await using folder = await Folder.make();
    const hangsUp = async (times: number, sends: "nothing" | "headers") => {
      let requests = 0;
      const host = await serve((request, response) => {
        if (++requests > times)
          return void response
            .writeHead(200, { "content-length": 7, etag: '"1"' })
            .end("id\n1\n2\n".slice(0, 7));
        if (sends === "nothing") return void request.socket.destroy();
        response.writeHead(200, { "content-length": 7, etag: '"1"' });
        response.write("i", () => response.destroy());
      });
      return `${host}/a.csv`;
    };
    for (const sends of ["nothing", "headers"] as const) {
      assert.equal((await rowsOf(csv(await hangsUp(2, sends)), folder)).length, 2);
      const url = await hangsUp(Number.POSITIVE_INFINITY, sends);
      await assert.rejects(csv(url).describe(), (error: Error) => {
        assert.ok(
          error.message.startsWith(`${url}: `) &&
            error.message.endsWith(": give the same command again later."),
          error.message,
        );
        return true;
      });
    }
  });

  it("continues where a connection breaks, as the same version and from the same byte", async () => {
    await using folder = await Folder.make();
    const [STEP, SMALL] = [100_000, 1_000];
    const rows = ROWS.slice(0, 15_000);
    const text = Buffer.from(`id,note\n${rows.join("\n")}\n`);
    const strong = '"one"';
    const weak = 'W/"one"';
    /** What a server does on each request, by its number: how many bytes it sends before it breaks off. */
    const servers: readonly {
      readonly name: string;
      readonly etags?: readonly string[];
      readonly ranges?: "kept" | "ignored" | "wrong" | "unsaid";
      readonly sends: (request: number) => number;
      readonly comes: boolean;
    }[] = [
      { name: "ends each after a while", sends: () => STEP, comes: true },
      { name: "knows no ranges", ranges: "ignored", sends: (n) => n * STEP, comes: true },
      { name: "has a weak tag", etags: [weak], sends: (n) => n * STEP, comes: true },
      { name: "gives another range", ranges: "wrong", sends: () => STEP, comes: false },
      { name: "does not say which range", ranges: "unsaid", sends: () => STEP, comes: false },
      { name: "has another version", etags: [strong, '"two"'], sends: () => STEP, comes: false },
      { name: "gives hardly anything", sends: () => SMALL, comes: false },
    ];
    for (const { name, etags = [strong], ranges = "kept", sends, comes } of servers) {
      let requests = 0;
      let isPlanned = false;
      const host = await serve((request, response) => {
        const etag = etags[Math.min(requests, etags.length - 1)] as string;
        if (isPlanned) requests++;
        const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
        const at = ranges === "ignored" || request.headers["if-range"] !== etag ? 0 : from;
        const body = text.subarray(at);
        const first = ranges === "wrong" ? at - 1 : at;
        const part =
          at === 0 || ranges === "unsaid"
            ? {}
            : { "content-range": `bytes ${first}-${text.length - 1}/${text.length}` };
        response.writeHead(at === 0 ? 200 : 206, { "content-length": body.length, etag, ...part });
        const most = isPlanned ? sends(requests) : body.length;
        if (most >= body.length) response.end(body);
        else response.write(body.subarray(0, most), () => response.destroy());
      });
      const source = csv(`${host}/a.csv`);
      const shards = await shardsOf(source, folder);
      isPlanned = true;
      const reading = readAll(source, shards, { items: 90_000, bytes: 1 << 24 });
      if (!comes) {
        await assert.rejects(
          reading,
          name === "has another version" ? { code: "csv.changed" } : { name: "TransientError" },
          name,
        );
        continue;
      }
      const ids = (await reading).flatMap((chunk) => chunk.rows).map((row) => (row as { id: string }).id);
      assert.deepEqual(
        ids,
        rows.map((_, id) => String(id)),
        name,
      );
      assert.ok(requests > 2, name);
    }
  });

  it("is refused when it has changed, or does not tell whether it has", async () => {
    await using folder = await Folder.make();
    let headers: Record<string, string> = { etag: '"one"' };
    let status = 200;
    const host = await serve((_, response) => {
      const body = Buffer.from("id\n1\n");
      response.writeHead(status, { "content-length": body.length, ...headers }).end(body);
    });
    for (const [one, two] of [
      [{ etag: '"one"' }, { etag: '"two"' }],
      [
        { "last-modified": "Fri, 27 Nov 2026 14:00:00 GMT" },
        { "last-modified": "Fri, 27 Nov 2026 14:00:01 GMT" },
      ],
    ] as const) {
      headers = one;
      const source = csv(`${host}/changing.csv`);
      const shards = await shardsOf(source, folder);
      assert.equal((await readAll(source, shards, { items: 10, bytes: 1000 })).length, 1);
      headers = two;
      await assert.rejects(readAll(source, shards, { items: 10, bytes: 1000 }), { code: "csv.changed" });
    }
    headers = {};
    await assert.rejects(csv(`${host}/untold.csv`).describe(), {
      code: "csv.address",
      message: /neither ETag nor/,
    });
    headers = { etag: '"one"', "content-encoding": "gzip" };
    await assert.rejects(csv(`${host}/encoded.csv`).describe(), {
      code: "csv.address",
      message:
        /comes compressed as gzip, which was not asked for: fetch it into a pipe: curl -fsSL --compressed URL \| pawl load - …\.$/,
    });
    for (const [answer, code] of [
      [404, "csv.missing"],
      [401, "csv.permission"],
      [403, "csv.permission"],
      [503, "csv.unavailable"],
    ] as const) {
      status = answer;
      await assert.rejects(csv(`${host}/answers.csv`).describe(), { code, message: /: [a-z].*\.$/ });
    }
  });
});
