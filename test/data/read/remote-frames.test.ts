import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import {
  count,
  float64,
  int32,
  int64,
  readCsv,
  readJsonl,
  readParquet,
  text,
} from "../../../src/data/index.ts";
import { filesFrame, queryFrame } from "../../../src/data/query/query.ts";
import { environmentOf as azureEnvironmentOf } from "../../connect/objects/azure/access.ts";
import { BlobStub } from "../../connect/objects/azure/stub/server.ts";
import { environmentOf } from "../../connect/objects/s3/access.ts";
import { S3Stub } from "../../connect/objects/s3/stub/server.ts";
import { WebServer } from "../../connect/objects/web-server.ts";
import { environment, Referee, temporaryFolder } from "./scene.ts";

const folder = temporaryFolder();
let referee: Referee;
let s3: S3Stub;
let azure: BlobStub;

environment({ PAWL_PAUSE_MS: "1" });
before(async () => {
  referee = await Referee.open();
  [s3, azure] = await Promise.all([S3Stub.start(), BlobStub.start()]);
  Object.assign(process.env, environmentOf(s3.access), azureEnvironmentOf(azure.access));
  for (const year of [2023, 2024])
    await referee.run(
      `COPY (SELECT i AS id, 'user ' || (i % 7) AS "user", i / 4 AS amount, repeat('x', 400) || hash(i) AS filler
       FROM range(${year === 2023 ? "0, 30000" : "30000, 60000"}) AS r(i)) TO '${folder}/${year}.parquet' (FORMAT parquet, ROW_GROUP_SIZE 6144)`,
    );
});
after(async () => {
  referee.close();
  await Promise.all([s3.stop(), azure.stop()]);
});

const parquet = (year: number) => readFileSync(join(folder, `${year}.parquet`));
const SALES = { id: int64(), user: text(), amount: float64(), filler: text() };

