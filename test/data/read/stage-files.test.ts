import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { findDataFiles } from "../../../src/data/read/locations.ts";
import type { ColumnTest } from "../../../src/data/read/parquet/statistics.ts";
import {
  type ParquetNeeds,
  stageBeginnings,
  stageParquet,
  stageWhole,
} from "../../../src/data/read/stage-files.ts";
import { environmentOf as azureEnvironmentOf } from "../../connect/objects/azure/access.ts";
import { BlobStub } from "../../connect/objects/azure/stub/server.ts";
import { environmentOf } from "../../connect/objects/s3/access.ts";
import { S3Stub } from "../../connect/objects/s3/stub/server.ts";
import { WebServer } from "../../connect/objects/web-server.ts";
import { environment, Referee, staging, temporaryFolder } from "./scene.ts";

const folder = temporaryFolder();
const ALL: ParquetNeeds = { columns: null, tests: [] };
let referee: Referee;
let file: Buffer;
let s3: S3Stub;
let azure: BlobStub;

environment({ PAWL_PAUSE_MS: "1" });
before(async () => {
  referee = await Referee.open();
  // Columns of some 800 KB in row groups, so that what is between two of them is worth to be left out.
  await referee.run(
    `COPY (SELECT i AS id, hash(i) AS a, hash(i + 1) AS b, hash(i + 2) AS c FROM range(200000) AS r(i))
     TO '${folder}/t.parquet' (FORMAT parquet, ROW_GROUP_SIZE 51200, COMPRESSION uncompressed)`,
  );
  file = readFileSync(join(folder, "t.parquet"));
  [s3, azure] = await Promise.all([S3Stub.start(), BlobStub.start()]);
  Object.assign(process.env, environmentOf(s3.access), azureEnvironmentOf(azure.access));
});
after(async () => {
  referee.close();
  await Promise.all([s3.stop(), azure.stop()]);
});

async function staged(location: string, needs: ParquetNeeds = ALL, limit: number | null = null) {
  const options = staging(folder, limit);
  const files = await findDataFiles([location], { cwd: folder, format: "parquet", ...options });
  return await stageParquet(files, needs, options);
}

async function stagedTexts(location: string, limit: number | null = null): Promise<string[]> {
  const options = staging(folder, limit);
  const files = await findDataFiles([location], { cwd: folder, format: "csv", ...options });
  return (await stageWhole(files, options)).map(({ path }) => path);
}

/** A server of the web that gives ranges of some bytes, as servers do. */
function serves(
  bytes: () => Buffer,
  headers: () => Record<string, string> = () => ({ etag: '"1"' }),
): (request: IncomingMessage, response: ServerResponse) => void {
  return ({ headers: { range, "if-match": wanted } }, response) => {
    const body = bytes();
    const own = headers();
    if (wanted !== undefined && wanted !== own.etag) return void response.writeHead(412).end();
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
    if (from === undefined)
      return void response.writeHead(200, { ...own, "content-length": body.length }).end(body);
    const last = Math.min(Number(to), body.length - 1);
    const part = body.subarray(Number(from), last + 1);
    const at = { "content-range": `bytes ${from}-${last}/${body.length}`, "content-length": part.length };
    response.writeHead(206, { ...own, ...at }).end(part);
  };
}

const sums = (from: string, columns: string) =>
  referee.rows(
    `SELECT count(*) AS n, ${columns
      .split(", ")
      .map((name) => `sum(${name}) AS ${name}`)
      .join(", ")} FROM '${from}'`,
  );

