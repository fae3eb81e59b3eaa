import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { TestServer } from "../connect/postgres/server.ts";
import { Scene } from "./scene.ts";

describe("pawl sql", () => {
  let server: TestServer;
  let scene: Scene;

  before(async () => {
    server = await TestServer.start();
    scene = await Scene.begin(server);
  });
  after(async () => {
    await scene[Symbol.asyncDispose]();
    await server.stop();
  });

  /** The types whose JavaScript values are not what PostgreSQL wrote. */
  const values = {
    day: ["date '2026-01-31'", "2026-01-31"],
    at: ["timestamp '2026-01-31 00:30:00.123456'", "2026-01-31 00:30:00.123456"],
    forever: ["timestamptz 'infinity'", "infinity"],
    early: ["date '0044-03-15 BC'", "0044-03-15 BC"],
    span: ["interval '1 day 02:03'", "1 day 02:03:00"],
    big: ["9007199254740993", "9007199254740993"],
    exact: ["1.50::numeric", "1.50"],
    days: ["array[date '2026-01-31']", "{2026-01-31}"],
    bytes: ["'\\x00ff'::bytea", "\\x00ff"],
    point: ["point '(1,2)'", "(1,2)"],
  } as const;
  const select = `SELECT ${Object.entries(values)
    .map(([name, [sql]]) => `${sql} AS ${name}`)
    .join(", ")}`;

  it("prints what PostgreSQL writes, whatever the time zone of this machine", async () => {
    for (const TZ of ["Europe/Berlin", "America/Los_Angeles"]) {
      const run = (...args: string[]) => scene.pawl(["sql", "--into", scene.url, ...args], { env: { TZ } });
      const table = await run(select);
      assert.equal(table.code, 0, table.err);
      assert.deepEqual(
        table.out.split("\n")[2]?.split(/ {2,}/),
        Object.values(values).map(([, text]) => text),
      );
      const json = await run(select, "--json");
      assert.deepEqual(JSON.parse(json.out), [
        Object.fromEntries(Object.entries(values).map(([name, [, text]]) => [name, text])),
      ]);
    }
  });

  it("is refused an empty statement, like every command an empty word", async () => {
    for (const args of [
      ["sql", ""],
      ["backfill", "--table", "t", "--set", "a=1", "--where", ""],
    ]) {
      const { code, err } = await scene.pawl(args);
      assert.equal(code, 2, err);
      assert.match(err, /^pawl: (<statement>|--where) was given without a value/);
    }
  });

  it("writes JSON that keeps numbers, columns of one name and nothing that a terminal obeys", async () => {
    const run = (...args: string[]) => scene.pawl(["sql", "--into", scene.url, ...args]);
    const json = await run(
      `SELECT 1 AS a, true AS a, 'NaN'::float8 AS f, '{"n": 12345678901234567890.10}'::jsonb AS j, NULL AS "__proto__"`,
      "--json",
    );
    assert.equal(
      json.out,
      '[{"a":1,"a_2":true,"f":"NaN","j":{"n": 12345678901234567890.10},"__proto__":null}]\n',
    );
    assert.equal((await run("SELECT e'\\x1b[31mred\\n' AS t")).out, "t\n-------------\n\\x1b[31mred\\n\n");
  });
});
