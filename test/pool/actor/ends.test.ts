import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { actor, control } from "../../../src/pool/index.ts";
import { failureOf } from "../failure.ts";
import { resources } from "../resources.ts";
import { Tally, Tidy } from "./fixtures/classes.ts";

const program = join(import.meta.dirname, "fixtures", "idle-actors.ts");

const isWorker = (resource: string): boolean => /ProcessWrap|Worker/.test(resource);

for (const [isolate, actors] of [
  ["thread", 24],
  ["process", 10],
] as const) {
  suite(`an actor in a ${isolate}`, () => {
    test("that is closed makes the calls it has, ends what it holds and takes no more", async () => {
      const folder = await mkdtemp(join(tmpdir(), "pawl-actor-"));
      try {
        const tidy = await actor(Tidy, [join(folder, "tidy")], { isolate });
        const calls = [tidy.work(30), tidy.work(1)];
        const closed = control(tidy).close();
        assert.equal((await failureOf(tidy.work(1))).code, "pool.actor-closed");
        await closed;
        assert.deepEqual(await Promise.all(calls), [30, 1]);
        assert.equal(await readFile(join(folder, "tidy"), "utf8"), "tidy");
        await control(tidy).close();
        const bad = await actor(Tidy, [join(folder, "bad")], { isolate });
        await assert.rejects(control(bad).close(), { message: "it would not close" });
      } finally {
        await rm(folder, { recursive: true });
      }
    });

    test("that is ended fails the calls it has, however busy it is", async () => {
      const tally = await actor(Tally, [], { isolate, maxRestarts: 5 });
      const calls = Promise.allSettled([tally.spin(600_000), tally.add(1)]);
      await sleep(50);
      await control(tally).terminate();
      assert.deepEqual(
        (await calls).map((one) => one.status === "rejected" && one.reason.code),
        ["pool.actor-terminated", "pool.actor-terminated"],
      );
      assert.equal((await failureOf(tally.add(1))).code, "pool.actor-closed");
      await control(tally).terminate();
    });

    test(`leaves nothing behind, ${actors} times`, async () => {
      // What the tests before this one held is closed a moment after it has gone.
      for (let looks = 0; looks < 250 && resources().some(isWorker); looks++) await sleep(20);
      const before = resources();
      let early = 0;
      for (let n = 1; n <= actors; n++) {
        const tally = await actor(Tally, [], { isolate, maxRestarts: 1 });
        assert.equal(await tally.add(n), n);
        if (n % 10 === 0) await tally.exit().catch(() => {});
        if (n % 3 === 0) await control(tally).close();
        else if (n % 3 === 1) await control(tally).terminate();
        else await tally[Symbol.asyncDispose]();
        if (n === Math.floor(actors / 4)) early = process.memoryUsage.rss();
      }
      for (let looks = 0; looks < 250 && resources().length > before.length; looks++) await sleep(20);
      assert.deepEqual(resources(), before);
      const grown = process.memoryUsage.rss() - early;
      assert.ok(grown < 48 * 1024 * 1024, `${Math.round(grown / 1024 / 1024)} MB more`);
    });
  });
}

test("idle actors let the program end, and those whose handles are gone", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [program], { timeout: 60_000 });
  assert.equal(stdout, "1\n1\n");
});

for (const signal of ["SIGINT", "SIGTERM", "SIGKILL"] as const) {
  test(`a program that is ended by ${signal} leaves no actor behind, busy as it may be`, async () => {
    const child = spawn(process.execPath, [program, "busy"], { stdio: ["ignore", "pipe", "inherit"] });
    child.stdout.setEncoding("utf8");
    let said = "";
    while (!said.endsWith("\n")) said += (await once(child.stdout, "data"))[0];
    const pid = Number(said);
    assert.ok(existsSync(`/proc/${pid}`) || process.platform !== "linux");
    child.kill(signal);
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    for (;;) {
      try {
        process.kill(pid, 0);
      } catch {
        break;
      }
      await sleep(20);
    }
  });
}
