import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { runSql } from "pawl/connect/postgres";
import { TestServer } from "../../test/connect/postgres/server.ts";

const pawl = join(dirname(fileURLToPath(import.meta.resolve("pawl/package.json"))), "bin", "pawl.cjs");
const recipe = fileURLToPath(new URL("load.ts", import.meta.url));
const ROWS = 40_000;

let folder: string;
let server: TestServer;
let url: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "pawl-recipe-"));
  server = await TestServer.shared();
  ({ url } = server);
  await runSql(
    url,
    `CREATE TABLE customers (
      id bigint PRIMARY KEY, email text NOT NULL, name text, balance numeric(10,2), processed_at timestamptz)`,
  );
  const lines = ["id,email,name,balance"];
  for (let id = 1; id <= ROWS; id++) {
    const email = id % 10_000 === 1 ? "nobody" : ` User${id}@Example.COM`;
    const balance = id % 10_000 === 2 ? "a lot" : id / 100;
    lines.push(`${id},${email},"  Customer ${id}, Ltd. ",${balance}`);
  }
  await writeFile(join(folder, "customers.csv"), `${lines.join("\n")}\n`);
});

after(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

function start(...args: string[]): ChildProcess {
  return spawn(process.execPath, [pawl, "run", recipe, "--param", "file=customers.csv", ...args], {
    cwd: folder,
    env: { ...process.env, DATABASE_URL: url, PAWL_STORE: join(folder, "store.db") },
    stdio: ["ignore", "pipe", "inherit"],
  });
}

async function count(): Promise<number> {
  const { rows } = await runSql(url, "SELECT count(*)::int AS n FROM customers");
  return Number(rows[0]?.n);
}

it("loads cleaned and stamped rows once each, over a kill, and keeps the bad ones", async () => {
  const victim = start();
  const gone = once(victim, "exit");
  while (victim.exitCode === null && (await count()) === 0) await sleep(5);
  victim.kill("SIGKILL");
  await gone;

  const second = start("--json");
  const output: Buffer[] = [];
  second.stdout?.on("data", (data: Buffer) => output.push(data));
  const [code] = await once(second, "exit");
  const summary = JSON.parse(Buffer.concat(output).toString("utf8"));
  assert.equal(code, 3);
  assert.deepEqual(
    [summary.state, summary.read, summary.quarantined],
    ["succeeded", ROWS, 2 * (ROWS / 10_000)],
  );

  const { rows } = await runSql(
    url,
    `SELECT count(*)::int AS n, count(processed_at)::int AS stamped,
            count(*) FILTER (WHERE email = 'user' || id || '@example.com' AND name = 'Customer ' || id || ', Ltd.')::int AS clean
     FROM customers`,
  );
  const good = ROWS - summary.quarantined;
  assert.deepEqual(rows[0], { n: good, stamped: good, clean: good });
});