describe("Parquet elsewhere", () => {
  test("is fetched by the columns and row groups that are needed, from S3, Azure and the web alike", async () => {
    s3.fill("shop", ["t/y=1/t.parquet"], file);
    await (await azure.container("box")).put("t/y=1/t.parquet", file);
    await using web = await WebServer.start(serves(() => file));
    const below: ColumnTest = { column: "id", op: "lt", value: { kind: "int", value: 60_000n } };
    for (const location of [
      "s3://shop/t/**/*.parquet",
      `az://${azure.access.account}/box/t/y=1/t.parquet`,
      `${web.url}/t/y=1/t.parquet?sig=x`,
    ]) {
      const [one] = await staged(location, { columns: ["b"], tests: [below] });
      assert.ok(one !== undefined, location);
      assert.equal(one.rows, 102_400);
      assert.match(one.path, /\/y=1\/\d{6}\.parquet$/);
      const bytes = statSync(one.path).size;
      assert.ok(bytes > 102_400 * 8 && bytes < 102_400 * 8 + 50_000, String(bytes));
      assert.deepEqual(
        await sums(one.path, "b"),
        await sums(`${folder}/t.parquet' WHERE id < 102400 AND '' = '`, "b"),
      );
    }
    const ranges = s3.journal.filter(
      ({ method, headers }) => method === "GET" && headers.range !== undefined,
    );
    // The footer, and a column chunk in each of two row groups.
    assert.equal(ranges.length, 3);
  });

  test("is fetched whole where all of it is needed, in pieces", async () => {
    s3.fill("shop", ["whole.parquet"], file);
    const [one] = await staged("s3://shop/whole.parquet");
    assert.deepEqual(
      await sums(one?.path ?? "", "id, a, b, c"),
      await sums(`${folder}/t.parquet`, "id, a, b, c"),
    );
  });

  test("that changes between its footer and its columns is refused, and not mixed", async () => {
    const other = Buffer.from(file);
    other[5000] = (other[5000] as number) ^ 255;
    s3.fill("shop", ["changing.parquet"], file);
    let asked = 0;
    s3.misbehaviour = {
      asked: (each) => {
        if (each.headers.range !== undefined && ++asked === 2) s3.fill("shop", ["changing.parquet"], other);
        return each;
      },
    };
    const changed =
      /changing\.parquet was changed while it was read: read it again once nothing writes to it\.$/;
    await assert.rejects(staged("s3://shop/changing.parquet"), changed);
    s3.misbehaviour = {};
    // By any of what tells a version: an ETag, a weak one that is not asked for, the time of change, the size.
    const size = () => other.subarray(0, -10);
    const versions: readonly (readonly [Record<string, string>, Record<string, string>, (() => Buffer)?])[] =
      [
        [{ etag: '"1"' }, { etag: '"2"' }],
        [{ etag: 'W/"1"' }, { etag: 'W/"2"' }],
        [
          { "last-modified": "Sat, 28 Nov 2026 00:00:00 GMT" },
          { "last-modified": "Sat, 28 Nov 2026 00:00:01 GMT" },
        ],
        [{ etag: 'W/"1"' }, { etag: 'W/"1"' }, size],
      ];
    for (const [first, then, bytes] of versions) {
      let answers = 0;
      await using web = await WebServer.start((request, response) => {
        const isLater = ++answers > 2;
        serves(
          () => (isLater && bytes !== undefined ? bytes() : file),
          () => (isLater ? then : first),
        )(request, response);
      });
      await assert.rejects(staged(`${web.url}/changing.parquet`), changed);
    }
  });

  test("that is another one than was listed is refused", async () => {
    s3.fill("shop", ["listed/a.parquet"], file);
    const options = staging(folder);
    const files = await findDataFiles(["s3://shop/listed/*.parquet"], {
      cwd: folder,
      format: "parquet",
      ...options,
    });
    s3.fill("shop", ["listed/a.parquet"], file.subarray(1));
    await assert.rejects(
      stageParquet(files, ALL, options),
      /listed\/a\.parquet was changed while it was read/,
    );
  });

  test("comes whole over connections that break and servers that are busy", async () => {
    s3.fill("shop", ["broken.parquet"], file);
    let asked = 0;
    s3.misbehaviour = {
      send: ({ headers }, answer, response) => {
        if (headers.range === undefined || ++asked % 3 !== 1) return false;
        if (asked % 2 === 0) response.writeHead(503, { "retry-after": "0", "content-length": 0 }).end();
        else {
          // Half of what was announced.
          response.writeHead(206, { ...answer.headers, "content-length": answer.body.length });
          response.write(answer.body.subarray(0, answer.body.length >> 1), () => response.destroy());
        }
        return true;
      },
    };
    const [one] = await staged("s3://shop/broken.parquet");
    s3.misbehaviour = {};
    assert.ok(asked > 3);
    assert.deepEqual(
      await sums(one?.path ?? "", "id, a, b, c"),
      await sums(`${folder}/t.parquet`, "id, a, b, c"),
    );
  });

  test("of a server that always ends early is refused", async () => {
    s3.fill("shop", ["short.parquet"], file);
    s3.misbehaviour = {
      answer: ({ headers }, answer) =>
        headers.range === undefined
          ? answer
          : {
              ...answer,
              body: answer.body.subarray(0, -1),
              headers: { ...answer.headers, "content-length": answer.body.length - 1 },
            },
    };
    await assert.rejects(
      staged("s3://shop/short.parquet"),
      /short\.parquet could not be read \(.* where \d+ were asked for\): try again later/,
    );
    s3.misbehaviour = {};
    await using web = await WebServer.start((request, response) => {
      if (request.headers.range === "bytes=0-0") return serves(() => file)(request, response);
      // The whole in the place of a range.
      response.writeHead(200, { etag: '"1"' }).end(file);
    });
    await assert.rejects(
      staged(`${web.url}/short.parquet`),
      /was asked for the bytes \d+ to \d+ and answered with the whole/,
    );
  });

  test("is fetched whole from a server that gives no ranges, or nothing that tells its versions", async () => {
    for (const headers of [{ etag: '"1"' }, {}] as Record<string, string>[]) {
      await using web = await WebServer.start((_, response) => {
        response.writeHead(200, { ...headers, "content-length": file.length }).end(file);
      });
      const [one] = await staged(`${web.url}/t.parquet`, { columns: ["b"], tests: [] });
      assert.ok(readFileSync(one?.path ?? "").equals(file));
    }
  });

  test("that a public server would lead to a private address for is refused", async () => {
    await using web = await WebServer.start((_, response) => {
      response.writeHead(302, { location: "ftp://127.0.0.1/x" }).end();
    });
    await assert.rejects(staged(`${web.url}/t.parquet`), /it redirects to what is not a URL of the web/);
  });

  test("that is of another format, or not there, is said with its name and without its signature", async () => {
    s3.fill("shop", ["text.parquet"], Buffer.from("id,amount\n1,2\n"));
    await assert.rejects(
      staged("s3://shop/text.parquet"),
      /^PawlError: s3:\/\/shop\/text\.parquet is cut off, damaged, or not a Parquet file/,
    );
    await assert.rejects(
      staged("s3://shop/none.parquet"),
      /s3:\/\/shop\/none\.parquet does not exist: check its name/,
    );
    await using web = await WebServer.start((_, response) => void response.writeHead(403).end());
    const error = await staged(`${web.url}/x.parquet?sig=secret-77`).catch((each) => each);
    assert.match(error.message, /x\.parquet\?… may not be read \(403 Forbidden\): check the credentials/);
    assert.doesNotMatch(JSON.stringify([error.message, error.stack, error.cause?.message]), /secret-77/);
  });

  test("needs no more than the room that is allowed, and says so before it is fetched", async () => {
    s3.fill("shop", ["room.parquet"], file);
    const before = s3.journal.length;
    await assert.rejects(
      staged("s3://shop/room.parquet", ALL, 1_000_000),
      /s3:\/\/shop\/room\.parquet needs 6\.\d+ MB on this machine's disk so far, and 977 KB are allowed: read fewer columns or files/,
    );
    assert.equal(s3.journal.slice(before).filter(({ headers }) => headers.range !== undefined).length, 1);
  });
});

