import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Job } from "../../../../../src/batch/index.ts";
import {
  type PostgresOptions,
  type TableRow,
  table,
  update,
} from "../../../../../src/connect/postgres/index.ts";
import { resultOf, TableScene } from "../../scene.ts";

/** The most that PostgreSQL takes. */
const most = 1600;
const long = "x".repeat(58);

/** Columns of many kinds under names that are in the way of ours. */
function columnAt(at: number): { name: string; type: string; value: (n: number) => string } {
  if (at === 0) return { name: "id", type: "int PRIMARY KEY", value: (n) => `${n}` };
  if (at === 1) return { name: 'he said "so"', type: "varchar(5)", value: (n) => `a\\${n % 10}\t` };
  if (at === 2) return { name: `pawl_${long}`, type: "jsonb", value: (n) => `"{""a"": ${n}}"` };
  if (at === 3) return { name: `pawl_${"_".repeat(58)}`, type: "int[]", value: (n) => `"{1,${n}}"` };
  if (at === 4) return { name: "item", type: "date", value: () => "2026-11-27" };
  if (at === 5) return { name: "n", type: "numeric(6,2)", value: (n) => `${n}.50` };
  if (at === 6) return { name: "Mixed Case", type: "few", value: () => "7" };
  if (at === 7) return { name: "r", type: "text", value: (n) => (n % 2 === 0 ? "" : '"two\nlines, é"') };
  return { name: `c${at}`, type: "int2", value: (n) => `${n + at}` };
}

