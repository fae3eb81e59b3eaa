import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { openStore, type Store } from "pawl/store";
import { connect, pauseSchedule } from "pawl/tasks";
import { shop } from "./shop.ts";
import { night, nightFrom, REGIONS } from "./tasks.ts";

const pawl = join(dirname(fileURLToPath(import.meta.resolve("pawl/package.json"))), "bin", "pawl.cjs");
const here = import.meta.dirname;
const run = promisify(execFile);
const DAY = "2026-01-30";
const ORDERS = 2_000;

/** The stories of the recipe on one kind of store, which `address` gives once, knowing a folder that ends with the tests. */
export function pipeline(address: (folder: string) => string | Promise<string>): void {
  let folder: string;
  /** The region whose orders the shop holds back, until it is let go. */
  let heldBack: { readonly region: string; readonly until: Promise<void> } | undefined;
  let store: Store;
  let orders: Server;
  let env: NodeJS.ProcessEnv;
  const journal = () => join(folder, "journal");

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "pawl-pipeline-"));
    const given = await address(folder);
    store = await openStore(given);
    orders = shop(ORDERS, async (region) => {
      if (region === heldBack?.region) await heldBack.until;
    });
    await once(orders.listen(0, "127.0.0.1"), "listening");
    env = {
      ...process.env,
      PAWL_STORE: given,
      SHOP_URL: `http://127.0.0.1:${(orders.address() as AddressInfo).port}`,
      WORK: join(folder, "work"),
      JOURNAL: journal(),
      RETRY_BASE: "50ms",
    };
  });

  after(async () => {
    orders.close();
    orders.closeAllConnections();
    await store.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** A worker until the end of the test. */
  function work(test: TestContext): ChildProcess {
    const worker = spawn(
      process.execPath,
      [pawl, "worker", join(here, "tasks.ts"), "--queues", "pipeline:6"],
      {
        env,
        stdio: ["ignore", "ignore", "pipe"],
      },
    );
    worker.stderr?.resume();
    test.after(() => end(worker));
    return worker;
  }

  async function ended(task: string): Promise<number> {
    return (await store.query({ name: task, states: ["succeeded"] }, { limit: 1000 })).length;
  }

  async function notes(): Promise<string[]> {
    const text = await readFile(journal(), "utf8").catch(() => "");
    return text.split("\n").filter((line) => line !== "");
  }

  it("three regions of ten segments run side by side, and a kill in the middle repeats only what ran", async (test) => {
    const gate = Promise.withResolvers<void>();
    heldBack = { region: "EU", until: gate.promise };
    const victim = work(test);
    const client = connect(store);
    const handle = await client.enqueueFlow(nightFrom(night), { day: DAY });
    // In the middle: two regions are done, and the third one's orders are on their way.
    while ((await ended("report-region")) < 2) await sleep(20);
    await end(victim, "SIGKILL");
    gate.resolve();
    work(test);
    work(test);
    const result = (await handle.result()) as {
      file: string;
      revenue: number;
      regions: { region: string }[];
    };

    assert.deepEqual(
      result.regions.map(({ region }) => region),
      [...REGIONS],
    );
    assert.deepEqual(
      (await notes()).sort(),
      [`aggregate of ${handle.id}`, ...reportNotes(handle.id)].sort(),
      "each body ran once",
    );
    const tasks = await store.query({ flow: handle.id }, { limit: 1000 });
    // One that says the day, three by fetch, clean, features, ten segments and a report, and the aggregate.
    assert.equal(tasks.length, 1 + 3 * 14 + 1);
    assert.ok(tasks.every(({ state, failures }) => state === "succeeded" && failures === 0));
    const repeated = tasks.filter(({ fence }) => fence > 1);
    assert.deepEqual(
      repeated.map(({ name, fence }) => [name, fence]),
      [["fetch-orders", 2]],
    );

    const summary = JSON.parse(await readFile(result.file, "utf8"));
    assert.equal(summary.day, DAY);
    assert.equal(summary.revenue, await revenueOf(DAY));
  });

  it("the schedule fires each time once, though two workers look", async (test) => {
    heldBack = undefined;
    const before = (await notes()).length;
    await run(process.execPath, [join(here, "schedule.ts"), "--cron", "*/2 * * * * *"], { env });
    work(test);
    work(test);
    // The second aggregate is the proof that it fires again.
    while ((await notes()).slice(before).filter((line) => line.startsWith("aggregate")).length < 2)
      await sleep(50);
    assert.equal(await pauseSchedule("nightly", { store }), true);
    const begun = await store.query({ name: "night" }, { limit: 1000 });
    const flows = new Set(begun.map(({ flow }) => flow).filter((flow) => flow?.startsWith("nightly@")));
    const client = connect(store);
    for (const flow of flows) await client.handle(flow as string).result();
    const lines = (await notes()).slice(before).filter((line) => line.startsWith("aggregate"));
    assert.deepEqual(lines.sort(), [...flows].map((flow) => `aggregate of ${flow}`).sort());
    // Each time is a whole second of the schedule, and no two are the same.
    assert.ok([...flows].every((flow) => /^nightly@.*:[0-5][02468]\.000Z$/.test(flow as string)));
  });

  async function revenueOf(day: string): Promise<number> {
    let cents = 0;
    for (const region of REGIONS) {
      const text = await (await fetch(`${env.SHOP_URL}/orders?day=${day}&region=${region}`)).text();
      for (const line of text.trim().split("\n").slice(1)) {
        const [customer, amount] = line.split(",");
        if (customer !== "") cents += Math.round(Number(amount) * 100);
      }
    }
    return cents / 100;
  }
}

/** What the reports of a flow write, each of which ends one member of its group. */
const reportNotes = (flow: string) => REGIONS.map((region, index) => `report ${region} of ${flow}/${index}`);

async function end(child: ChildProcess, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill(signal);
  await gone;
}
