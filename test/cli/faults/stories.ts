import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { openStore } from "../../../src/store/index.ts";
import { databaseUrl, type TestServer } from "../../connect/postgres/server.ts";
import { atEase, manyPeople, QUICK, SMALL_CHUNKS, slowTable } from "../load/slow-load.ts";
import { type Outcome, Scene, until, writeLarge } from "../scene.ts";
import { assertKind, theSentence } from "./case.ts";

export type Story = (server: TestServer) => Promise<void>;

const PEOPLE = "CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL);";
const LOAD = ["people.csv", "--table", "people"];

function refused(outcome: Outcome, code: number, says: RegExp): void {
  assertKind(outcome.err, outcome.out);
  assert.match(theSentence(outcome.err), says);
  assert.equal(outcome.code, code);
}

/** A scene and the URL of a user of its database who may do only what `grants` says. */
async function withUser(
  server: TestServer,
  grants: string,
): Promise<{ scene: Scene; url: string; user: string }> {
  const scene = await Scene.begin(server, PEOPLE);
  const database = new URL(scene.url).pathname.slice(1);
  const user = `user_of_${database}`;
  await scene.query(`CREATE ROLE ${user} LOGIN PASSWORD 'open sesame'; ${grants.replaceAll("USER", user)}`);
  await scene.write("people.csv", "id,name\n1,Ada\n");
  return { scene, url: databaseUrl(scene.url, database, user, "open sesame"), user };
}

async function everythingStored(folder: string): Promise<Buffer> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Buffer.concat(await Promise.all(files.map(readIfThere)));
}

/** A process that ends takes the store's log along. */
async function readIfThere(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return Buffer.alloc(0);
    throw error;
  }
}

