import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { drawingOf } from "./digits.ts";

const recipe = join(import.meta.dirname, "serve.ts");
const run = promisify(execFile);

let folder: string;
let model: string;
let server: ChildProcess;
let url: string;

interface Answer {
  readonly digit: number;
  readonly probability: number;
  readonly worker: number;
}

interface Stats {
  readonly answered: number;
  readonly refused: number;
  readonly replicas: readonly { readonly state: string; readonly calls: number; readonly restarts: number }[];
}

async function predict(drawing: string): Promise<Response> {
  return await fetch(`${url}/predict`, { method: "POST", body: drawing });
}

async function stats(): Promise<Stats> {
  return (await (await fetch(`${url}/stats`)).json()) as Stats;
}

async function answers(count: number): Promise<Answer[]> {
  const all: Answer[] = [];
  for (let n = 0; n < count; n++) all.push((await (await predict(drawingOf(n % 10))).json()) as Answer);
  return all;
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "pawl-model-"));
  model = join(folder, "model.json");
  const { stdout } = await run(process.execPath, [recipe, "--init", "--model", model]);
  const [, right] = /(\d+\.\d) % of 2,000 unseen digits are right/.exec(stdout) ?? [];
  assert.ok(Number(right) > 90, stdout);
  server = spawn(process.execPath, [recipe, "--model", model, "--port", "0"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(server.stdout?.setEncoding("utf8") as NodeJS.ReadableStream, "data");
  url = /http:\S+/.exec(line)?.[0] ?? "";
});

after(async () => {
  server.kill("SIGKILL");
  await rm(folder, { recursive: true });
});

it("answers in turn from four replicas that have loaded the model once", async () => {
  // Nothing can be loaded now.
  await rename(model, `${model}.away`);
  const all = await answers(40);
  await rename(`${model}.away`, model);
  assert.deepEqual(
    all.map(({ digit }) => digit),
    all.map((_, n) => n % 10),
  );
  assert.ok(all.every(({ probability }) => probability > 0.5));
  const workers = all.map(({ worker }) => worker);
  assert.equal(new Set(workers).size, 4);
  assert.deepEqual(workers.slice(0, 4), workers.slice(36));
  const { answered, replicas } = await stats();
  assert.equal(answered, 40);
  assert.deepEqual(
    replicas.map(({ state, calls }) => `${state} ${calls}`),
    new Array(4).fill("ready 10"),
  );
});

it("refuses what is not a drawing", async () => {
  for (const body of ["", "#.#", "?".repeat(35), "#".repeat(100_000)])
    assert.equal((await predict(body)).status, 400);
  assert.equal((await fetch(`${url}/nowhere`)).status, 404);
  assert.equal((await stats()).refused, 4);
});

it("goes on when a replica dies, and has four again", async () => {
  const [victim] = await answers(1);
  assert.ok(victim);
  const load = Promise.all(Array.from({ length: 200 }, (_, n) => predict(drawingOf(n % 10))));
  process.kill(victim.worker, "SIGKILL");
  for (const response of await load) {
    // What the dead one was just answering may be asked again.
    assert.ok(response.status === 200 || response.status === 503, String(response.status));
    await response.text();
  }
  let now = await stats();
  while (now.replicas.some(({ state }) => state !== "ready")) {
    await sleep(50);
    now = await stats();
  }
  assert.deepEqual(now.replicas.map(({ restarts }) => restarts).toSorted(), [0, 0, 0, 1]);
  const workers = new Set((await answers(8)).map(({ worker }) => worker));
  assert.equal(workers.size, 4);
  assert.ok(!workers.has(victim.worker));
});

it("ends by SIGTERM, with its workers", async () => {
  const workers = new Set((await answers(4)).map(({ worker }) => worker));
  server.kill("SIGTERM");
  if (server.exitCode === null) await once(server, "exit");
  assert.equal(server.exitCode, 0);
  for (const worker of workers) assert.throws(() => process.kill(worker, 0), { code: "ESRCH" });
});

it("says what to do without a model", async () => {
  const missing = join(folder, "missing.json");
  await assert.rejects(run(process.execPath, [recipe, "--model", missing]), {
    code: 1,
    stderr: `There is no ${missing}: make it with --init, or name another with --model.\n`,
  });
});
