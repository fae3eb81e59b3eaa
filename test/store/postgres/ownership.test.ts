/** Schemas, tables, functions and triggers of a store that another role could have laid as a trap. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openStore } from "../../../src/store/index.ts";
import { migrations } from "../../../src/store/postgres/schema.ts";
import { databaseUrl, TestClient, TestServer } from "../../connect/postgres/server.ts";
import { newTask } from "../conformance/tasks.ts";

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

async function scene(): Promise<{ url: string; client: TestClient; as: (role: string) => string }> {
  const url = await server.createDatabase();
  const client = await TestClient.connect(url);
  const database = new URL(url).pathname.slice(1);
  await client.query(`GRANT CREATE ON DATABASE ${database} TO alice, mallory`);
  return { url, client, as: (role) => databaseUrl(url, database, role, "x") };
}

async function use(url: string, task: string): Promise<void> {
  await using store = await openStore(url);
  assert.deepEqual(await store.enqueue([newTask(task)]), [task]);
}

const trap = `CREATE FUNCTION public.trap() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN ALTER ROLE mallory SUPERUSER; RETURN new; END $$;`;

test("a store in a schema that another role made is refused before anything of it runs", async () => {
  const { url, client, as } = await scene();
  await using _ = client;
  await client.query("GRANT CREATE ON SCHEMA public TO mallory");
  await using mallory = await TestClient.connect(as("mallory"));
  // A store as Pawl makes it, with something of mallory's own.
  await use(as("mallory"), "t");
  await mallory.query(
    `GRANT ALL ON SCHEMA pawl TO PUBLIC; GRANT ALL ON ALL TABLES IN SCHEMA pawl TO PUBLIC; ${trap}
     CREATE TRIGGER x BEFORE INSERT ON pawl.task FOR EACH ROW EXECUTE FUNCTION public.trap()`,
  );
  await assert.rejects(openStore(url), {
    code: "store.not-ours",
    message: /^The schema pawl at \S+ belongs to the role mallory, .* GRANT mallory TO postgres;/,
  });
  await client.query(
    `ALTER SCHEMA pawl OWNER TO postgres; GRANT ALL ON SCHEMA pawl TO mallory;
     DO $$ DECLARE t text; BEGIN
       FOR t IN SELECT oid::regclass FROM pg_class WHERE relnamespace = 'pawl'::regnamespace AND relkind = 'r'
       LOOP EXECUTE 'ALTER TABLE ' || t || ' OWNER TO postgres'; END LOOP;
       FOR t IN SELECT oid::regclass FROM pg_class c WHERE relnamespace = 'pawl'::regnamespace AND relkind = 'S'
         AND pg_get_userbyid(relowner) = 'mallory'
       LOOP EXECUTE 'ALTER SEQUENCE ' || t || ' OWNER TO postgres'; END LOOP;
     END $$`,
  );
  // The functions and the trigger are still there.
  await assert.rejects(openStore(url), {
    code: "store.not-ours",
    message: /The function pawl\.\w+ at .* mallory/,
  });
  await client.query(
    "ALTER FUNCTION pawl.now_ms() OWNER TO postgres; ALTER FUNCTION pawl.follow_due() OWNER TO postgres",
  );
  await assert.rejects(openStore(url), { code: "store.not-ours", message: /the trigger x on pawl\.task/ });
  await client.query("DROP TRIGGER x ON pawl.task");
  await use(url, "u");
  const [row] = await client.query("SELECT rolsuper FROM pg_roles WHERE rolname = 'mallory'");
  assert.deepEqual(row, { rolsuper: false });
});

test("everything that the migrations make is looked at", async () => {
  const { url, client } = await scene();
  await using _ = client;
  await use(url, "t");
  const made = migrations
    .flatMap(({ sql }) => [...sql.matchAll(/CREATE (?:TABLE|SEQUENCE|FUNCTION) pawl\.(\w+)/g)])
    .map(([, name]) => name as string);
  assert.ok(made.length > 20);
  for (const name of [...made, "version"]) {
    const [found] = await client.query(
      `SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || oid::regclass AS what FROM pg_class
       WHERE relnamespace = 'pawl'::regnamespace AND relname = '${name}'
       UNION ALL SELECT 'FUNCTION ' || oid::regprocedure FROM pg_proc
       WHERE pronamespace = 'pawl'::regnamespace AND proname = '${name}'`,
    );
    await client.query(`ALTER ${found?.what} OWNER TO mallory`);
    await assert.rejects(openStore(url), {
      code: "store.not-ours",
      message: new RegExp(`pawl\\.${name} at`),
    });
    await client.query(`ALTER ${found?.what} OWNER TO postgres`);
  }
});

test("roles that act for one owner share a store, and another is told which GRANT is missing", async () => {
  const { client, as } = await scene();
  await using _ = client;
  await client.query("CREATE SCHEMA pawl AUTHORIZATION app");
  await use(as("alice"), "a");
  await use(as("bob"), "b");
  await client.query("CREATE SCHEMA own AUTHORIZATION alice; GRANT USAGE, CREATE ON SCHEMA own TO bob");
  await use(`${as("alice")}?schema=own`, "a");
  await assert.rejects(openStore(`${as("bob")}?schema=own`), {
    code: "store.not-ours",
    message: /belongs to the role alice, .* GRANT alice TO bob;/,
  });
});
