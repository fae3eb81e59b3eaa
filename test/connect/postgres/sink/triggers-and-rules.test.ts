import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { csv } from "../../../../src/connect/csv/index.ts";
import { postgres, table, update } from "../../../../src/connect/postgres/index.ts";
import { resultOf, TableScene } from "../scene.ts";
import { databaseUrl } from "../server.ts";
import { context } from "./chunks.ts";

/** What a database does with rows by itself: triggers, rules, policies, constraints that rows meet together. */
describe("a table that has ideas of its own", () => {
  const scene = TableScene.use();

  const lowering = `CREATE TABLE t (k text PRIMARY KEY, v int);
    CREATE FUNCTION low() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.k := lower(NEW.k); RETURN NEW; END $$;
    CREATE TRIGGER low BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION low();`;

  it("gives the last row of a key that a trigger computes, over several chunks and connections", async () => {
    for (const onConflict of ["update", "ignore"] as const) {
      const { url, client } = await scene.database(lowering);
      const oracle = new Map<string, number>();
      let text = "k,v\n";
      for (let n = 0; n < 2500; n++) {
        const key = `k${(n * 7919) % 1667}`;
        const written = n % 3 === 0 ? key.toUpperCase() : key;
        text += `${written},${n}\n`;
        if (onConflict === "update" || !oracle.has(key)) oracle.set(key, n);
      }
      const chunkSize = { min: 4096, max: 8192 };
      for (const expected of ["first", "again"]) {
        const summary = await scene.load(url, text, { onConflict }, { shards: 2, chunkSize });
        assert.equal(summary.state, "succeeded", `${expected}: ${summary.note}`);
        const rows = await client.query<{ k: string; v: number }>("SELECT * FROM t");
        assert.deepEqual(new Map(rows.map(({ k, v }) => [k, v])), oracle, `${onConflict} ${expected}`);
      }
      // One that changes nothing by its looks may be the last: here the table holds (k1, 1).
      await client.query("DELETE FROM t; INSERT INTO t VALUES ('k1', 1), ('k2', 2)");
      await scene.load(url, "k,v\nK1,9\nk1,1\nk2,2\n", { onConflict });
      assert.deepEqual(await client.query("SELECT v FROM t ORDER BY k"), [{ v: 1 }, { v: 2 }]);
    }
  });

  it("spreads a load over connections where triggers leave the key alone", async () => {
    const { url, client } = await scene.database(
      `CREATE TABLE t (k text PRIMARY KEY, v int, at timestamptz);
       CREATE TABLE audit (k text);
       CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         IF NEW.k IS NULL THEN RAISE EXCEPTION 'no'; END IF;
         SELECT now() INTO NEW.at; INSERT INTO audit VALUES (NEW.k); NEW."v" = NEW.v + length(NEW.k); RETURN NEW; END $$;
       CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION stamp();`,
    );
    const sources = [
      ["NEW.k := 1; RETURN NEW;", "total"],
      ["SELECT 1, 'x' INTO NEW.v, NEW.k; RETURN NEW;", "total"],
      ["NEW := t FROM t LIMIT 1; RETURN NEW;", "total"],
      ["IF OLD IS NULL THEN RETURN NEW; END IF; RETURN (SELECT t FROM t);", "total"],
      ['NEW . "k" = lower(NEW.k); RETURN NEW;', "total"],
      ["INSERT INTO audit VALUES (NEW.k); NEW.v := 1; RETURN NEW;", "byKey"],
      ["IF NEW.v > 1 THEN RETURN NULL; END IF; PERFORM to_jsonb(NEW); RETURN NEW;", "byKey"],
    ] as const;
    let orders = 0;
    const order = async () => {
      return (await postgres({ url, table: "t" }).open(context(["k", "v"], { run: `s${++orders}` }))).ordering
        .kind;
    };
    assert.equal(await order(), "byKey");
    for (const [body, expected] of sources) {
      await client.query(
        `CREATE OR REPLACE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${body} END $$`,
      );
      assert.equal(await order(), expected, body);
    }
  });

  it("is refused before anything is written where rules would fire for some ways to write only", async () => {
    const { url, client } = await scene.database(
      `CREATE TABLE t (k int PRIMARY KEY, v int); CREATE TABLE other (k int); INSERT INTO t VALUES (1, 1);
       CREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO other VALUES (NEW.k);`,
    );
    for (const onConflict of ["update", "ignore", "fail"] as const) {
      await assert.rejects(scene.load(url, "k,v\n2,1\nx,1\n", { onConflict }), {
        code: "postgres.rule",
        message: /public\.t has the rule r on INSERT/,
      });
    }
    await client.query("DROP RULE r ON t; CREATE RULE u AS ON UPDATE TO t DO INSTEAD NOTHING");
    await assert.rejects(scene.load(url, "k,v\n1,2\n"), { code: "postgres.rule" });
    const change = scene.change(url, { set: { v: "2" } });
    await assert.rejects(change, { code: "postgres.rule" });
    await client.query("DROP RULE u ON t");
    assert.equal((await scene.load(url, "k,v\n1,2\n")).written, 1);
  });

  it("is refused an expression that gives several rows, sums rows up, or closes our brackets", async () => {
    const { url } = await scene.database("CREATE TABLE t (id int PRIMARY KEY, v int, b text)");
    const bad = [
      "generate_series(1,3)::text",
      "unnest(array['a','b'])",
      "max(v)::text",
      "count(*)::text",
      "row_number() OVER ()::text",
      "v), (id",
      "'x'), id=(id+1000",
      "'x') FROM t --",
      "'x' AS y",
      "'a', 'b'",
    ];
    for (const b of bad) {
      await assert.rejects(
        scene.load(url, "id,v\n1,2\n", { onConflict: "fail", set: { b } }),
        { code: "postgres.set" },
        b,
      );
      await assert.rejects(
        scene.load(url, "id,v\n1,2\n", { table: "made", create: true, set: { b } }),
        { code: "postgres.set" },
        b,
      );
      const sink = update({ url, table: "t", set: { b } });
      await assert.rejects(
        scene.run({ source: table({ url, table: "t" }), sink }),
        { code: "postgres.set" },
        b,
      );
    }
    const good = [
      "'x' -- why",
      "select 'sub'",
      "(select max(b) from t)",
      "case when v > 1 then 'a' end",
      "'a)' || '('",
    ];
    for (const b of good) {
      const summary = await scene.load(url, "id,v\n1,2\n", { set: { b } });
      assert.equal(summary.state, "succeeded", `${b}: ${summary.note}`);
      const live = await scene.change(url, { set: { b } });
      assert.deepEqual([live.state, live.written], ["succeeded", 1], `${b}: ${live.note}`);
    }
  });

  it("keeps rows as they are by a trigger, which are counted as skipped", async () => {
    const { url } = await scene.database(
      `CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT g, 0 FROM generate_series(1, 100) g;
       CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         IF OLD.id % 4 = 0 THEN RETURN NULL; END IF; IF OLD.id = 7 THEN RAISE EXCEPTION 'not 7'; END IF; RETURN NEW; END $$;
       CREATE TRIGGER keep BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION keep();`,
    );
    for (const transform of [undefined, ({ id }: Readonly<Record<string, unknown>>) => ({ id, v: 2 })]) {
      const set = transform === undefined ? { v: "1" } : {};
      const summary = await scene.change(url, { set }, transform ? { transform } : {});
      assert.deepEqual(resultOf(summary), ["succeeded", 100, 74, 0, 25, 1]);
    }
  });

  it("gets what an expression computes into rows that are otherwise as they should be, unless it is the time or a draw", async () => {
    const compared = [
      "'import'",
      "NULL",
      "upper(v)",
      "(SELECT name FROM regions WHERE code = 'eu')",
      "(SELECT r.name FROM regions r JOIN regions o ON o.code < r.code)",
      "region_of('us')",
      "current_setting('server_version')",
    ];
    const passed = [
      "now()::text",
      "gen_random_uuid()::text",
      "current_user",
      "(SELECT now()::text)",
      "(SELECT name FROM regions ORDER BY random() LIMIT 1)",
      "(SELECT max(name) || nextval('numbers') FROM regions)",
      "to_char(CURRENT_DATE, 'YYYY')",
    ];
    const columns = compared.map((_, n) => `w${n}`);
    const { url, client } = await scene.database(
      `CREATE TABLE t (id int PRIMARY KEY, v varchar(60), ${columns.map((name) => `${name} text`).join(", ")});
       CREATE SEQUENCE numbers;
       CREATE TABLE regions (code text PRIMARY KEY, name text); INSERT INTO regions VALUES ('eu', 'Europe'), ('us', 'States');
       CREATE FUNCTION region_of(text) RETURNS text STABLE LANGUAGE sql AS 'SELECT name FROM regions WHERE code = $1'`,
    );
    const ids = columns.map((_, n) => n);
    const transform = ({ id, v }: Readonly<Record<string, unknown>>) => ({ id, v });
    const ways = {
      load: (set: Record<string, string>) =>
        scene.load(url, `id,v\n${ids.map((id) => `${id},a\n`).join("")}`, { set }),
      "transform and set": (set: Record<string, string>) => scene.change(url, { set }, { transform }),
    };
    const rows = ids.length;
    const sets = (expressions: readonly string[]) =>
      Object.fromEntries(expressions.map((expression, n) => [`w${n}`, expression]));
    for (const [way, write] of Object.entries(ways)) {
      await client.query("TRUNCATE t");
      await client.query(`INSERT INTO t (id, v) SELECT g, 'a' FROM generate_series(0, ${rows - 1}) g`);
      await client.query(`UPDATE t SET ${columns.map((name) => `${name} = 'old'`).join(", ")}`);
      const left = await write(sets(passed));
      assert.deepEqual(resultOf(left), ["succeeded", rows, 0, rows, 0, 0], way);
      const drawn = await write({ w0: "v || gen_random_uuid()" });
      assert.deepEqual(resultOf(drawn), ["succeeded", rows, rows, 0, 0, 0], way);
      const first = await write(sets(compared));
      assert.deepEqual(resultOf(first), ["succeeded", rows, rows, 0, 0, 0], way);
      // Each row is as it should be but for what one of the expressions computes.
      const right = await client.query("SELECT * FROM t ORDER BY id");
      for (const id of ids) await client.query(`UPDATE t SET w${id} = 'old' WHERE id = ${id}`);
      const second = await write(sets(compared));
      assert.deepEqual(resultOf(second), ["succeeded", rows, rows, 0, 0, 0], way);
      assert.deepEqual(await client.query("SELECT * FROM t ORDER BY id"), right, way);
      const third = await write(sets(compared));
      assert.deepEqual(resultOf(third), ["succeeded", rows, 0, rows, 0, 0], way);
    }
    // It may replace a column of the file, too: here the value of the file never reaches the table.
    await client.query("TRUNCATE t");
    const summary = await scene.load(url, "id,v\n1,x\n2,y\n", { set: { v: "'z'" } });
    assert.deepEqual([summary.written, await client.query("SELECT DISTINCT v FROM t")], [2, [{ v: "z" }]]);
    const again = await scene.load(url, "id,v\n1,p\n2,q\n", { set: { v: "'z'" } });
    assert.deepEqual([again.written, again.unchanged], [0, 2]);
  });

  it("is read and loaded by keys of several fields, some or all of them null", async () => {
    const { url, client } = await scene.database(
      `CREATE TYPE pair AS (a int, b text); CREATE TABLE live (k pair PRIMARY KEY, v text);
       INSERT INTO live SELECT ROW(g, CASE WHEN g % 3 > 0 THEN 'x' END)::pair FROM generate_series(1, 900) g;
       INSERT INTO live SELECT ROW(NULL, g)::pair FROM generate_series(1, 300) g; INSERT INTO live VALUES (ROW(NULL, NULL)::pair);
       CREATE TABLE t (k pair UNIQUE, v text);`,
    );
    for (const transform of [
      undefined,
      ({ k }: Readonly<Record<string, unknown>>) => ({ k, v: "transform" }),
    ]) {
      const summary = await scene.run({
        source: table({ url, table: "live" }),
        ...(transform ? { transform } : {}),
        sink: update({ url, table: "live", set: transform === undefined ? { v: "'set'" } : {} }),
      });
      assert.deepEqual(resultOf(summary), ["succeeded", 1201, 1201, 0, 0, 0]);
      const rows = await client.query("SELECT v, count(*)::int AS n FROM live GROUP BY v");
      assert.deepEqual(rows, [{ v: transform === undefined ? "set" : "transform", n: 1201 }]);
    }
    // The last row of each key wins; a key that is null as a whole is equal to nothing.
    const text = 'k,v\n"(1,)",1\n"(,)",2\n"(,x)",3\n"(,)",4\n,5\n"(1,)",6\n,7\n';
    const summary = await scene.load(url, text, { key: ["k"] });
    assert.deepEqual(resultOf(summary), ["succeeded", 7, 5, 0, 2, 0]);
    const rows = await client.query("SELECT v FROM t ORDER BY v");
    assert.deepEqual(rows.map(({ v }) => v).join(" "), "3 4 5 6 7");
  });

  it("keeps an item that cannot be read, whatever it throws when it is, and writes the others", async () => {
    const revoked = () => {
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      return proxy;
    };
    const hostile: ((id: unknown) => object)[] = [
      (id) => ({
        id,
        get v() {
          throw new Error("lazy");
        },
      }),
      (id) => ({
        id,
        get v() {
          throw null;
        },
      }),
      (id) => ({
        id,
        v: {
          toJSON() {
            throw Object.create(null);
          },
        },
      }),
      (id) => ({ id, v: revoked() }),
      (id) => ({ id, v: "cut \u{1f600}".slice(0, 5) }),
    ];
    const transform = (row: Readonly<Record<string, unknown>>): object =>
      hostile[Number(row.id)]?.(row.id) ?? { id: row.id, v: "new" };
    const { url, client } = await scene.database("CREATE TABLE t (id int PRIMARY KEY, v text)");
    const text = `id,v\n${Array.from({ length: 10 }, (_, id) => `${id},old\n`).join("")}`;
    await scene.load(url, text);
    const written = await scene.change(url, {}, { transform });
    assert.deepEqual(resultOf(written), ["succeeded", 10, 5, 0, 0, 5], `${written.note}`);
    await client.query("TRUNCATE t");
    const loaded = await scene.load(url, text, {}, { transform });
    assert.deepEqual(resultOf(loaded), ["succeeded", 10, 5, 0, 0, 5], `${loaded.note}`);
  });

  it("refuses single rows by a policy or a trigger, and the others are written", async () => {
    const { url, client } = await scene.database(
      `CREATE ROLE tenant LOGIN PASSWORD 'x'; CREATE TABLE t (id int PRIMARY KEY, owner text); GRANT ALL ON t TO tenant;
       ALTER TABLE t ENABLE ROW LEVEL SECURITY;
       CREATE POLICY p ON t USING (true) WITH CHECK (owner = 'tenant');
       CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         IF NEW.id = 3 THEN RAISE insufficient_privilege USING MESSAGE = 'not 3'; END IF; RETURN NEW; END $$;
       CREATE TRIGGER f BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f();`,
    );
    const as = databaseUrl(url, new URL(url).pathname.slice(1), "tenant", "x");
    const summary = await scene.load(as, "id,owner\n1,tenant\n2,other\n3,tenant\n4,tenant\n");
    assert.deepEqual(resultOf(summary), ["succeeded", 4, 2, 0, 0, 2]);
    const change = await scene.run({
      source: table({ url: as, table: "t" }),
      sink: update({ url: as, table: "t", set: { owner: "case id when 1 then 'other' else owner end" } }),
      atLeastOnce: true,
    });
    assert.deepEqual(resultOf(change), ["succeeded", 2, 1, 0, 0, 1]);
    // What every row lacks is a right.
    await client.query(
      "CREATE TABLE log (id int); CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (1); RETURN NEW; END $$",
    );
    const lacking = await scene.load(as, "id,owner\n7,tenant\n8,tenant\n");
    assert.deepEqual([lacking.state, lacking.quarantined], ["failed", 0]);
    assert.match(lacking.note ?? "", /permission denied for table log.*GRANT/);
  });

  it("refuses single rows by a trigger with whatever code it raises or runs into, and the others are written", async () => {
    const codes =
      "40001 40P01 40002 53100 53300 57014 57P01 57P03 08006 55P03 XX000 XX001 25006 25P02 28000 3F000 02000 55000 HV000 01000 26000 58030 F0000 P0001 AB123".split(
        " ",
      );
    const { url, client } = await scene.database(
      `CREATE SEQUENCE unused; CREATE TABLE t (id int PRIMARY KEY, code text, n int);
       CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         IF NEW.code = 'runs' THEN PERFORM currval('unused'); END IF;
         IF NEW.code <> 'ok' AND NEW.n = 0 THEN RAISE EXCEPTION 'no' USING ERRCODE = NEW.code; END IF; RETURN NEW; END $$;
       CREATE TRIGGER f BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f();`,
    );
    const bad = [...codes, "runs"].map((code, at) => `${2 * at},${code},0\n${2 * at + 1},ok,0\n`);
    const summary = await scene.load(url, `id,code,n\n${bad.join("")}`);
    assert.deepEqual(
      [summary.state, summary.written, summary.quarantined],
      ["succeeded", bad.length, bad.length],
      summary.note,
    );
    await client.query("ALTER TABLE t DISABLE TRIGGER f");
    await client.query(
      `INSERT INTO t SELECT g, c, 1 FROM unnest($1::text[]) WITH ORDINALITY u(c, g) ON CONFLICT (id) DO UPDATE SET code = excluded.code, n = 1`,
      [codes],
    );
    await client.query("ALTER TABLE t ENABLE TRIGGER f");
    const change = await scene.run({
      source: table({ url, table: "t" }),
      sink: update({ url, table: "t", set: { n: "0" } }),
      atLeastOnce: true,
    });
    assert.deepEqual([change.state, change.quarantined], ["succeeded", codes.length], change.note);
  });

  it("counts a row once that a deferred constraint refuses late", async () => {
    const { url } = await scene.database(
      `CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p SELECT generate_series(0, 100);
       CREATE TABLE t (id int PRIMARY KEY, p int REFERENCES p DEFERRABLE INITIALLY DEFERRED);
       INSERT INTO t SELECT g, 0 FROM generate_series(1, 100) g;`,
    );
    const value = (id: unknown) => (Number(id) % 10 === 0 ? 999 : Number(id));
    const transformed = await scene.change(url, {}, { transform: ({ id }) => ({ id, p: value(id) }) });
    assert.deepEqual(resultOf(transformed), ["succeeded", 100, 90, 0, 0, 10], transformed.note);
    const set = { p: "case when id % 10 = 1 then 999 else id end" };
    const set2 = await scene.change(url, { set });
    assert.deepEqual(resultOf(set2), ["succeeded", 100, 90, 0, 0, 10], set2.note);
  });

  it("takes rows that need each other, with bad ones beside them", async () => {
    const { url, client } = await scene.database(
      `CREATE TABLE o (id int PRIMARY KEY); INSERT INTO o VALUES (1);
       CREATE TABLE t (id int PRIMARY KEY, parent int REFERENCES t, o int REFERENCES o, n int UNIQUE DEFERRABLE);`,
    );
    // 5 and 4 need each other, 8 needs 9 and 9 needs 4; 6, 7 and what needs 7 lack something.
    const summary = await scene.load(
      url,
      "id,parent,o\n5,4,1\n6,99,1\n4,5,1\n8,9,1\n7,98,1\n10,7,1\n9,4,1\n11,4,55\n12,12,1\n",
    );
    assert.deepEqual(resultOf(summary), ["succeeded", 9, 5, 0, 0, 4], summary.note);
    const rows = await client.query<{ id: number }>("SELECT id FROM t ORDER BY id");
    assert.deepEqual(
      rows.map(({ id }) => id),
      [4, 5, 8, 9, 12],
    );
  });

  it("takes rows that swap what is unique, with bad ones beside them", async () => {
    const { url, client } = await scene.database(
      `CREATE TABLE t (id int PRIMARY KEY, n int UNIQUE DEFERRABLE); INSERT INTO t SELECT g, g FROM generate_series(1, 400) g`,
    );
    // 110 and 111 swap their numbers, 112 takes one that stays.
    const swap = "110,111\n111,110\n112,9\n";
    const back = "110,110\n111,111\n112,9\n";
    const file = await scene.load(url, `id,n\n${swap}`);
    assert.deepEqual(resultOf(file), ["succeeded", 3, 2, 0, 0, 1], file.note);
    const path = await scene.file(`id,n\n${back}`);
    const changed = await scene.run({ source: csv(path), sink: update({ url, table: "t" }) });
    assert.deepEqual(resultOf(changed), ["succeeded", 3, 2, 0, 0, 1], changed.note);
    const set = { n: "case id when 110 then 111 when 111 then 110 when 112 then 9 else n end" };
    const ranged = await scene.change(url, { set });
    assert.deepEqual(resultOf(ranged), ["succeeded", 400, 399, 0, 0, 1], ranged.note);
    const rows = await client.query("SELECT id, n FROM t WHERE id <> n ORDER BY id");
    assert.deepEqual(rows, [
      { id: 110, n: 111 },
      { id: 111, n: 110 },
    ]);
  });

  it("may call its columns and its neighbours as Pawl calls its own", async () => {
    const names = ["pawl_n", "pawl_all", "pawl_version", "pawl_0", "pawl__n", "n", "c0", "i", "s", "t"];
    const { url, client } = await scene.database(
      `CREATE TABLE t (${names.map((name) => `${name} int`).join(", ")}, PRIMARY KEY (pawl_n, pawl_all));
       CREATE TABLE kept (n int); CREATE TABLE differing (n int); INSERT INTO differing VALUES (41); CREATE TABLE pawl_done (n int);`,
    );
    const row = (k: number, v: number) => [k, k, ...names.slice(2).map(() => v)].join(",");
    const head = names.join(",");
    const set = { c0: "(SELECT max(n) FROM differing) + pawl_n" };
    for (const [text, expected] of [
      [`${head}\n${row(1, 1)}\n${row(2, 1)}\n`, [2, 2, 0, 0, 0]],
      [`${head}\n${row(1, 1)}\n${row(2, 2)}\n`, [2, 1, 1, 0, 0]],
      [`${head}\n${row(1, 3)}\n${row(1, 4)}\n${row(2, 2)}\nx${row(3, 2)}\n`, [4, 1, 1, 1, 1]],
    ] as const) {
      const summary = await scene.load(url, text, { set });
      assert.deepEqual(resultOf(summary), ["succeeded", ...expected], summary.note);
    }
    const [one] = await client.query("SELECT c0, i FROM t WHERE pawl_n = 1");
    assert.deepEqual(one, { c0: 42, i: 4 });
    for (const transform of [undefined, (r: Readonly<Record<string, unknown>>) => ({ ...r, pawl_0: 7 })]) {
      const change = await scene.change(
        url,
        { set: { pawl_version: "pawl_version + 1" } },
        (transform ? { transform } : {}) as never,
      );
      assert.deepEqual([change.state, change.written], ["succeeded", 2], change.note);
    }
  });
});