describe("where only some rows or the columns are asked for", () => {
  test("no more row groups are fetched than have so many rows, and none to tell the columns", async () => {
    s3.fill("shop", ["some.parquet"], file);
    const [some] = await staged("s3://shop/some.parquet", { ...ALL, rows: 10 });
    assert.equal(some?.rows, 51_200);
    const before = s3.journal.length;
    const [none] = await staged("s3://shop/some.parquet", { ...ALL, rows: 0 });
    assert.equal(s3.journal.slice(before).filter(({ headers }) => headers.range !== undefined).length, 1);
    const columns = await referee.rows(`DESCRIBE SELECT * FROM '${none?.path}'`);
    assert.deepEqual(
      columns.map((column) => column.column_name),
      ["id", "a", "b", "c"],
    );
  });

  test("a text is fetched up to the end of a line that is not within quotes", async () => {
    const lines = `id,text\n${'1,"a\nb"\n'.repeat(700_000)}`;
    s3.fill("shop", ["begin/1.csv", "begin/2.csv"], lines);
    const options = staging(folder);
    const files = await findDataFiles(["s3://shop/begin/"], { cwd: folder, format: "csv", ...options });
    const [one, ...others] = await stageBeginnings(files, options);
    const text = readFileSync(one?.path ?? "", "utf8");
    assert.equal(others.length, 0);
    assert.ok(text.length > 4_000_000 && text.length <= 4 * 1024 * 1024);
    assert.ok(lines.startsWith(text) && text.endsWith('b"\n'));
  });
});

