/**
 * Pawl's main job, end to end: a CSV with awkward rows goes into PostgreSQL, the loader is killed half-way with
 * SIGKILL, the same command goes on where it stopped, and every row is there once.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { runSql, startEmbedded, stopEmbedded } from "../src/connect/postgres/index.ts";

const ROWS = 300_000;
const root = fileURLToPath(new URL("..", import.meta.url));
const file = ".pawl/demo.csv";
const postgres = `${root}.pawl/postgres`;

function say(sentence: string): void {
  process.stdout.write(`\n\x1b[1m${sentence}\x1b[0m\n`);
}

/** Rows with quoted newlines, doubled quotes and commas; one in ten thousand cannot be loaded. */
async function writeCsv(): Promise<number> {
  await mkdir(`${root}.pawl`, { recursive: true });
  const out = createWriteStream(root + file);
  out.write("id,name,note,amount,joined\n");
  let bad = 0;
  for (let id = 1; id <= ROWS; id++) {
    let amount = `${((id * 7919) % 100_000) / 100}`;
    if (id % 10_000 === 77) {
      amount = bad++ % 2 === 0 ? "n/a" : "12,50 EUR";
    }
    const note = id % 3 === 0 ? `"likes ""quotes"",\ncommas and new lines"` : "plain";
    const month = String((id % 12) + 1).padStart(2, "0");
    const line = `${id},Person ${id},${note},${amount},2026-${month}-15\n`;
    if (!out.write(line)) await once(out, "drain");
  }
  out.end();
  await once(out, "finish");
  return bad;
}

const command = ["load", file, "--table", "demo_people", "--max-quarantined", "1%"];

function pawl(args: readonly string[]) {
  say(`$ npx pawl ${args.join(" ")}`);
  const env = { ...process.env };
  delete env.PAWL_STORE;
  return spawn(process.execPath, ["bin/pawl.cjs", ...args], {
    cwd: root,
    env,
    stdio: ["ignore", "inherit", "inherit"],
  });
}

/** Rows the target has committed, by its own checkpoints. */
async function committed(url: string): Promise<number> {
  try {
    const { rows } = await runSql(url, "SELECT count(*)::int AS n FROM demo_people");
    return Number(rows[0]?.n ?? 0);
  } catch {
    return 0;
  }
}

async function main(): Promise<void> {
  say("Starting the embedded PostgreSQL and writing a CSV…");
  const { url } = await startEmbedded(postgres);
  await runSql(url, "DROP TABLE IF EXISTS demo_people");
  await runSql(
    url,
    "CREATE TABLE demo_people (id bigint PRIMARY KEY, name text NOT NULL, note text, amount numeric(10,2), joined date)",
  );
  const bad = await writeCsv();
  process.stdout.write(`${ROWS.toLocaleString("en-US")} rows in ${file}, ${bad} of them bad\n`);

  say("Loading it, and killing the loader with SIGKILL half-way:");
  const victim = pawl([...command, "--restart"]);
  const gone = once(victim, "exit");
  while (victim.exitCode === null && (await committed(url)) < ROWS * 0.4) await sleep(10);
  victim.kill("SIGKILL");
  await gone;
  process.stdout.write(
    `\nkilled; PostgreSQL holds ${(await committed(url)).toLocaleString("en-US")} committed rows\n`,
  );

  say("The same command again goes on where it stopped:");
  const [code] = await once(pawl(command), "exit");
  await once(pawl(["quarantine", "last"]), "exit");
  const { rows } = await runSql(
    url,
    "SELECT count(*)::int AS rows, count(DISTINCT id)::int AS ids FROM demo_people",
  );
  const found = rows[0] as { rows: number; ids: number };
  if (code !== 3 || found.rows !== ROWS - bad || found.ids !== found.rows) {
    throw new Error(
      `the table holds ${found.rows} rows where ${ROWS - bad} were expected (exit code ${code})`,
    );
  }
  say(`${found.rows.toLocaleString("en-US")} rows, each once; ${bad} quarantined. See the data with`);
  process.stdout.write('npx pawl sql "SELECT * FROM demo_people ORDER BY id LIMIT 5"\n');
}

try {
  await main();
} finally {
  await stopEmbedded(postgres);
}
