import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
  del,
  postgres,
  table,
  update,
  whileBusy,
  whileQuery,
  whileReplicaLags,
} from "../../../src/connect/postgres/index.ts";
import { TableScene } from "./scene.ts";
import { databaseUrl, TestClient } from "./server.ts";
import { context, csvChunk, only, write, writeChunks } from "./sink/chunks.ts";

const scene = TableScene.use();

/** Every word that our statements may call a function by. */
async function words(): Promise<string[]> {
  const folder = join(import.meta.dirname, "../../../src/connect/postgres");
  const found = new Set<string>();
  for (const name of await readdir(folder, { recursive: true })) {
    if (!name.endsWith(".ts")) continue;
    const text = await readFile(join(folder, name), "utf8");
    for (const [, word] of text.matchAll(/\b([a-z_0-9]+)\(/g)) if (word !== undefined) found.add(word);
  }
  return [...found];
}

/**
 * Plants a function for every signature near one of the server's, and an operator for every pair of common types that the
 * server has none for: what a statement calls with other types than those declared would find ours first.
 */
const plant = `
DO $do$
DECLARE
  f record; v text; op text; a text; b text;
  anything text[] := '{text,int4,int8,numeric,name,oid,bool,jsonb,pg_catalog.pg_index,_text,_int4,_int2,regclass,timestamptz}';
BEGIN
  SET LOCAL check_function_bodies = off;
  SET LOCAL client_min_messages = error;
  FOR f IN
    SELECT DISTINCT p.proname, array(SELECT t::regtype::text FROM unnest(p.proargtypes::oid[]) t) AS args
    FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname = ANY (string_to_array($words$WORDS$words$, ','))
      AND p.pronargs BETWEEN 1 AND 3
  LOOP
    FOR v IN
      WITH RECURSIVE made(at, args) AS (
        SELECT 0, '{}'::text[]
        UNION ALL
        SELECT m.at + 1, m.args || o.type
        FROM made m, LATERAL unnest(CASE
          WHEN f.args[m.at + 1] LIKE '%any%' THEN anything
          WHEN f.args[m.at + 1] = 'bigint' THEN '{int4,int8,int2}'::text[]
          WHEN f.args[m.at + 1] = 'integer' THEN '{int4,int2,int8}'::text[]
          WHEN f.args[m.at + 1] = 'smallint' THEN '{int2,int4}'::text[]
          WHEN f.args[m.at + 1] = 'double precision' THEN '{float8,int4,numeric}'::text[]
          WHEN f.args[m.at + 1] = 'numeric' THEN '{numeric,int4,int8}'::text[]
          WHEN f.args[m.at + 1] = 'text' THEN '{text,name,varchar}'::text[]
          WHEN f.args[m.at + 1] = 'oid' THEN '{oid,int4,int8,regclass}'::text[]
          ELSE array[f.args[m.at + 1]] END) o(type)
        WHERE m.at < cardinality(f.args)
      )
      SELECT DISTINCT array_to_string(args, ',') FROM made WHERE at = cardinality(f.args)
    LOOP
      BEGIN
        EXECUTE format('CREATE FUNCTION public.%I(%s) RETURNS int4 LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION ''hijacked''; END $$', f.proname, v);
      EXCEPTION WHEN others THEN NULL;
      END;
    END LOOP;
  END LOOP;
  CREATE FUNCTION public.spring(text, text) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END $$;
  FOREACH op IN ARRAY '{=,<>,<,>,<=,>=,||,+,-,*,/,%,&,|,<<,~,->>,@>}'::text[] LOOP
    FOREACH a IN ARRAY '{text,name,varchar,int2,int4,int8,numeric,float8,oid,xid,bool,regclass,"\\"char\\"",timestamptz}'::text[] LOOP
      FOREACH b IN ARRAY '{text,name,varchar,int2,int4,int8,numeric,float8,oid,xid,bool,regclass,"\\"char\\"",timestamptz,interval}'::text[] LOOP
        IF EXISTS (SELECT FROM pg_operator o WHERE o.oprname = op AND o.oprleft = a::regtype AND o.oprright = b::regtype) THEN CONTINUE; END IF;
        BEGIN
          EXECUTE format('CREATE FUNCTION public.sprung(%s, %s) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION ''hijacked''; END $$', a, b);
        EXCEPTION WHEN duplicate_function THEN NULL;
        END;
        EXECUTE format('CREATE OPERATOR public.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = public.sprung)', op, a, b);
      END LOOP;
    END LOOP;
  END LOOP;
END $do$`;

test("functions and operators that others have put into the search path are never called", async () => {
  const { url, client } = await scene.database(
    `CREATE ROLE mallory LOGIN PASSWORD 'x'; GRANT CREATE ON SCHEMA public TO mallory;
     CREATE TABLE t (id bigint PRIMARY KEY, v varchar(20), n numeric, at timestamptz, k text COLLATE "C" UNIQUE, CHECK (n < 1000));
     CREATE TABLE w (v text PRIMARY KEY, n smallint, t name)`,
  );
  await using mallory = await TestClient.connect(
    databaseUrl(url, new URL(url).pathname.slice(1), "mallory", "x"),
  );
  await mallory.query(plant.replace("WORDS", (await words()).join(",")));
  const [planted] = await client.query<{ f: number; o: number }>(
    `SELECT (SELECT count(*)::int4 FROM pg_proc WHERE pronamespace = 'public'::regnamespace) AS f,
            (SELECT count(*)::int4 FROM pg_operator WHERE oprnamespace = 'public'::regnamespace) AS o`,
  );
  assert.ok((planted?.f ?? 0) > 500 && (planted?.o ?? 0) > 500, JSON.stringify(planted));

  const columns = ["id", "v", "n"];
  for (const [run, onConflict, records] of [
    ["copy", "update", Array.from({ length: 50 }, (_, i) => `${i},a,1`)],
    ["look", "update", Array.from({ length: 50 }, (_, i) => `${i},${i % 3},1`)],
    ["last", "update", Array.from({ length: 50 }, (_, i) => `${i % 9},${i},1`)],
    ["bad", "update", Array.from({ length: 50 }, (_, i) => `${i},b,${i === 9 ? 5000 : i === 3 ? "x" : i}`)],
    ["ignore", "ignore", ["1,c,1", "77,c,1"]],
    ["fail", "fail", ["1,c,1", "78,c,1", "78,c,1"]],
  ] as const) {
    const sink = await postgres({ url, table: "t", onConflict, set: { at: "now()" } }).open(
      context(columns, { run }),
    );
    await writeChunks(sink, columns, records);
    const again = await sink.writer(0, 2);
    await again.close();
    await sink.finalize();
  }
  const texts = await postgres({ url, table: "w" }).open(context(["v", "n", "t"], { run: "texts" }));
  const writer = await only(texts);
  for (const _ of [1, 2]) await write(writer, csvChunk(["v", "n", "t"], ["a,1,x", "b,2,y", "b,3,y"]));
  await writer.close();

  for (const key of [["id"], ["k"], ["id", "v"]]) {
    const where = "k IS NOT NULL AND v IS NOT NULL";
    await client.query("UPDATE t SET k = id::text");
    const throttle = [
      whileBusy({ url, connections: 100 }),
      whileReplicaLags({ url, delay: "5s", size: 5 }),
      whileQuery({ url, sql: "SELECT false" }),
    ];
    const summary = await scene.run({
      source: table({ url, table: "t", key, where }),
      sink: update({ url, table: "t", key, set: { n: "1" } }),
      throttle,
    });
    assert.equal(summary.state, "succeeded", summary.note);
  }
  const transformed = await scene.run({
    source: table({ url, table: "t" }),
    transform: (row) => ({ id: row.id, n: row.id === "7" ? "5000" : "2", v: "z" }),
    sink: update({ url, table: "t" }),
  });
  assert.deepEqual([transformed.state, transformed.quarantined], ["succeeded", 1], transformed.note);
  const gone = await scene.run({ source: table({ url, table: "t" }), sink: del({ url, table: "t" }) });
  assert.deepEqual([gone.state, gone.written], ["succeeded", gone.read], gone.note);
});
