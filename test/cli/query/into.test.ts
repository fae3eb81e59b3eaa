import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { TestServer } from "../../connect/postgres/server.ts";
import { Scene } from "../scene.ts";

describe("files of rows that go into a table", () => {
  let server: TestServer;
  let scene: Scene;
  const pawl = (...args: string[]) => scene.pawl(args);

  before(async () => {
    server = await TestServer.shared();
    scene = await Scene.begin(server, "CREATE TABLE t (id bigint PRIMARY KEY, name text, at timestamptz)");
    await scene.write(
      "rows.jsonl",
      '{"id":9007199254740993,"name":"Ada","at":"2026-01-31T10:30:00.123456Z"}\n{"id":2,"name":null,"at":null}\n',
    );
    await pawl("convert", "rows.jsonl", "rows.parquet");
  });
  after(async () => {
    await scene[Symbol.asyncDispose]();
    await server.stop();
  });

  const all = async () =>
    (await scene.query("SELECT id::text, name, at::text FROM t ORDER BY id")).map((row) =>
      Object.values(row as object),
    );
  const expected = [
    ["2", null, null],
    ["9007199254740993", "Ada", "2026-01-31 10:30:00.123456+00"],
  ];

  for (const file of ["rows.jsonl", "rows.parquet"])
    it(`pawl load takes ${file}, and a second time finds nothing to change`, async () => {
      await scene.query("TRUNCATE t");
      const first = await scene.load([file, "--table", "t"]);
      assert.equal(first.code, 0, first.err + first.out);
      assert.deepEqual(await all(), expected);
      const second = await scene.load([file, "--table", "t", "--json"]);
      const { written, unchanged } = JSON.parse(second.out) as { written: number; unchanged: number };
      assert.deepEqual([written, unchanged], [0, 2]);
    });

  it("the answer to a question is loaded, and refuses options of a CSV", async () => {
    await scene.query("TRUNCATE t");
    const asked = await pawl(
      "query",
      "select * from 'rows.parquet' where id = 2",
      "--table",
      "t",
      "--into",
      scene.url,
    );
    assert.equal(asked.code, 0, asked.err + asked.out);
    assert.deepEqual(await all(), expected.slice(0, 1));
    const csvOption = await scene.load(["rows.parquet", "--table", "t", "--delimiter", ";"]);
    assert.equal(csvOption.code, 2);
    assert.match(csvOption.err, /--delimiter says how a CSV is read, and rows\.parquet is not one/);
    assert.equal((await scene.load(["rows.jsonl", "--table", "t", "--sheet", "x"])).code, 2);
  });
});
