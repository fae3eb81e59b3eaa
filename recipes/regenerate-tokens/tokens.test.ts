import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { runSql } from "pawl/connect/postgres";
import { TestServer } from "../../test/connect/postgres/server.ts";

const pawl = join(dirname(fileURLToPath(import.meta.resolve("pawl/package.json"))), "bin", "pawl.cjs");
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const ROWS = 40_000;

let folder: string;
let server: TestServer;
let url: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "pawl-recipe-"));
  server = await TestServer.shared();
  ({ url } = server);
  for (const flags of [
    ["--init", "--size", String(ROWS - 10)],
    ["--size", "10"],
  ]) {
    const [code] = await once(start(here("seed.ts"), ...flags), "exit");
    assert.equal(code, 0);
  }
  for (const sql of [
    "CREATE TABLE audit (id bigint, token uuid)",
    `CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN INSERT INTO audit VALUES (new.id, new.token); RETURN NULL; END $$`,
    "CREATE TRIGGER note_change AFTER UPDATE ON tickets FOR EACH ROW EXECUTE FUNCTION note_change()",
    "CREATE TABLE leaked AS SELECT id, token FROM tickets",
  ]) {
    await runSql(url, sql);
  }
});

after(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

function start(...args: string[]): ChildProcess {
  return spawn(process.execPath, args, {
    cwd: folder,
    env: { ...process.env, DATABASE_URL: url, PAWL_STORE: join(folder, "store.db"), PAWL_LEASE_MS: "3000" },
    stdio: ["ignore", "pipe", "inherit"],
  });
}

async function count(sql: string): Promise<number> {
  const { rows } = await runSql(url, `SELECT count(*)::int AS n ${sql}`);
  return Number(rows[0]?.n);
}

it("gives every ticket one new token, over a kill", async () => {
  const victim = start(pawl, "run", here("tokens.ts"));
  const gone = once(victim, "exit");
  while (victim.exitCode === null && (await count("FROM audit")) === 0) await sleep(5);
  victim.kill("SIGKILL");
  await gone;

  const second = start(pawl, "run", here("tokens.ts"), "--json");
  const output: Buffer[] = [];
  second.stdout?.on("data", (data: Buffer) => output.push(data));
  const [code] = await once(second, "close");
  const summary = JSON.parse(Buffer.concat(output).toString("utf8"));
  assert.equal(code, 0);
  assert.deepEqual([summary.state, summary.written], ["succeeded", ROWS]);
  assert.equal(await count("FROM audit"), ROWS);
  assert.equal(await count("FROM (SELECT DISTINCT id FROM audit) each"), ROWS);
  assert.equal(await count("FROM tickets JOIN audit USING (id, token)"), ROWS);
  assert.equal(await count("FROM tickets JOIN leaked USING (id, token)"), 0);
});
