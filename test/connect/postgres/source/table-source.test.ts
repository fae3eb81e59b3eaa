import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Source } from "../../../../src/batch/index.ts";
import { table } from "../../../../src/connect/postgres/index.ts";
import { useDatabase } from "../scene.ts";

const planning = { signal: new AbortController().signal, scratch: "", folder: "", memory: 1 << 24 };

interface ReadShard {
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly chunks: number;
  readonly estimate: number | undefined;
}

/** Reads a source to its end, each shard in chunks of about so many bytes, as if resumed after every chunk. */
async function readAll(source: Source<unknown>, bytes: number, shards = 8): Promise<ReadShard[]> {
  const plan = await source.shards(shards, { kind: "any" }, planning);
  const read: ReadShard[] = [];
  for (const shard of plan.shards) {
    const rows: Readonly<Record<string, unknown>>[] = [];
    let chunks = 0;
    let cursor = null;
    for (let more = true; more; ) {
      more = false;
      for await (const chunk of source.read(shard, cursor, { items: 1e6, bytes }, planning.signal)) {
        for await (const slice of chunk.slices()) rows.push(...(slice as typeof rows));
        cursor = JSON.parse(JSON.stringify(chunk.end));
        chunks++;
        more = true;
        break;
      }
    }
    read.push({ rows, chunks, estimate: shard.estimate });
  }
  return read;
}

