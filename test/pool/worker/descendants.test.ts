import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Pool } from "../../../src/pool/index.ts";
import { Cgroup } from "../../../src/pool/worker/descendants.ts";
import { DESCENDANTS, startsAndDies, startsAndHangs } from "../fixtures/descendants.ts";

/** `PAWL_RUNS=200` for the long version. */
const RUNS = Number(process.env.PAWL_RUNS ?? 4);

/** Where no control group can be made, a process that left its process group lives on. */
const all = await (async () => {
  const cgroup = Cgroup.make();
  await cgroup?.remove();
  return cgroup !== null;
})();

async function notedIn(path: string): Promise<number[]> {
  const text = await readFile(path, "utf8").catch(() => "");
  return text.trim().split("\n").map(Number);
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Resolves when none of them is left that must end; the test runner's time limit is the only one. */
async function allEnd(path: string, expected = DESCENDANTS): Promise<void> {
  const pids = await notedIn(path);
  if (pids.length === DESCENDANTS && !all) process.kill(pids.pop() as number, "SIGKILL");
  assert.ok(pids.length >= Math.min(expected, DESCENDANTS - (all ? 0 : 1)));
  while (pids.some((pid) => pid > 0 && lives(pid))) await sleep(5);
}

async function folderFor(context: { after(fn: () => Promise<void>): void }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "pawl-descendants-"));
  context.after(() => rm(folder, { recursive: true }));
  return folder;
}

test("a hard limit, a kill, a death and the end of a pool end what the worker had started as well", async (context) => {
  const folder = await folderFor(context);
  const ways: Readonly<Record<string, (pool: Pool, notes: string) => Promise<unknown>>> = {
    limit: async (pool, notes) => {
      const call = pool.submitWith({ timeout: { hard: 500 } }, startsAndHangs, notes);
      // The limit may strike before all of them are there.
      await assert.rejects(call.result(), { name: "TimeLimitError" });
    },
    kill: async (pool, notes) => {
      const call = pool.submit(startsAndHangs, notes);
      while ((await notedIn(notes)).length < DESCENDANTS) await sleep(5);
      call.cancel({ kill: true });
      await assert.rejects(call.result());
    },
    death: async (pool, notes) =>
      assert.rejects(pool.submit(startsAndDies, notes).result(), { name: "WorkerDiedError" }),
    terminate: async (pool, notes) => {
      const call = pool.submit(startsAndHangs, notes);
      while ((await notedIn(notes)).length < DESCENDANTS) await sleep(5);
      await pool.terminate();
      await assert.rejects(call.result());
    },
  };
  await using pool = new Pool({ workers: 1, isolate: "process" });
  for (let run = 0; run < RUNS; run++) {
    const [[way, end] = assert.fail()] = [Object.entries(ways)[run % 4]];
    const notes = join(folder, `${run}`);
    if (way === "terminate") {
      await using other = new Pool({ workers: 1, isolate: "process" });
      await end(other, notes);
    } else await end(pool, notes);
    await allEnd(notes, way === "limit" ? 0 : DESCENDANTS);
  }
});

test("a program that is killed leaves no worker behind, nor what that had started", async (context) => {
  const notes = join(await folderFor(context), "notes");
  const program = `
    import { Pool } from ${JSON.stringify(new URL("../../../src/pool/index.ts", import.meta.url).href)};
    import { startsAndHangs } from ${JSON.stringify(new URL("../fixtures/descendants.ts", import.meta.url).href)};
    await new Pool({ workers: 1, isolate: "process" }).submit(startsAndHangs, ${JSON.stringify(notes)}).result();`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], { stdio: "inherit" });
  while ((await notedIn(notes)).length < DESCENDANTS) await sleep(10);
  child.kill("SIGKILL");
  await allEnd(notes);
});