describe("rows as wide as PostgreSQL takes them, and wider", () => {
  const scene = TableScene.use();

  const load = async (
    url: string,
    text: string,
    options: Partial<PostgresOptions> = {},
    job: Partial<Job<TableRow, unknown>> = {},
  ) => {
    const summary = await scene.load(url, text, options, job);
    const [state, , ...counts] = resultOf(summary);
    assert.equal(state, "succeeded", summary.note);
    return { counts, run: summary.run };
  };
  const reasons = async (run: string) => {
    const records = await scene.store.quarantined(run, { limit: 100 });
    return records.map(({ reason }) => reason);
  };

  const columns = Array.from({ length: most }, (_, at) => columnAt(at));
  const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;
  const head = columns.map(({ name }) => quoted(name)).join(",");
  const row = (n: number, changed: Readonly<Record<string, string>> = {}) =>
    columns.map(({ name, value }) => changed[name] ?? value(n)).join(",");
  const wide = `CREATE DOMAIN few AS int CHECK (VALUE < 10);
    CREATE TABLE t (${columns.map(({ name, type }) => `${quoted(name)} ${type}`).join(", ")})`;

  it("are loaded, updated and refused one by one, with and without a transform", async () => {
    const trigger = `; CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
      CREATE TRIGGER keep BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION keep()`;
    for (const [sql, transform] of [
      [wide, undefined],
      [wide + trigger, (values: unknown) => values],
    ] as const) {
      const { url, client } = await scene.database(sql);
      const job = (transform === undefined ? {} : { transform }) as Partial<Job<TableRow, unknown>>;
      const bad = { c1000: "x", r: "" };
      const first = await load(url, `${head}\n${row(1)}\n${row(2)}\n${row(3, bad)}\n${row(4)}\n`, {}, job);
      assert.deepEqual(first.counts, [3, 0, 0, 1]);
      assert.deepEqual(await reasons(first.run), [
        'Column "c1000": invalid input syntax for type smallint: "x".',
      ]);
      const rows = [
        row(1),
        row(2, { c1599: "5" }),
        row(2, { c1599: "6" }),
        row(3, { "Mixed Case": "70" }),
        row(3, { 'he said "so"': "too long" }),
        row(3, { [`pawl_${long}`]: "{" }),
        row(5),
      ];
      const second = await load(url, `${head}\n${rows.join("\n")}\n`, {}, job);
      assert.deepEqual(second.counts, [2, 1, 1, 3]);
      const why = await reasons(second.run);
      assert.match(why[0] ?? "", /check constraint "?few_check/i);
      assert.match(why[1] ?? "", /Column "he said "so"": value too long/);
      assert.match(why[2] ?? "", /^Column "pawl_x+": invalid input syntax for type json\.$/);
      const found = await client.query<Record<string, unknown>>("SELECT * FROM t ORDER BY id");
      assert.deepEqual(
        found.map((one) => [one.id, one.c1599, one.n, one.r, one['he said "so"']]),
        [1, 2, 4, 5].map((n) => [
          n,
          n === 2 ? 6 : n + 1599,
          `${n}.50`,
          n % 2 === 0 ? null : "two\nlines, é",
          `a\\${n}\t`,
        ]),
      );
      assert.deepEqual(
        [found[1]?.[`pawl_${long}`], found[1]?.[`pawl_${"_".repeat(58)}`]],
        [{ a: 2 }, [1, 2]],
      );
      // What follows is written alike, with a transform or without.
      if (transform !== undefined) continue;
      const third = await load(url, `${head}\n${row(1)}\n${row(9)}\n`, { onConflict: "fail" });
      assert.deepEqual(third.counts, [1, 0, 0, 1]);
      const set = { c1598: "c1597 + 1", c1599: '"Mixed Case" + 1' };
      const fourth = await load(url, `${head}\n${row(1)}\n${row(20, bad)}\n`, { set });
      assert.deepEqual(fourth.counts, [1, 0, 0, 1]);
      const [one] = await client.query<Record<string, unknown>>("SELECT * FROM t WHERE id = 1");
      assert.deepEqual([one?.c1598, one?.c1599], [1599, 8]);
    }
  });

  it("of which more is left out than a row of a table can hold", async () => {
    const { url, client } = await scene.database("CREATE TABLE t (id int PRIMARY KEY, v int, note text)");
    const names = Array.from({ length: 2500 }, (_, at) => `Left Out ${at}`);
    // Two that the server cannot tell apart, for it cuts names after 63 bytes.
    const twins = [`${"é".repeat(40)} one`, `${"é".repeat(40)} two`];
    for (const count of [900, 2500]) {
      const some = names.slice(0, count);
      const map = Object.fromEntries([...some, twins[1]].map((name) => [name, "-"]));
      const head = ["id", "v", twins[0], twins[1], ...some].join(",");
      const line = (id: string, v: string) => [id, v, "kept", "-", ...some.map(() => "ten bytes.")].join(",");
      const text = [head, line("1", "1"), line("2", "x"), line("3", `${count}`), ""].join("\n");
      const options = {
        map: { ...map, [twins[0] as string]: "note" },
        set: { v: `v::int + length("Left Out 7")` },
      };
      const { counts, run } = await load(url, text, options);
      assert.deepEqual(
        counts,
        [2, 0, 0, 1].map((n, at) => (count === 2500 && at < 2 ? 1 : n)),
      );
      assert.equal((await reasons(run)).length, 1);
      const rows = await client.query("SELECT * FROM t ORDER BY id");
      assert.deepEqual(rows, [
        { id: 1, v: 11, note: "kept" },
        { id: 3, v: count + 10, note: "kept" },
      ]);
    }
  });

  it("are refused alone where the table cannot hold them", async () => {
    const names = Array.from({ length: most - 1 }, (_, at) => `c${at}`);
    const { url } = await scene.database(
      `CREATE TABLE t (id int PRIMARY KEY, ${names.map((name) => `${name} text`).join(", ")})`,
    );
    const line = (id: number, value: string) => [id, ...names.map(() => value)].join(",");
    const text = [["id", ...names].join(","), line(1, "x"), line(2, "ten bytes."), line(3, ""), ""].join(
      "\n",
    );
    const { counts, run } = await load(url, text);
    assert.deepEqual(counts, [2, 0, 0, 1]);
    assert.match((await reasons(run))[0] ?? "", /^Row is too big: size \d+, maximum size 8160\.$/);
  });

  it("are changed in place, and refused one by one", async () => {
    const { url, client } = await scene.database(
      `${wide}; INSERT INTO t (id, c8, c1599) SELECT n, n, n FROM generate_series(7, 9) n;
       ALTER TABLE t ADD CHECK (c1599 <> 108)`,
    );
    const summary = await scene.run({
      source: table({
        url,
        table: "t",
        columns: ["id", "c8", "c1599", ...columns.slice(10, 1599).map(({ name }) => name)],
      }),
      transform: (one: Readonly<Record<string, unknown>>) => ({
        ...one,
        c10: 3,
        c1599: Number(one.c8) + 100,
      }),
      sink: update({ url, table: "t", set: { c9: "c8 + 1" } }),
    } as never);
    assert.deepEqual(
      [summary.state, summary.written, summary.quarantined],
      ["succeeded", 2, 1],
      summary.note,
    );
    const rows = await client.query("SELECT id, c9, c10, c1599 FROM t ORDER BY id LIMIT 1");
    assert.deepEqual(rows, [{ id: 7, c9: 8, c10: 3, c1599: 107 }]);
  });
});
