import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { symlink } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { atEase, manyPeople, slowTable } from "../../load/slow-load.ts";
import { Scene, until } from "../../scene.ts";
import { assertWhole, LOAD, quicken, type Stories, statusOf, underWay } from "./story.ts";

const main = fileURLToPath(new URL("../../../../src/cli/main.ts", import.meta.url));

export const interruptions: Stories = {
  "pause stops the loader of another process, and resume goes on": async (server) => {
    const { scene, loader } = await underWay(server);
    await using _ = scene;
    const paused = await scene.pawl(["pause", "last"]);
    assert.equal(paused.code, 0, paused.err);
    assert.match(paused.out, /^run \w+ stops at its next checkpoints\n$/);
    const { code, out } = await loader.ended;
    assert.equal(code, 130);
    assert.match(out, /^run \w+ paused: paused by the user\n/);
    assert.match(out, /continue: +the same command again, or (?:PAWL_STORE=\S+ )?(?:npx )?pawl resume \w+/);
    assert.equal((await statusOf(scene)).state, "paused");
    await quicken(scene);
    const resumed = await scene.pawl(["resume", "last", "--into", scene.url]);
    assert.equal(resumed.code, 0, resumed.err);
    assert.match(resumed.err, /resuming run \w+ where it stopped/);
    await assertWhole(scene);
  },

  "cancel is for good: what was written stays, and the same load begins from the start": async (server) => {
    const { scene, loader } = await underWay(server);
    await using _ = scene;
    const { run } = await statusOf(scene);
    assert.equal((await scene.pawl(["cancel", run])).code, 0);
    assert.equal((await loader.ended).code, 130);
    assert.equal((await statusOf(scene, run)).state, "cancelled");
    assert.ok((await scene.count("people")) > 0);
    const resumed = await scene.pawl(["resume", run]);
    assert.equal(resumed.code, 2);
    assert.match(resumed.err, /^pawl: Run \w+ has been cancelled and cannot be resumed\.\n$/);
    const again = await scene.pawl(["pause", run]);
    assert.equal(again.code, 2);
    assert.match(again.err, /is cancelled already: there is nothing to pause/);
    await quicken(scene);
    const anew = await scene.load([...atEase(LOAD), "--json"]);
    assert.equal(anew.code, 0, anew.err);
    assert.notEqual(JSON.parse(anew.out).run, run);
  },

  "Ctrl-C once stops at a checkpoint, and the same load goes on and says so": async (server) => {
    const { scene, loader } = await underWay(server);
    await using _ = scene;
    loader.child.kill("SIGINT");
    const { code, err } = await loader.ended;
    assert.equal(code, 130);
    assert.match(err, /stopping at the next checkpoint; Ctrl-C again ends it at once/);
    const { run, state } = await statusOf(scene);
    assert.equal(state, "paused");
    await quicken(scene);
    const again = await scene.load(atEase(LOAD));
    assert.equal(again.code, 0, again.err);
    assert.match(again.err, new RegExp(`resuming run ${run} where it stopped`));
    await assertWhole(scene);
  },

  "Ctrl-C twice stops at once and loses nothing": async (server) => {
    const { scene, loader } = await underWay(server);
    await using _ = scene;
    loader.child.kill("SIGINT");
    await until("the first is answered", () => /stopping/.test(loader.err));
    loader.child.kill("SIGINT");
    assert.equal((await loader.ended).code, 130);
    await quicken(scene);
    const again = await scene.load(atEase(LOAD));
    assert.equal(again.code, 0, again.err);
    await assertWhole(scene);
  },

  "after a SIGKILL the same load goes on": async (server) => {
    const { scene, loader } = await underWay(server);
    await using _ = scene;
    loader.child.kill("SIGKILL");
    await loader.ended;
    const status = await scene.pawl(["status", "last"]);
    assert.match(
      status.out,
      /workers +none: the process is gone, continue with (?:PAWL_STORE=\S+ )?(?:npx )?pawl resume/,
    );
    await quicken(scene);
    const again = await scene.load(atEase(LOAD));
    assert.equal(again.code, 0, again.err);
    assert.match(again.err, /resuming run/);
    await assertWhole(scene);
  },

  "--restart gives an interrupted load up": async (server) => {
    const { scene, loader } = await underWay(server);
    await using _ = scene;
    loader.child.kill("SIGINT");
    await loader.ended;
    const { run } = await statusOf(scene);
    await quicken(scene);
    const anew = await scene.load([...atEase(LOAD), "--restart", "--json"]);
    assert.equal(anew.code, 0, anew.err);
    const summary = JSON.parse(anew.out);
    assert.notEqual(summary.run, run);
    assert.equal(summary.written + summary.unchanged, 20_000);
    assert.equal((await statusOf(scene, run)).state, "cancelled");
  },

  "what an interrupted load has added is not added again by one with other options": async (server) => {
    const { scene, loader } = await underWay(server, "--append");
    await using _ = scene;
    loader.child.kill("SIGKILL");
    await loader.ended;
    const { run } = await statusOf(scene);
    await quicken(scene);
    await scene.query("ALTER TABLE people DROP CONSTRAINT people_pkey");
    const [file = "", ...rest] = atEase(LOAD);
    await symlink(scene.path(file), scene.path("link.csv.gz"));
    for (const flags of [
      [...atEase(LOAD), "--append", "--null", "NA"],
      [...atEase(LOAD), "--on-conflict", "fail"],
      ["link.csv.gz", ...rest, "--append"],
      [
        file.replace("peo", "[p]eo"),
        ...rest.map((word) => (word === "people" ? "PUBLIC.People" : word)),
        "--append",
      ],
    ]) {
      const refused = await scene.load(flags);
      assert.equal(refused.code, 2, refused.err);
      assert.match(
        refused.err,
        new RegExp(`^pawl: Run ${run} adds the rows of .*pawl cancel ${run} and delete`),
      );
    }
    const same = await scene.load([...atEase(LOAD), "--append", "--max-quarantined", "5"]);
    assert.equal(same.code, 0, same.err);
    await assertWhole(scene);
    const more = await scene.load([...atEase(LOAD), "--append", "--null", "NA"]);
    assert.equal(more.code, 0, more.err);
    assert.equal(await scene.count("people"), 40_000);
  },

  "attach follows a load to its end and returns its exit code": async (server) => {
    const { scene, loader } = await underWay(server);
    await using _ = scene;
    const watcher = scene.start(["status", "last", "--watch"]);
    const follower = scene.start(["attach", "last", "--json"]);
    const human = scene.start(["attach", "last"]);
    await until("it is watched", () => /running/.test(watcher.out));
    await quicken(scene);
    assert.equal((await loader.ended).code, 0);
    const { code, out } = await follower.ended;
    assert.equal(code, 0);
    assert.equal(JSON.parse(out).read, 20_000);
    assert.match((await human.ended).err, /completed 100\.00 % \(20,000 rows\)/);
    const watched = await watcher.ended;
    assert.equal(watched.code, 0);
    assert.match(watched.out, /run \w+ {2}succeeded/);
  },

  "a detached load outlives its terminal": async (server) => {
    await using scene = await Scene.begin(server, slowTable(0.3));
    await scene.write("people.csv.gz", manyPeople(20_000));
    const args = ["load", ...LOAD, "--into", scene.url, "--detach"];
    // A shell of its own process group stands for the terminal.
    const shell = spawn("sh", ["-c", '"$@"; sleep 60', "sh", process.execPath, main, ...args], {
      cwd: scene.folder,
      env: { ...process.env, PAWL_STORE: scene.path(".pawl/store.db") },
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    shell.stdout.on("data", (text) => {
      said += text;
    });
    await until("it is detached", () => /continues in the background/.test(said));
    assert.match(said, /follow it: +(?:PAWL_STORE=\S+ )?(?:npx )?pawl attach \w+/);
    await until("rows arrive", () => scene.count("people"));
    process.kill(-(shell.pid as number), "SIGHUP");
    await new Promise((resolve) => shell.once("exit", resolve));
    assert.equal((await statusOf(scene)).state, "running");
    await quicken(scene);
    const attached = await scene.pawl(["attach", "last"]);
    assert.equal(attached.code, 0, attached.err);
    await assertWhole(scene);
  },
};