describe("the source table", () => {
  const db = useDatabase();

  const keys: Readonly<Record<string, { type: string; value: string; key?: string }>> = {
    "whole numbers beyond what JavaScript holds": { type: "bigint", value: "9007199254740993 + g * 7" },
    "negative numbers with gaps": {
      type: "bigint",
      value: "(g - 1000) * (g % 17 + 1)::bigint * 1000000 + g",
    },
    UUIDs: { type: "uuid", value: "md5(g::text)::uuid" },
    "texts by bytes": { type: `text COLLATE "C"`, value: "md5(g::text)" },
    "texts by a language": {
      type: `text COLLATE "de-x-icu"`,
      value: `(array['Ä','a','Z','ö','ß','\\','"',' ','''','{'])[g % 10 + 1] || md5(g::text) || g`,
    },
    "texts that differ by case to JavaScript only": { type: "text COLLATE blind", value: "'Ab' || g" },
    numerics: { type: "numeric", value: "g / 7.0 * 1e20" },
    instants: { type: "timestamptz", value: "'2026-01-01'::timestamptz + g * interval '123456.789 ms'" },
    floats: { type: "float8", value: "g / 3.0 - 800" },
    enums: { type: "mood", value: "('m' || g % 5)::mood", key: "(id, n)" },
  };
  for (const [what, { type, value, key = "(id)" }] of Object.entries(keys)) {
    it(`reads each row once, in the order of ${what}`, async () => {
      await db.client.query(`DROP TABLE IF EXISTS t; DROP TYPE IF EXISTS mood; DROP COLLATION IF EXISTS blind;
        CREATE TYPE mood AS ENUM ('m4', 'm2', 'm0', 'm1', 'm3');
        CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
        CREATE TABLE t (n int NOT NULL, id ${type} NOT NULL, PRIMARY KEY ${key})`);
      await db.client.query(`INSERT INTO t SELECT g, ${value} FROM generate_series(1, 2000) g; ANALYZE t`);
      const shards = await readAll(table({ url: db.url, table: "t" }), 20_000, 3);
      const expected = await db.client.query(`SELECT n FROM t ORDER BY ${key.slice(1, -1)}`);
      assert.deepEqual(
        shards.flatMap(({ rows }) => rows.map(({ n }) => ({ n }))),
        expected,
      );
      for (const { rows, chunks, estimate } of shards) {
        assert.equal(rows.length, estimate);
        assert.ok(rows.length >= 500 && rows.length <= 750, `a shard has ${rows.length} rows`);
        assert.ok(chunks > 1);
      }
    });
  }

  it("cuts a composite key within its first column, and reads rows of a partitioned table", async () => {
    await db.client.query(`CREATE TABLE parts (tenant int, name text COLLATE "de-x-icu", v int, PRIMARY KEY (tenant, name)) PARTITION BY HASH (tenant);
      CREATE TABLE parts_0 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
      CREATE TABLE parts_1 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
      INSERT INTO parts SELECT (g % 100 = 0)::int, 'n' || g, g FROM generate_series(1, 4000) g`);
    const shards = await readAll(table({ url: db.url, table: "parts" }), 10_000);
    assert.deepEqual(
      shards.map(({ rows }) => rows.length),
      Array.from({ length: 8 }, () => 500),
    );
    const read = shards.flatMap(({ rows }) => rows.map(({ v }) => ({ v })));
    assert.deepEqual(read, await db.client.query("SELECT v FROM parts ORDER BY tenant, name"));
  });

  it("finds ranges of near-equal size from a sample of a large table, and counts them", async () => {
    await db.client.query(`CREATE TABLE large (id bigint PRIMARY KEY, filler text);
      INSERT INTO large SELECT CASE WHEN g < 22500 THEN g ELSE g * 1000 END, repeat('x', 700)
      FROM generate_series(1, 45000) g; ANALYZE large`);
    const { shards } = await table({ url: db.url, table: "large" }).shards(8, { kind: "any" }, planning);
    const sizes = shards.map(({ estimate }) => estimate ?? 0);
    assert.equal(
      sizes.reduce((sum, size) => sum + size, 0),
      45_000,
    );
    for (const size of sizes) assert.ok(size > 3_750 && size < 8_250, `shards of ${sizes.join(", ")}`);
  });

  it("reads only rows that meet the condition, whatever stands at its end", async () => {
    await db.client.query(
      "CREATE TABLE few (id int PRIMARY KEY, v text); INSERT INTO few SELECT g, g % 3 FROM generate_series(1, 1000) g",
    );
    const shards = await readAll(
      table({ url: db.url, table: "few", where: "v = '1' OR false -- really", columns: ["v"] }),
      4000,
    );
    const rows = shards.flatMap(({ rows }) => rows);
    assert.equal(rows.length, 334);
    assert.deepEqual(rows[0], { v: "1" });
  });

  it("of a table without rows reads nothing", async () => {
    await db.client.query("CREATE TABLE nothing (id int PRIMARY KEY)");
    const shards = await readAll(table({ url: db.url, table: "nothing" }), 4000);
    assert.deepEqual(
      shards.map(({ rows }) => rows.length),
      [0],
    );
  });

  it("keeps rows with equal keys together where the key is not unique", async () => {
    await db.client.query(
      "CREATE TABLE same (k int NOT NULL, v int); CREATE INDEX ON same (k); INSERT INTO same SELECT g / 30, g FROM generate_series(1, 2000) g",
    );
    const shards = await readAll(table({ url: db.url, table: "same", key: ["k"] }), 1000);
    const read = shards.flatMap(({ rows }) => rows.map(({ v }) => Number(v)));
    assert.deepEqual(
      read.sort((a, b) => a - b),
      Array.from({ length: 2000 }, (_, at) => at + 1),
    );
  });

  it("hands on values exactly", async () => {
    await db.client.query(`CREATE TABLE exact (id int PRIMARY KEY, big bigint, money numeric, at timestamptz, day date,
        doc jsonb, list text[], bytes bytea, yes boolean, real float8, span interval);
      INSERT INTO exact VALUES (1, 9223372036854775807, 0.10, '2026-01-02 03:04:05.678901+00', '0044-03-15 BC',
        '{"a": [1, null]}', '{a,"b c",NULL}', '\\x00ff', true, 1e-300, '1 mon 2 days')`);
    const [shard] = await readAll(table({ url: db.url, table: "exact" }), 1000);
    const { at, ...rest } = shard?.rows[0] ?? {};
    assert.equal(new Date(String(at)).toISOString(), "2026-01-02T03:04:05.678Z");
    assert.match(String(at), /05\.678901/);
    assert.deepEqual(rest, {
      id: 1,
      big: "9223372036854775807",
      money: "0.10",
      day: "0044-03-15 BC",
      doc: { a: [1, null] },
      list: ["a", "b c", null],
      bytes: Buffer.from([0, 255]),
      yes: true,
      real: 1e-300,
      span: "1 mon 2 days",
    });
  });

  it("hints at an index that is missing, and at none where one serves", async () => {
    await db.client.query(`CREATE TABLE hints (a int NOT NULL, b text NOT NULL, c int NOT NULL, PRIMARY KEY (a, b));
      CREATE INDEX ON hints (c) WHERE c > 0; CREATE INDEX ON hints (b text_pattern_ops)`);
    const notes = async (...key: string[]) =>
      (await table({ url: db.url, table: "hints", key }).describe()).notes.join();
    assert.equal(await notes("a", "b"), "");
    assert.equal(await notes("a"), "");
    for (const key of [["b", "a"], ["b"], ["c"]]) {
      assert.match(await notes(...key), /no index on .* CREATE INDEX CONCURRENTLY ON "public"."hints"/);
    }
  });

  it("says in one sentence what is wrong", async () => {
    await db.client.query(
      "CREATE TABLE wrong (a int, b int); CREATE UNIQUE INDEX ON wrong (a); INSERT INTO wrong VALUES (null, 1), (2, 2)",
    );
    const describe = (options: object) => table({ url: db.url, table: "wrong", ...options }).describe();
    await assert.rejects(describe({}), { code: "postgres.no-key", message: /no primary key.*`key`/ });
    await assert.rejects(describe({ key: ["aa"] }), {
      code: "postgres.key-unknown",
      message: /did you mean a/,
    });
    await assert.rejects(describe({ key: ["a", "a"] }), { code: "postgres.key-twice" });
    await assert.rejects(describe({ key: ["a"], columns: ["x"] }), { code: "postgres.unknown-column" });
    await assert.rejects(describe({ table: "wrongs" }), {
      code: "postgres.unknown-table",
      message: /did you mean wrong/,
    });
    const cut = (options: object) =>
      table({ url: db.url, table: "wrong", key: ["a"], ...options }).shards(4, { kind: "any" }, planning);
    await assert.rejects(cut({}), { code: "postgres.key-null", message: /Some rows .* have no a/ });
    await assert.rejects(cut({ where: "a is not null and x = 1" }), {
      code: "postgres.where",
      message: /`where: ".*x = 1"` .*column "x" does not exist/,
    });
    await cut({ where: "a is not null" });
  });
});
