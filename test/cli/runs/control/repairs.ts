import assert from "node:assert/strict";
import { Scene } from "../../scene.ts";
import { type Stories, statusOf } from "./story.ts";

const TABLE = "CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, boss int REFERENCES people);";
const BAD = [
  "id,name,boss",
  "1,Ada,",
  'two,"Grace ""Amazing""',
  'Hopper",1',
  "3,Edsger,77",
  '4,,"1"',
  "5,Alan,1",
  "",
].join("\n");

async function loaded(server: Parameters<Stories[string]>[0], ...flags: string[]): Promise<Scene> {
  const scene = await Scene.begin(server, TABLE);
  await scene.write("people.csv", BAD);
  const { code, err } = await scene.load(["people.csv", "--table", "people", ...flags]);
  assert.equal(code, flags.length === 0 ? 3 : 4, err);
  return scene;
}

async function failuresCsv(scene: Scene, run: string): Promise<string> {
  const { out, code, err } = await scene.pawl(["quarantine", "export", run]);
  assert.equal(code, 0, err);
  return out;
}

export const repairs: Stories = {
  "failures are listed as a table, as JSON lines, and byte for byte as CSV": async (server) => {
    await using scene = await loaded(server);
    const table = await scene.pawl(["quarantine", "last"]);
    assert.match(
      table.out,
      /^where +reason\npeople\.csv line 3 +Column "id": invalid input.*\n +two,"Grace ""Amazing""\\nHopper",1\n/,
    );
    const lines = (await scene.pawl(["quarantine", "last", "--json"])).out.trim().split("\n");
    assert.deepEqual(
      lines.map((line) => JSON.parse(line).raw),
      ['two,"Grace ""Amazing""\nHopper",1', "3,Edsger,77", '4,,"1"'],
    );
    const csv = await failuresCsv(scene, "last");
    const plain = csv.replaceAll(/^(\d+),("(?:[^"]|"")*"|[^,]*),/gm, "#,");
    assert.equal(
      plain,
      'pawl_row,pawl_reason,id,name,boss\n#,two,"Grace ""Amazing""\nHopper",1\n#,3,Edsger,77\n#,4,,"1"\n',
    );
  },

  "what a transform or the table said about an item stays as it was, and what Pawl said names flags": async (
    server,
  ) => {
    await using scene = await Scene.begin(
      server,
      `CREATE TABLE said (id int PRIMARY KEY, name text);
       CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN IF NEW.id = 3 THEN RAISE 'give \`delimiter\` and \`restart: true\`'; END IF; RETURN NEW; END $$;
       CREATE TRIGGER refuse BEFORE INSERT ON said FOR EACH ROW EXECUTE FUNCTION refuse()`,
    );
    const thrown = "the `key` of `map: {a}` is wrong, `restart: now`";
    await scene.write(
      "check.ts",
      `export default (row) => { if (row.id === "2") throw new Error(${JSON.stringify(thrown)}); return row; };`,
    );
    await scene.write("said.csv", "id,name\n1,a\n2,b\n3,c\n");
    const raised = "Give `delimiter` and `restart: true`.";
    const load = ["said.csv", "--table", "said", "--transform", "check.ts"];
    const { out: planned } = await scene.load([...load, "--dry-run"]);
    const { code, out: summary, err } = await scene.load(load);
    assert.equal(code, 3, err);
    const { out: table } = await scene.pawl(["quarantine", "last"]);
    const { out: reasons } = await scene.pawl(["quarantine", "last", "--by", "reason"]);
    for (const shown of [planned, summary, table, reasons, await failuresCsv(scene, "last")]) {
      assert.ok(shown.includes(thrown), shown);
      assert.ok(shown.includes(raised), shown);
    }
  },

  "a replay of the rows as they were, once the table takes them": async (server) => {
    await using scene = await loaded(server);
    const { run } = await statusOf(scene);
    await scene.query("INSERT INTO people VALUES (77, 'Boss'); ALTER TABLE people ALTER name DROP NOT NULL");
    for (const flag of ["--into", "--url"]) {
      const other = await scene.pawl(["quarantine", "replay", run, flag, `${scene.url}_other`]);
      assert.equal(other.code, 2);
      assert.match(
        other.err,
        new RegExp(`: ${flag} can only give the same database again, with its password\\.\n$`),
      );
    }
    const first = await scene.pawl(["quarantine", "replay", run, "--into", scene.url]);
    assert.equal(first.code, 3, first.err);
    assert.deepEqual(await ids(scene), [1, 3, 4, 5, 77]);
    assert.equal((await failuresCsv(scene, run)).match(/Hopper/g)?.length, 1);
    assert.doesNotMatch(await failuresCsv(scene, run), /Edsger/);
    await scene.query(
      "ALTER TABLE people DROP CONSTRAINT people_boss_fkey; ALTER TABLE people ALTER id TYPE text",
    );
    const second = await scene.pawl(["quarantine", "replay", run, "--into", scene.url]);
    assert.equal(second.code, 0, second.err);
    const [grace] = await scene.query<{ name: string }>("SELECT name FROM people WHERE id = 'two'");
    assert.equal(grace?.name, 'Grace "Amazing"\nHopper');
    const third = await scene.pawl(["quarantine", "replay", run, "--into", scene.url]);
    assert.equal(third.code, 2);
    assert.match(third.err, /^pawl: Run \w+ has no items in quarantine\.\n$/);
  },

  "a corrected file may be corrected again": async (server) => {
    await using scene = await loaded(server);
    const { run } = await statusOf(scene);
    const csv = await failuresCsv(scene, run);
    const replay = ["quarantine", "replay", run, "--from", "mended.csv", "--into", scene.url];
    await scene.write("mended.csv", csv.replace("two,", "2,").replace(",77", ",88"));
    const first = await scene.pawl(replay);
    assert.equal(first.code, 3, first.err);
    assert.deepEqual(await ids(scene), [1, 2, 5]);
    const left = await failuresCsv(scene, run);
    assert.doesNotMatch(left, /Hopper/);
    assert.match(left, /Edsger/);
    // The same file with the rest corrected: its first row comes again, and is unchanged.
    await scene.write(
      "mended.csv",
      csv.replace("two,", "2,").replace(",77", ",1").replace("4,,", "4,Barbara,"),
    );
    const second = await scene.pawl(replay);
    assert.equal(second.code, 0, second.err);
    assert.deepEqual(await ids(scene), [1, 2, 3, 4, 5]);
    assert.match((await scene.pawl(["quarantine", run])).out, /has no items in quarantine/);
  },

  "a replay may be named in place of the run it replays, and nothing is appended twice": async (server) => {
    await using scene = await Scene.begin(server, "CREATE TABLE people (id int, name text NOT NULL)");
    await scene.write("people.csv", "id,name\n1,Ada\n2,\n3,\n");
    await scene.load(["people.csv", "--table", "people", "--on-conflict", "fail"]);
    const { run } = await statusOf(scene);
    const replay = (which: string) =>
      scene.pawl(["quarantine", "replay", which, "--from", "mended.csv", "--into", scene.url]);
    const mended = (await failuresCsv(scene, run)).replace("2,\n", "2,Grace\n");
    const [, ...lines] = mended.split("\n");
    await scene.write("mended.csv", `${mended}${lines.join("\n")}`);
    const twice = await replay(run);
    assert.equal(twice.code, 2);
    assert.match(
      twice.err,
      /^pawl: Row 3 of .*mended\.csv has the pawl_row \d+ of row 1, and would be written a second time/,
    );
    await scene.write("mended.csv", mended);
    assert.equal((await replay(run)).code, 3);
    const again = await replay("last");
    assert.equal(again.code, 2);
    assert.match(again.err, /^pawl: Row 1 of .*mended\.csv \(pawl_row \d+\) is not in the quarantine of run/);
    const left = await failuresCsv(scene, "last");
    await scene.write("mended.csv", left.replace("3,\n", "3,Edsger\n"));
    assert.equal((await replay("last")).code, 0);
    assert.deepEqual(await ids(scene), [1, 2, 3]);
    assert.match((await scene.pawl(["quarantine", run])).out, /has no items in quarantine/);
  },

  "a file that holds no failures of the run is refused": async (server) => {
    await using scene = await loaded(server);
    const replay = (from: string) =>
      scene.pawl(["quarantine", "replay", "last", "--from", from, "--into", scene.url]);
    const missing = await replay("mended.csv");
    assert.equal(missing.code, 2);
    assert.match(missing.err, /^pawl: The file mended\.csv to replay from does not exist\.\n$/);
    const plain = await replay("people.csv");
    assert.equal(plain.code, 2);
    assert.match(
      plain.err,
      /^pawl: people\.csv has no column pawl_row: --from takes a file that pawl quarantine export wrote.*\n$/,
    );
    await scene.write("other.csv", "pawl_row,pawl_reason,id,name,boss\n4711,why,9,Else,\n");
    const other = await replay("other.csv");
    assert.equal(other.code, 2);
    assert.match(other.err, /^pawl: Row 1 of .*other\.csv \(pawl_row 4711\) is not in the quarantine of run/);
    assert.deepEqual(await ids(scene), [1, 5]);
  },

  "a row of a corrected file without its number is refused before anything is written": async (server) => {
    await using scene = await Scene.begin(server, "CREATE TABLE people (id int, name text NOT NULL)");
    await scene.write("people.csv", "id,name\n1,Ada\n2,\n3,\n");
    await scene.load(["people.csv", "--table", "people", "--append"]);
    const { run } = await statusOf(scene);
    const fixed = (await failuresCsv(scene, run)).replace("2,\n", "2,Grace\n").replace("3,\n", "3,Edsger\n");
    const replay = ["quarantine", "replay", run, "--from", "fixed.csv", "--into", scene.url];
    for (const damaged of [
      "",
      "abc",
      "-1",
      "1e2",
      "2.0",
      "+2",
      "0x1",
      " ",
      "1 000",
      "99999999999999999999",
    ]) {
      await scene.write("fixed.csv", fixed.replace(/^\d+(?=,.*,3,Edsger$)/m, damaged));
      const { code, err } = await scene.pawl(replay);
      assert.equal(code, 2, `"${damaged}": ${err}`);
      assert.match(
        err,
        /^pawl: Row 2 of .*fixed\.csv (has no pawl_row|has the pawl_row ".+", which is not a whole number|\(pawl_row \d+\) is not in the quarantine)[^\n]*\n$/,
      );
    }
    assert.deepEqual(await ids(scene), [1]);
    await scene.write("fixed.csv", fixed);
    assert.equal((await scene.pawl(replay)).code, 0);
    assert.deepEqual(await ids(scene), [1, 2, 3]);
  },

  "a load that stopped at --max-quarantined continues when its rows are corrected": async (server) => {
    await using scene = await loaded(server, "--max-quarantined", "1");
    const load = ["people.csv", "--table", "people", "--max-quarantined", "1"];
    const { run } = await statusOf(scene);
    assert.equal((await scene.load(load)).code, 4, "nothing was corrected");
    const csv = await failuresCsv(scene, run);
    await scene.write(
      "mended.csv",
      csv.replace("two,", "2,").replace(",77", ",1").replace("4,,", "4,Barbara,"),
    );
    const replayed = await scene.pawl([
      "quarantine",
      "replay",
      run,
      "--from",
      "mended.csv",
      "--into",
      scene.url,
    ]);
    assert.equal(replayed.code, 0, replayed.err);
    const again = await scene.load(load);
    assert.match(again.err, new RegExp(`resuming run ${run}`));
    assert.deepEqual(await ids(scene), [1, 2, 3, 4, 5]);
    assert.equal((await statusOf(scene, run)).state, "succeeded");
  },

  "a list of failures may be cut short by its reader": async (server) => {
    await using scene = await Scene.begin(server, TABLE);
    const bad = Array.from({ length: 300 }, (_, row) => `x${row},${"long ".repeat(200)}\n`);
    await scene.write("people.csv", `id,name\n${bad.join("")}`);
    await scene.load(["people.csv", "--table", "people"]);
    const running = scene.start(["quarantine", "export", "last"]);
    running.child.stdout?.once("data", () => running.child.stdout?.destroy());
    const { code, err } = await running.ended;
    assert.equal(err, "");
    assert.equal(code, 0);
  },
};

async function ids(scene: Scene): Promise<number[]> {
  const rows = await scene.query<{ id: number }>("SELECT id FROM people ORDER BY id");
  return rows.map(({ id }) => id);
}