export const stories: Readonly<Record<string, Story>> = {
  "a user without rights on the table is told which to ask for": async (server) => {
    const { scene, url, user } = await withUser(server, "GRANT SELECT ON people TO USER");
    await using _ = scene;
    const outcome = await scene.pawl(["load", ...LOAD, "--into", url]);
    refused(
      outcome,
      2,
      new RegExp(`${user} may not write to public.people: GRANT INSERT, UPDATE ON public.people`),
    );
  },

  "a user who may not create the schema pawl loads all the same, and is told": async (server) => {
    const { scene, url } = await withUser(server, "GRANT SELECT, INSERT, UPDATE ON people TO USER");
    await using _ = scene;
    const { code, err } = await scene.pawl(["load", ...LOAD, "--into", url]);
    assert.equal(code, 0, err);
    assert.match(
      err,
      /may not keep checkpoints in .* after an interruption some rows are written once more, with the same result/,
    );
    assert.equal(await scene.count("people"), 1);
  },

  "no password is ever shown or stored": async (server) => {
    const { scene, url } = await withUser(server, "GRANT SELECT, INSERT, UPDATE ON people TO USER");
    await using _ = scene;
    const wrong = new URL(url);
    wrong.password = "close sesame";
    const outcomes = [
      await scene.pawl(["load", ...LOAD, "--into", wrong.href]),
      await scene.pawl(["load", ...LOAD, "--into", url]),
      await scene.pawl(["load", ...LOAD, "--into", `${url}?application_name=x`, "--detach"]),
    ];
    refused(outcomes[0] as Outcome, 2, /refused the password: correct it in the URL or in PGPASSWORD/);
    await until("the detached load is done", async () => (await scene.status())?.state === "succeeded");
    const said = outcomes.map(({ out, err }) => out + err).join("");
    const stored = await everythingStored(scene.folder);
    for (const secret of ["open sesame", "open%20sesame", "close sesame", "close%20sesame"]) {
      assert.ok(!said.includes(secret));
      assert.ok(!stored.includes(secret));
    }
  },

  "a load that is running elsewhere is not begun again": async (server) => {
    await using scene = await Scene.begin(server, slowTable(0.3));
    await scene.write("people.csv.gz", manyPeople(20_000));
    const load = ["people.csv.gz", "--table", "people", ...SMALL_CHUNKS];
    const first = scene.startLoad(load);
    await until("rows arrive", () => scene.count("people"));
    refused(
      await scene.load(atEase(load)),
      2,
      /already running as run \w+ .*: follow it with pawl attach \w+, or stop it/,
    );
    await scene.query(QUICK);
    assert.equal((await first.ended).code, 0);
    assert.equal(await scene.count("people"), 20_000);
  },

  "what is missing is deleted once, by the process that goes on after a kill": async (server) => {
    await using scene = await Scene.begin(server, slowTable(0.3));
    await scene.write("people.csv.gz", manyPeople(20_000));
    await scene.query("INSERT INTO people SELECT -n, 'gone' FROM generate_series(1, 50) n");
    const load = ["people.csv.gz", "--table", "people", "--delete-missing", ...SMALL_CHUNKS];
    const first = scene.startLoad(load);
    await until("rows arrive", async () => (await scene.count("people")) > 50);
    first.child.kill("SIGKILL");
    await first.ended;
    await scene.query(QUICK);
    const again = await scene.load([...atEase(load), "--json"]);
    assert.equal(again.code, 0, again.err);
    assert.match(JSON.parse(again.out).note, /50 of 20050 rows were deleted as missing/);
    const [ids] = await scene.query("SELECT min(id) AS least, count(*)::int AS n FROM people");
    assert.deepEqual(ids, { least: 1, n: 20_000 });
    assert.deepEqual(await scene.query("SELECT relname FROM pg_class WHERE relname LIKE 'seen%'"), []);
  },

  "an address with a signature is read on with a fresh one after a kill, and neither stands anywhere": async (
    server,
  ) => {
    await using scene = await Scene.begin(server, slowTable(0.3));
    const body = manyPeople(20_000);
    const web = createServer((_, response) => {
      response.writeHead(200, { "content-length": body.length, etag: '"one"' }).end(body);
    });
    await new Promise<void>((done) => web.listen(0, "127.0.0.1", done));
    try {
      const address = `http://127.0.0.1:${(web.address() as AddressInfo).port}/people.csv.gz`;
      const load = (sign: string) => [`${address}?${sign}`, "--table", "people", ...SMALL_CHUNKS];
      refused(
        await scene.load([...load("secret1"), "--detach"]),
        2,
        /--detach cannot take the query of http/,
      );
      const first = scene.startLoad(load("secret1"));
      await until("rows arrive", () => scene.count("people"));
      first.child.kill("SIGKILL");
      const { err } = await first.ended;
      await scene.query(QUICK);
      const without = await scene.pawl(["resume", "last", "--into", scene.url]);
      assert.match(
        without.err,
        /people\.csv\.gz\?… was given with a query or a password, which Pawl keeps nowhere/,
      );
      const again = await scene.load(atEase(load("secret2")));
      assert.equal(again.code, 0, again.err);
      assert.match(again.err, /resuming run \w+ where it stopped/);
      assert.equal(await scene.count("people"), 20_000);
      const files = await readdir(scene.path(""), { recursive: true, withFileTypes: true });
      assert.ok(files.length > 0);
      for (const file of files.filter((each) => each.isFile()))
        assert.ok(!(await readIfThere(join(file.parentPath, file.name))).includes("secret"), file.name);
      const said = err + without.err + without.out + again.err + again.out;
      assert.ok(!said.includes("secret"), said);
    } finally {
      web.close();
      web.closeAllConnections();
    }
  },

  "a file that changed after an interruption is refused, and nothing is lost": async (server) => {
    await using scene = await Scene.begin(server, slowTable(0.3));
    await scene.write("people.csv.gz", manyPeople(20_000));
    const load = ["people.csv.gz", "--table", "people", ...SMALL_CHUNKS];
    const first = scene.startLoad(load);
    await until("rows arrive", () => scene.count("people"));
    first.child.kill("SIGKILL");
    await first.ended;
    await scene.write("people.csv.gz", manyPeople(300));
    await scene.query(QUICK);
    refused(
      await scene.load(atEase(load)),
      2,
      /people\.csv\.gz had \d+ bytes and has \d+ now, so the checkpoints of run \w+ no longer fit: put the input back as it was, or start over with --restart/,
    );
    const again = await scene.load([...atEase(load), "--restart", "--json"]);
    assert.equal(again.code, 0, again.err);
    assert.equal(JSON.parse(again.out).read, 300);
  },

  "a row that is far too large is refused in bounded memory": async (server) => {
    await using scene = await Scene.begin(server, PEOPLE);
    const megabyte = "x".repeat(1 << 20);
    await writeLarge(scene.path("people.csv"), [
      'id,name\n1,Ada\n2,"',
      ...Array<string>(40).fill(megabyte),
      '"\n3,Alan\n',
    ]);
    // In a process of its own, which holds nothing of other commands.
    const outcome = await scene.startLoad([...LOAD, "--json"]).ended;
    refused(
      outcome,
      4,
      /people\.csv line 3: the record that starts here is larger than \d+ bytes; raise --max-record/,
    );
    assert.ok(JSON.parse(outcome.out).peakMemoryBytes <= 256 * 2 ** 20);
    assert.equal(await scene.count("people"), 0);
  },

  "the limit of a row's size can be set": async (server) => {
    await using scene = await Scene.begin(server, PEOPLE);
    await scene.write("people.csv", `id,name\n1,${"x".repeat(5000)}\n`);
    refused(await scene.load([...LOAD, "--max-record", "4KB"]), 2, /people\.csv line 2: .*--max-record/);
    assert.equal((await scene.load([...LOAD, "--max-record", "6KB"])).code, 0);
  },

  "a run that is not unique or not known is asked for again": async (server) => {
    await using scene = await Scene.begin(server);
    const store = await openStore(scene.path(".pawl/store.db"));
    for (const id of ["abc22", "abc33"])
      await store.createRun({ id, job: { name: "x", module: null, params: null }, key: id, identity: null });
    await store.close();
    refused(await scene.pawl(["pause", "abc"]), 2, /Several runs begin with "abc": .*; give more of the id/);
    refused(await scene.pawl(["pause", "zzz"]), 2, /No run begins with "zzz"/);
  },
};
