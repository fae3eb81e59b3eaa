import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RunSummary } from "../../../../src/batch/index.ts";
import { csv } from "../../../../src/connect/csv/index.ts";
import { table, update } from "../../../../src/connect/postgres/index.ts";
import { TableScene } from "../scene.ts";
import type { TestClient } from "../server.ts";

interface Scenario {
  /** Makes a table `t` with the columns `id`, `b`, `parent` and `code`, and rows 1 to 4. */
  readonly client: TestClient;
  readonly url: string;
  readonly set?: Readonly<Record<string, string>>;
  /** The rows as they are to be, as lines of a CSV with the columns `id`, `code` and `parent`. */
  readonly rows?: string;
}

/** More columns than a staging table can have, none of which goes into the table. */
const MANY = Array.from({ length: 1_650 }, (_, at) => `extra${at}`);

/** Each way in which a chunk comes into a table. What is true of one must be true of all. */
describe("whichever way rows are written", () => {
  const scene = TableScene.use();

  const load = async ({ url, set = {}, rows }: Scenario, bad: string, more: readonly string[] = []) => {
    const lines = (rows ?? "1,1,\n2,2,\n3,3,\n4,4,\n") + bad;
    const text = [
      ["id", "code", "parent", ...more].join(","),
      lines.trim().replaceAll(/$/gm, ",x".repeat(more.length)),
    ];
    const map = Object.fromEntries(more.map((name) => [name, "-"]));
    return await scene.load(url, `${text.join("\n")}\n`, { set, map });
  };

  const modes: Readonly<Record<string, (scenario: Scenario) => Promise<RunSummary>>> = {
    "by a merge": (scenario) => load(scenario, ""),
    "row by row": (scenario) => load(scenario, "99,x,\n"),
    "row by row as JSON": (scenario) => load(scenario, "99,x,\n", MANY),
    "as a change of rows": async ({ url, set = {}, rows }) =>
      await scene.run({
        source:
          rows === undefined ? table({ url, table: "t" }) : csv(await scene.file(`id,code,parent\n${rows}`)),
        transform: (row: Record<string, unknown>) => (rows === undefined ? { id: row.id } : row),
        sink: update({ url, table: "t", set }),
      } as never),
    "as a change of a key range": async ({ client, url, set = {}, rows }) => {
      if (rows !== undefined) {
        // So many rows that the first ones are in one chunk, whose rows can refer to each other.
        await client.query(
          `CREATE TABLE given (id int, code int, parent int);
           INSERT INTO t SELECT g, 'other', g + 100 FROM generate_series(5, 400) g`,
        );
        for (const row of rows.trim().split("\n")) {
          const values = row.split(",").map((value) => (value === "" ? null : value));
          await client.query("INSERT INTO given VALUES ($1, $2, $3)", values);
        }
      }
      const given = {
        code: "coalesce((SELECT g.code FROM given g WHERE g.id = t.id), code)",
        parent: "(SELECT g.parent FROM given g WHERE g.id = t.id)",
      };
      return await scene.change(url, { set: rows === undefined ? set : given });
    },
  };

  for (const [name, write] of Object.entries(modes)) {
    const database = async () =>
      await scene.database(
        `CREATE TABLE t (id int PRIMARY KEY, b text, code int UNIQUE CHECK (code <> 7), parent int REFERENCES t (code));
         INSERT INTO t SELECT g, 'before', g + 100 FROM generate_series(1, 4) g;`,
      );

    it(`an expression may end in a comment: ${name}`, async () => {
      const { url, client } = await database();
      for (const b of ["'x' -- why", "'x' /* why", "lower('X') -- it's", "'x' --"]) {
        await client.query("UPDATE t SET b = 'before'");
        const writing = write({ client, url, set: { b } });
        // A comment that does not end is an error of the expression in each.
        if (b.includes("/*")) {
          await assert.rejects(writing, { code: "postgres.set" }, b);
          continue;
        }
        const { state, note } = await writing;
        assert.equal(state, "succeeded", `${b}: ${note}`);
        assert.deepEqual(await client.query("SELECT DISTINCT b FROM t"), [{ b: "x" }], b);
      }
    });

    it(`a row may refer to one behind it, with a bad one beside them: ${name}`, async () => {
      const { url, client } = await database();
      const { state, quarantined, note } = await write({
        client,
        url,
        rows: "1,10,20\n2,20,30\n3,7,\n4,30,10\n",
      });
      assert.equal(state, "succeeded", note);
      // Those that are to go row by row have another bad row.
      assert.equal(quarantined, name.startsWith("row") ? 2 : 1);
      assert.deepEqual(await client.query("SELECT id, code, parent FROM t WHERE id < 5 ORDER BY id"), [
        { id: 1, code: 10, parent: 20 },
        { id: 2, code: 20, parent: 30 },
        { id: 3, code: 103, parent: null },
        { id: 4, code: 30, parent: 10 },
      ]);
    });
  }
});
