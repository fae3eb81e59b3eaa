import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { Scene } from "../scene.ts";

describe("pawl query, show and convert", () => {
  let scene: Scene;
  const pawl = (...args: string[]) => scene.pawl(args);

  before(async () => {
    scene = await Scene.withoutDatabase();
    await scene.write("tx_1.csv", "user,amount,zip\nada,12.5,01067\nbob,300,10115\nada,200,\n");
    await scene.write("tx_2.csv.gz", gzipSync("user,amount,zip\ncy,7,04109\n"));
    await scene.write("log.jsonl", '{"level":"ERROR","n":9007199254740993}\n{"level":"\\u001b[2J","n":2}\n');
  });
  after(() => scene[Symbol.asyncDispose]());

  it("prints the answer to a question about files as an aligned table, in the order that was asked for", async () => {
    const { code, out, err } = await pawl(
      "query",
      "select user, sum(amount) total, count(*) n from 'tx_*.csv*' group by 1 order by total desc -- done",
    );
    assert.equal(err, "");
    assert.deepEqual(
      [
        code,
        out
          .trimEnd()
          .split("\n")
          .map((line) => line.trimEnd()),
      ],
      [
        0,
        [
          "user      total       n",
          "text?  float64?  int64?",
          "─────  ────────  ──────",
          "bob         300       1",
          "ada       212.5       2",
          "cy            7       1",
        ],
      ],
    );
  });

  it("says how many rows are not printed, and prints every digit and no order to the terminal", async () => {
    const { out } = await pawl("query", "select * from 'tx_1.csv'", "--rows", "1");
    assert.match(out, /… 2 more rows|2 rows more/);
    const json = await pawl("query", "select n, level from 'log.jsonl'", "--json");
    assert.equal(json.out, '{"n":9007199254740993,"level":"ERROR"}\n{"n":2,"level":"\\u001b[2J"}\n');
    const table = await pawl("query", "select level from 'log.jsonl'");
    assert.ok(!table.out.includes("\u001b"));
  });

  it("writes the answer into a file, and leaves none when the question fails", async () => {
    const written = await pawl(
      "query",
      "select user, amount from 'tx_1.csv' where amount > 100",
      "--to",
      "large.csv",
    );
    assert.deepEqual(
      [written.code, await scene.read("large.csv")],
      [0, "user,amount\nbob,300.0\nada,200.0\n"],
    );
    assert.match(written.out, /^2 rows in large\.csv \(\d+ B/);
    const again = await pawl("query", "select 1 one", "--to", "large.csv");
    assert.equal(again.code, 2);
    assert.match(again.err, /large\.csv.*--overwrite/);
    const before = await readdir(scene.folder);
    const failed = await pawl("query", "select cast(user as int) from 'tx_1.csv'", "--to", "bad.parquet");
    assert.notEqual(failed.code, 0);
    assert.deepEqual(await readdir(scene.folder), before);
  });

  it("shows the columns of files as a schema, with zeros at the start of a number kept", async () => {
    const { out } = await pawl("show", "tx_*.csv*", "--columns");
    assert.equal(
      out,
      "{\n  user: text().nullable(),\n  amount: float64().nullable(),\n  zip: text().nullable(),\n}\n",
    );
    assert.match((await pawl("show", "tx_1.csv", "--rows", "1")).out, /ada +12\.5 +01067/);
  });

  it("converts files into Parquet and back without a change", async () => {
    assert.equal((await pawl("convert", "tx_1.csv", "tx.parquet")).code, 0);
    assert.equal((await pawl("convert", "tx.parquet", "tx.jsonl")).code, 0);
    assert.equal(
      await scene.read("tx.jsonl"),
      '{"user":"ada","amount":12.5,"zip":"01067"}\n{"user":"bob","amount":300.0,"zip":"10115"}\n{"user":"ada","amount":200.0,"zip":null}\n',
    );
    assert.equal((await pawl("convert", "tx_1.csv", "by-user", "--partition-by", "user")).code, 0);
    assert.deepEqual((await readdir(scene.path("by-user"))).sort(), ["user=ada", "user=bob"]);
  });

  it("refuses in one sentence what does not ask, and what names no file", async () => {
    for (const [sql, sentence] of [
      ["drop table x", /A query is one SELECT: it reads files and changes nothing/],
      ["select * from nope", /"nope" does not say what the file holds/],
      ["select * from 'none.csv'", /none\.csv does not exist/],
      ["select amont from 'tx_1.csv'", /amont/],
      ["select (", /cannot be read/],
    ] as const) {
      const { code, err } = await pawl("query", sql);
      assert.notEqual(code, 0, sql);
      assert.match(err, sentence);
      assert.equal(err.trimEnd().split("\n").length, 1, err);
    }
    assert.equal(
      (await pawl("query", "select 1", "--to", "x.csv", "--into", "postgres://h/d", "--table", "t")).code,
      2,
    );
    assert.equal((await pawl("query", "select 1", "--to", "x.doc")).code, 2);
    assert.equal((await pawl("query", "select 1", "--to", "x.csv", "--table", "t")).code, 2);
    assert.equal((await pawl("query", "select 1", "--create")).code, 2);
  });
});