describe("frames over files elsewhere", () => {
  test("take of Parquet the columns, files and row groups that the plan needs", async () => {
    for (const year of [2023, 2024]) s3.fill("shop", [`sales/year=${year}/part.parquet`], parquet(year));
    const sales = readParquet("s3://shop/sales/**/*.parquet", SALES, { hive: { year: int32() } });
    const before = s3.journal.length;
    const rows = await sales
      .filter((c) => c.year.eq(2024).and(c.id.lt(36_000)))
      .with((c) => ({ double: c.amount.mul(2) }))
      .groupBy("year", "user")
      .agg((c) => ({ total: c.double.sum(), n: count() }))
      .sort("user")
      .collect();
    assert.equal(
      rows.reduce((sum, { n }) => sum + Number(n), 0),
      6000,
    );
    assert.deepEqual([rows.length, rows[0]?.year, rows[0]?.user], [7, 2024, "user 0"]);
    const asked = s3.journal.slice(before);
    assert.deepEqual(
      new Set(asked.filter(({ key }) => key !== "").map(({ key }) => key)),
      new Set(["sales/year=2024/part.parquet"]),
    );
    const bytes = asked.reduce((sum, { headers }) => {
      const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? "") ?? [];
      return sum + (to === undefined ? 0 : Number(to) - Number(from) + 1);
    }, 0);
    assert.ok(bytes > 0 && bytes < parquet(2024).length / 8, `${bytes} of ${parquet(2024).length}`);
  });

  test("give the same rows from every kind of location", async () => {
    const container = await azure.container("box");
    await container.put("sales/2024.parquet", parquet(2024));
    s3.fill("shop", ["one/2024.parquet"], parquet(2024));
    await using web = await WebServer.start((_, response) => void response.end(parquet(2024)));
    const locations = [
      join(folder, "2024.parquet"),
      "s3://shop/one/",
      `az://${azure.access.account}/box/sales/*`,
      `${web.url}/2024.parquet?sig=x`,
    ];
    const found = [];
    for (const location of locations) {
      const frame = readParquet(location, SALES).filter((c) => c.user.eq("user 3"));
      found.push(
        await frame.agg((c) => ({ n: count(), sum: c.id.sum(), longest: c.filler.max() })).collect(),
      );
    }
    for (const each of found) assert.deepEqual(each, found[0]);
    assert.equal(found.length, 4);
  });

  test("read texts as they are packed, and count rows without columns", async () => {
    const csv = (from: number) =>
      Array.from({ length: 1000 }, (_, n) => `${from + n},user ${n % 3}\n`).join("");
    s3.fill("shop", ["c/1.csv"], `id,user\n${csv(0)}`);
    s3.fill("shop", ["c/2.csv.gz"], gzipSync(`id,user\n${csv(1000)}`));
    s3.fill("shop", ["c/3.csv.zst"], zstdCompressSync(Buffer.from(`id,user\n${csv(2000)}`)));
    const frame = readCsv("s3://shop/c/", { id: int64(), user: text() });
    const [all] = await frame.agg((c) => ({ n: count(), sum: c.id.sum() })).collect();
    assert.deepEqual([Number(all?.n), all?.sum], [3000, 4_498_500n]);
    assert.equal(await readParquet("s3://shop/sales/**", SALES).count(), 60_000);
    s3.fill("shop", ["j/1.jsonl"], '{"id":1,"user":"a"}\n{"id":2,"user":"b"}\n');
    assert.deepEqual(
      await readJsonl("s3://shop/j/*.jsonl", { user: text(), id: int64() }).sort("id").collect(),
      [
        { user: "a", id: 1n },
        { user: "b", id: 2n },
      ],
    );
  });

  test("name the file of each row as its location does", async () => {
    s3.fill("shop", ["n/a=1/x.csv", "n/a=2/x.csv"], "id\n7\n");
    mkdirSync(join(folder, "n"), { recursive: true });
    writeFileSync(join(folder, "n/x.csv"), "id\n8\n");
    const frame = readCsv(
      ["s3://shop/n/*/*.csv", join(folder, "n/x.csv")],
      { id: int32() },
      { fileColumn: "file" },
    );
    assert.deepEqual(await frame.sort("file").collect(), [
      { id: 8, file: join(folder, "n/x.csv") },
      { id: 7, file: "s3://shop/n/a=1/x.csv" },
      { id: 7, file: "s3://shop/n/a=2/x.csv" },
    ]);
  });

  test("fail with the name of the file and not with that of its copy", async () => {
    s3.fill("shop", ["bad/b.csv"], "id\n1\nx\n");
    const error = await readCsv("s3://shop/bad/*.csv", { id: int32() })
      .collect()
      .catch((each: Error) => each as Error);
    assert.ok(error instanceof Error);
    assert.match(error.message, /s3:\/\/shop\/bad\/b\.csv/);
    assert.doesNotMatch(error.message, /pawl-frame/);
  });

  test("are shown and asked in SQL for the bytes of the columns and rows that are looked at", async () => {
    for (const year of [2023, 2024]) s3.fill("shop", [`q/${year}.parquet`], parquet(year));
    const bytesSince = (before: number) =>
      s3.journal.slice(before).reduce((sum, { headers }) => {
        const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? "") ?? [];
        return sum + (to === undefined ? 0 : Number(to) - Number(from) + 1);
      }, 0);
    const all = parquet(2023).length + parquet(2024).length;
    let before = s3.journal.length;
    const shown = await (await filesFrame("s3://shop/q/*.parquet")).head(3);
    assert.deepEqual(
      shown.map((row) => [row.id, row.user]),
      [
        [0n, "user 0"],
        [1n, "user 1"],
        [2n, "user 2"],
      ],
    );
    assert.ok(bytesSince(before) < all / 4, `${bytesSince(before)} of ${all}`);
    before = s3.journal.length;
    const sql =
      "select \"user\", count(*) as n from 's3://shop/q/*.parquet' where id >= 100 group by all order by 1 limit 1";
    const [first] = await (await queryFrame(sql)).collect();
    assert.deepEqual([first?.user, Number(first?.n)], ["user 0", 8557]);
    assert.ok(bytesSince(before) < all / 4, `${bytesSince(before)} of ${all}`);
  });

  test("that are nowhere are said before anything runs", async () => {
    await assert.rejects(
      readParquet("s3://shop/salse/*.parquet", SALES).collect(),
      /No file matches s3:\/\/shop\/salse\/\*\.parquet/,
    );
  });
});
