import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { manyPeople, slowTable } from "../../load/slow-load.ts";
import { Scene, until } from "../../scene.ts";
import { quicken, type Stories, statusOf } from "./story.ts";

const TABLE = "CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL);";
const FIELDS = [
  "run",
  "state",
  "read",
  "written",
  "unchanged",
  "skipped",
  "quarantined",
  "duplicates",
  "seconds",
  "peakMemoryBytes",
];

const people = (...ids: number[]) => `id,name\n${ids.map((id) => `${id},Person ${id}\n`).join("")}`;

async function ids(scene: Scene): Promise<number[]> {
  const rows = await scene.query<{ id: number }>("SELECT id FROM people ORDER BY id");
  return rows.map(({ id }) => id);
}

export const inputs: Stories = {
  "files may be packed, several, a pattern, or standard input": async (server) => {
    await using scene = await Scene.begin(server, TABLE);
    await scene.write("a.csv.gz", gzipSync(people(1, 2)));
    await scene.write("b.csv.zst", zstdCompressSync(people(3, 4)));
    await scene.write("in/c.csv", people(5));
    await scene.write("in/d.csv", people(6, 7));
    await scene.write("e.csv", people(8));
    const load = async (...files: string[]) => {
      const { code, err, out } = await scene.load(
        [...files, "--table", "people", "--json"],
        files.includes("-") ? { input: people(9) } : {},
      );
      assert.equal(code, 0, err);
      return JSON.parse(out).written as number;
    };
    assert.equal(await load("a.csv.gz"), 2);
    assert.equal(await load("b.csv.zst"), 2);
    assert.equal(await load("in/*.csv"), 3);
    assert.equal(await load("e.csv", "in/c.csv"), 1);
    assert.equal(await load("-"), 1);
    assert.deepEqual(await ids(scene), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  },

  "--json prints one object and nothing else": async (server) => {
    await using scene = await Scene.begin(server, TABLE);
    await scene.write("people.csv", people(1, 2));
    const { code, out, err } = await scene.load(["people.csv", "--table", "people", "--json"]);
    assert.equal(code, 0);
    assert.equal(err, "");
    assert.equal(out.trim().split("\n").length, 1);
    assert.deepEqual(Object.keys(JSON.parse(out)), FIELDS);
    const list = await scene.pawl(["status", "--json"]);
    assert.deepEqual(Object.keys(JSON.parse(list.out)[0]), FIELDS);
    const one = JSON.parse((await scene.pawl(["status", "last", "--json"])).out);
    for (const field of [...FIELDS, "job", "workers", "shards", "history"]) assert.ok(field in one, field);
    const text = await scene.pawl(["status"]);
    assert.match(text.out, /^\w+ {2}\d{4}-\d\d-\d\d \d\d:\d\d {2}succeeded +2 rows {2}load people\n$/);
  },

  "--dry-run changes nothing anywhere": async (server) => {
    await using scene = await Scene.begin(server, TABLE);
    await scene.write("people.csv", people(1, 2));
    const catalogue =
      "SELECT nspname, relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace ORDER BY 1, 2";
    const before = await scene.query(catalogue);
    const plain = await scene.load(["people.csv", "--table", "people", "--dry-run"]);
    assert.equal(plain.code, 0, plain.err);
    assert.match(plain.out, /^would load people\.csv/);
    const create = await scene.load(["people.csv", "--table", "others", "--create", "--dry-run"]);
    assert.match(create.out, /Would create the table:\n.*CREATE TABLE/);
    const json = await scene.load(["people.csv", "--table", "people", "--dry-run", "--json"]);
    assert.equal(JSON.parse(json.out).guarantee, "transactional");
    assert.deepEqual(await scene.query(catalogue), before);
    assert.equal(await scene.count("people"), 0);
    assert.match((await scene.pawl(["status"])).out, /^no runs yet in /);
  },

  "pawl run takes a job with parameters, and goes on with it by the run's id": async (server) => {
    await using scene = await Scene.begin(server, slowTable(0));
    const source = (path: string) => new URL(`../../../../src/${path}/index.ts`, import.meta.url).href;
    await scene.write(
      "job.ts",
      `import { existsSync } from "node:fs";
       import { defineJob } from "${source("batch")}";
       import { csv } from "${source("connect/csv")}";
       import { postgres } from "${source("connect/postgres")}";
       export default ({ file, table }: Readonly<Record<string, string>>) =>
         defineJob({
           name: "people",
           source: csv(file!),
           transform: (row) => (row.id === "7" ? null : { ...row, name: row.name!.toUpperCase() }),
           sink: postgres({ url: process.env.DATABASE_URL!, table: table! }),
           throttle: [() => (existsSync("wait") ? "the file wait is there" : null)],
         });`,
    );
    await scene.write("people.csv.gz", manyPeople(1000));
    await scene.write("wait", "");
    const env = { DATABASE_URL: scene.url };
    const args = ["run", "job.ts", "--param", "file=people.csv.gz", "--param", "table=people"];
    const first = scene.start(args, { env });
    const { run } = await until("it waits", async () => {
      const status = await scene.status();
      return /waiting: the file wait is there/.test(status?.note ?? "") ? status : null;
    });
    assert.equal((await scene.pawl(["pause", run])).code, 0);
    assert.equal((await first.ended).code, 130);
    await rm(scene.path("wait"));
    await quicken(scene);
    const resumed = await scene.pawl(["resume", run.slice(0, 6), "--json"], { env });
    assert.equal(resumed.code, 0, resumed.err);
    const { written, skipped } = JSON.parse(resumed.out);
    assert.deepEqual({ written, skipped }, { written: 999, skipped: 1 });
    assert.equal((await statusOf(scene)).run, run);
    const [row] = await scene.query<{ name: string }>("SELECT name FROM people WHERE id = 1");
    assert.match(row?.name ?? "", /^PERSON NUMBER 1 /);
  },

  "what is wrong with a job in a module is said in the options of its code, whatever command works on it":
    async (server) => {
      await using scene = await Scene.begin(server, "CREATE TABLE people (id int PRIMARY KEY, name text)");
      const source = (path: string) => new URL(`../../../../src/${path}/index.ts`, import.meta.url).href;
      const module = (delimiter: string) => `
      import { defineJob } from "${source("batch")}";
      import { csv } from "${source("connect/csv")}";
      import { postgres } from "${source("connect/postgres")}";
      export default defineJob({
        name: "people",
        source: csv("people.csv", { delimiter: "${delimiter}" }),
        sink: postgres({ url: process.env.DATABASE_URL!, table: "people", onConflict: "update" }),
        maxQuarantined: 0,
      });`;
      await scene.write("job.mts", module(","));
      await scene.write("people.csv", "id,name\n1,Ada\nx,Bob\n");
      const env = { DATABASE_URL: scene.url };
      const first = await scene.pawl(["run", "job.mts"], { env });
      assert.equal(first.code, 4, first.err);
      await scene.query("ALTER TABLE people DROP CONSTRAINT people_pkey");
      for (const command of [
        ["run", "job.mts"],
        ["resume", "last"],
        ["quarantine", "replay", "last"],
      ]) {
        const { code, err } = await scene.pawl(command, { env });
        assert.notEqual(code, 0);
        assert.match(err, /name the columns of a unique index with `key`/, command.join(" "));
        assert.doesNotMatch(err, /--key|--append/, command.join(" "));
      }
      await scene.write("bad.mts", module("ab"));
      for (const command of ["run", "worker"]) {
        const { err } = await scene.pawl([command, "bad.mts"], { env });
        assert.match(err, /`delimiter` is "ab"/, command);
      }
    },

  "every command explains itself": async (server) => {
    await using scene = await Scene.begin(server);
    const commands = [
      "load",
      "run",
      "status",
      "attach",
      "pause",
      "resume",
      "cancel",
      "quarantine",
      "backfill",
      "copy",
      "verify",
      "worker",
      "tasks",
      "queues",
      "schedules",
      "retry",
      "dead",
      "sql",
      "postgres",
    ];
    for (const command of commands) {
      const { code, out, err } = await scene.pawl([command, "--help"]);
      assert.equal(code, 0);
      assert.equal(err, "");
      assert.match(out, new RegExp(`^Usage: pawl ${command} `));
      assert.match(out, /^Examples?:\n {2}\$ /m);
    }
  },
};