describe("texts elsewhere", () => {
  test("are copied whole, file by file, with the endings of their names", async () => {
    const packed = gzipSync("id,amount\n1,2\n");
    s3.fill("shop", ["c/a.csv"], "id,amount\n".padEnd(9_000_000, "1,2\n"));
    s3.fill("shop", ["c/b.csv.gz"], packed);
    s3.fill("shop", ["c/c.csv"], Buffer.alloc(0));
    const [a = "", b = "", c = ""] = await stagedTexts("s3://shop/c/*");
    assert.equal(statSync(a).size, 9_000_000);
    assert.match(b, /\.csv\.gz$/);
    assert.ok(readFileSync(b).equals(packed));
    assert.equal(statSync(c).size, 0);
    await using web = await WebServer.start((request, response) => {
      if (request.url === "/empty.csv") response.writeHead(200, { etag: '"e"', "content-length": 0 }).end();
      else serves(() => packed)(request, response);
    });
    const [d = ""] = await stagedTexts(`${web.url}/b.csv.gz`);
    assert.ok(readFileSync(d).equals(packed));
    const [e = ""] = await stagedTexts(`${web.url}/empty.csv`);
    assert.equal(statSync(e).size, 0);
  });

  test("that end early or never are refused", async () => {
    await using web = await WebServer.start((request, response) => {
      if (request.url === "/short.csv") {
        response.writeHead(200, { "content-length": 1000 });
        response.write("id\n1\n", () => response.destroy());
        return;
      }
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
        if (!response.destroyed) response.once("drain", more);
      };
      more();
    });
    await assert.rejects(stagedTexts(`${web.url}/short.csv`), /short\.csv could not be read/);
    await assert.rejects(
      stagedTexts(`${web.url}/endless.csv`, 2_000_000),
      /endless\.csv needs .* on this machine's disk so far/,
    );
  });

  test("leave nothing where they are not wanted any more", async () => {
    s3.fill("shop", ["stop.csv"], Buffer.alloc(9_000_000));
    const stop = new AbortController();
    const options = { ...staging(folder), signal: stop.signal };
    const files = await findDataFiles(["s3://shop/stop.csv"], { cwd: folder, format: "csv", ...options });
    s3.misbehaviour = {
      asked: (each) => {
        if (each.headers.range !== undefined) stop.abort(new Error("enough"));
        return each;
      },
    };
    await assert.rejects(stageWhole(files, options), /enough/);
    s3.misbehaviour = {};
    assert.ok(readdirSync(options.folder).length <= 1);
  });
});
