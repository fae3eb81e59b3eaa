import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type PostgresOptions, postgres, update } from "../../../src/connect/postgres/index.ts";
import { foreignObject } from "../../../src/postgres-ownership.ts";
import { databaseUrl, TestClient, TestServer } from "./server.ts";
import { context, openLoad, writeChunks } from "./sink/chunks.ts";

let server: TestServer;

before(async () => {
  server = await TestServer.start();
  await using client = await TestClient.connect(server.url);
  await client.query(
    `CREATE ROLE mallory LOGIN PASSWORD 'x'; CREATE ROLE alice LOGIN PASSWORD 'x'; CREATE ROLE bob LOGIN PASSWORD 'x';
     CREATE ROLE app; GRANT app TO alice, bob;`,
  );
});
after(() => server.stop());

/** A database in which everybody may create schemas and write to the table `t`. */
async function scene(): Promise<{ url: string; client: TestClient; as: (role: string) => string }> {
  const url = await server.createDatabase();
  const client = await TestClient.connect(url);
  const database = new URL(url).pathname.slice(1);
  await client.query(
    `CREATE TABLE t (id int PRIMARY KEY, v text); GRANT ALL ON t TO PUBLIC; GRANT CREATE, TEMP ON DATABASE ${database} TO PUBLIC`,
  );
  return { url, client, as: (role) => databaseUrl(url, database, role, "x") };
}

let rows = 0;

/** Loads one row; returns how the sink keeps its checkpoints. */
async function load(url: string, options: Partial<PostgresOptions> = {}): Promise<string> {
  const columns = ["id", "v"];
  const sink = await openLoad({ url, table: "t", ...options }, columns);
  await writeChunks(sink, columns, [`${++rows},x`]);
  await sink.finalize();
  return sink.guarantee;
}

const trap = `CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ALTER ROLE mallory SUPERUSER; RETURN new; END $$;`;

test("a schema that another role made first is refused, and its triggers do not run", async () => {
  const { url, client, as } = await scene();
  await using _ = client;
  await using mallory = await TestClient.connect(as("mallory"));
  await mallory.query(
    `CREATE SCHEMA pawl;
     CREATE TABLE pawl.checkpoint (run text, shard int, fence bigint, cursor jsonb, counts jsonb, done boolean DEFAULT false,
       backend int, backend_start timestamptz, updated_at timestamptz DEFAULT now(), PRIMARY KEY (run, shard));
     GRANT ALL ON SCHEMA pawl TO PUBLIC; GRANT ALL ON pawl.checkpoint TO PUBLIC;
     SET search_path = pawl; ${trap}
     CREATE TRIGGER t BEFORE INSERT ON pawl.checkpoint FOR EACH ROW EXECUTE FUNCTION trap();`,
  );
  const refusal = {
    code: "postgres.not-ours",
    message:
      /^The schema pawl at \S+ belongs to the role mallory, .* rights of postgres: .* GRANT mallory TO postgres;/,
  };
  await assert.rejects(load(url), refusal);
  await assert.rejects(
    update({ url, table: "t", set: { v: "'y'" } }).open(context(null, { run: "u" })),
    refusal,
  );
  await assert.rejects(load(as("alice")), { code: "postgres.not-ours", message: /GRANT mallory TO alice;/ });
  const [row] = await client.query("SELECT rolsuper FROM pg_roles WHERE rolname = 'mallory'");
  assert.deepEqual(row, { rolsuper: false });
  // A superuser who takes the schema over has not taken its trigger away.
  await client.query("ALTER SCHEMA pawl OWNER TO postgres");
  await assert.rejects(load(url), /^PawlError: The table pawl\.checkpoint at .* belongs to the role mallory/);
  await client.query("ALTER TABLE pawl.checkpoint OWNER TO postgres");
  await assert.rejects(load(url), /Pawl did not make the trigger t on pawl\.checkpoint/);
  await client.query("DROP TRIGGER t ON pawl.checkpoint");
  assert.equal(await load(url), "transactional");
});

