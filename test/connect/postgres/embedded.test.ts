import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { statSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { embeddedUrl, runSql, startEmbedded, stopEmbedded } from "../../../src/connect/postgres/index.ts";

let root: string;
let home: string;

before(async () => {
  root = await mkdtemp(join(tmpdir(), "pawl-embedded-"));
  await chmod(root, 0o755);
  home = join(root, "postgres");
});

after(async () => {
  await stopEmbedded(home, "immediate");
  await rm(root, { recursive: true, force: true });
});

const module = new URL("../../../src/connect/postgres/index.ts", import.meta.url).href;

/** Starts the server from a process of its own, which is then killed without notice. */
async function startElsewhere(): Promise<{ url: string; started: boolean }> {
  const script = `import { startEmbedded } from ${JSON.stringify(module)};
    process.stdout.write(JSON.stringify(await startEmbedded(${JSON.stringify(home)})), () => process.kill(process.pid, "SIGKILL"));`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  for await (const part of child.stdout) text += part;
  return JSON.parse(text);
}

test("processes that start it at once share one server, which outlives them", async () => {
  await assert.rejects(embeddedUrl(home), /no embedded PostgreSQL/);
  const servers = await Promise.all([startElsewhere(), startElsewhere(), startElsewhere()]);
  assert.equal(servers.filter((server) => server.started).length, 1);
  const again = await startEmbedded(home);
  assert.equal(again.started, false);
  for (const { url } of servers) assert.equal(url, again.url);
  assert.equal(await embeddedUrl(home), again.url);
  assert.equal(statSync(join(home, "password")).mode & 0o777, 0o600);
  const { rows } = await runSql(again.url, "SELECT current_database() AS d, inet_server_addr()::text AS a");
  assert.deepEqual(rows, [{ d: "pawl", a: "127.0.0.1/32" }]);
  const wrong = again.url.replace(/:[^:@]+@/, ":wrong@");
  await assert.rejects(runSql(wrong, "SELECT 1"), /refused the password/);
});

test("it comes back after a power cut, at the same address and with what was committed", async () => {
  const { url } = await startEmbedded(home);
  await runSql(url, "CREATE TABLE kept AS SELECT 7 AS n");
  await stopEmbedded(home, "immediate");
  await assert.rejects(runSql(url, "SELECT 1"), /cannot be reached/);
  const again = await startEmbedded(home);
  assert.deepEqual(again, { url, started: true });
  assert.deepEqual((await runSql(url, "SELECT n FROM kept")).rows, [{ n: 7 }]);
  await stopEmbedded(home);
  await stopEmbedded(home);
});

test("as root, a folder that the server's user cannot enter is named", {
  skip: process.getuid?.() !== 0,
}, async () => {
  await chmod(root, 0o700);
  await assert.rejects(startEmbedded(home), new RegExp(`may not enter ${root}`));
  await chmod(root, 0o755);
});