test("a checkpoint table that carries code of others is refused, whatever form it has", async () => {
  const { url, client } = await scene();
  await using _ = client;
  await load(url);
  await client.query(
    `${trap} CREATE FUNCTION f(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
     CREATE FUNCTION g() RETURNS jsonb LANGUAGE sql AS $$ SELECT '{}'::jsonb $$; CREATE DOMAIN d AS text CHECK (f(length(VALUE)))`,
  );
  const forms = [
    [
      "CREATE TRIGGER x AFTER UPDATE ON pawl.checkpoint EXECUTE FUNCTION trap()",
      "the trigger x on pawl.checkpoint",
    ],
    ["CREATE RULE x AS ON INSERT TO pawl.checkpoint DO ALSO SELECT 1", "the rule x on pawl.checkpoint"],
    ["CREATE POLICY x ON pawl.checkpoint USING (true)", "the policy x on pawl.checkpoint"],
    ["ALTER TABLE pawl.checkpoint ALTER cursor SET DEFAULT g()", "a default that uses g"],
    ["ALTER TABLE pawl.checkpoint ADD CHECK (f(shard))", "a constraint that uses f"],
    ["ALTER TABLE pawl.checkpoint ADD x d", "a type that uses d"],
    [
      "ALTER TABLE pawl.checkpoint ADD x boolean GENERATED ALWAYS AS (f(shard)) STORED",
      "a default that uses f",
    ],
    ["CREATE INDEX x ON pawl.checkpoint (f(shard))", "an index that uses f"],
    ["CREATE INDEX x ON pawl.checkpoint (run) WHERE f(shard)", "an index that uses f"],
    ["CREATE TABLE x () INHERITS (pawl.checkpoint)", "the table x, which inherits from pawl.checkpoint"],
  ] as const;
  const found = async () =>
    await foreignObject(
      (sql, values) => client.query(sql, [...values]),
      { schema: "pawl", tables: ["checkpoint"] },
      "here",
    );
  assert.equal(await found(), null);
  for (const [sql, what] of forms) {
    await client.query(`BEGIN; ${sql}`);
    const sentence = await found();
    await client.query("ROLLBACK");
    assert.ok(sentence?.startsWith(`Pawl did not make ${what}`), `${sql}: ${sentence}`);
  }
  await client.query(
    "CREATE ROLE eve; ALTER FUNCTION f(int) OWNER TO eve; CREATE SCHEMA s AUTHORIZATION eve",
  );
  const functions = { schema: "public", tables: [], functions: ["f"] };
  const owned = await foreignObject((sql, values) => client.query(sql, [...values]), functions, "here");
  assert.match(owned ?? "", /^The function public\.f at here belongs to the role eve/);
});

test("roles of one group share the checkpoints of a schema that is the group's", async () => {
  const { client, as } = await scene();
  await using _ = client;
  await client.query("CREATE SCHEMA pawl AUTHORIZATION app");
  assert.equal(await load(as("alice")), "transactional");
  assert.equal(await load(as("bob")), "transactional");
});

test("a role that may not use the checkpoints is told which GRANT is missing, and needs no other", async () => {
  const { url, client, as } = await scene();
  await using _ = client;
  await load(url);
  const note = await told(as("bob"));
  const grants = note.match(/GRANT [^;)]* TO bob/g) ?? [];
  assert.deepEqual(grants, [
    "GRANT USAGE ON SCHEMA pawl TO bob",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON pawl.checkpoint TO bob",
  ]);
  // Where nothing but a checkpoint makes it safe, the refusal says the same.
  const sink = update({ url: as("bob"), table: "t", set: { v: "'y'" } });
  const open = await sink.open(context(null, { run: "u" }));
  assert.equal(open.guarantee, "none");
  assert.match(open.notes.join(), /GRANT USAGE ON SCHEMA pawl TO bob; GRANT SELECT/);
  await client.query(grants.join("; "));
  assert.equal(await load(as("bob")), "transactional");
});

/** What a load that keeps no checkpoints says. */
async function told(url: string): Promise<string> {
  const sink = await openLoad({ url, table: "t" }, ["id", "v"]);
  assert.equal(sink.guarantee, "idempotent");
  return sink.notes.join();
}

test("a role that may not create schemas is told what would let it keep checkpoints", async () => {
  const { client, as, url } = await scene();
  await using _ = client;
  await client.query(`REVOKE CREATE ON DATABASE ${new URL(url).pathname.slice(1)} FROM PUBLIC`);
  const sink = await postgres({ url: as("bob"), table: "t" }).open(context(["id", "v"], { run: "none" }));
  assert.equal(sink.guarantee, "idempotent");
  assert.match(
    sink.notes.join(),
    /GRANT CREATE ON DATABASE to bob, or CREATE SCHEMA pawl AUTHORIZATION bob\)/,
  );
  await client.query("CREATE SCHEMA pawl AUTHORIZATION bob");
  assert.equal(await load(as("bob")), "transactional");
});
