/** Enqueues work of every kind until it is asked to stop, or killed. */
import { setTimeout as sleep } from "node:timers/promises";
import { type AnyTask, connect, type TaskHandle } from "../../../src/tasks/index.ts";
import { Random } from "../random.ts";
import { perhapsBroken } from "./broken.ts";
import { monotonicMs, ownHistory } from "./history.ts";
import { openPatiently } from "./open-patiently.ts";
import { recording } from "./recording.ts";
import { flowOf, tasks } from "./work.ts";

/** What a producer is told, as JSON. */
export interface ProducerOrders {
  readonly address: string;
  readonly seed: string;
  /** Between two calls, on average. */
  readonly pauseMs: number;
}

/** With so many tasks open it waits: the machine is slower than the producers. */
const MOST_OPEN = 400;

/** Keys that all producers use, so that they meet. */
const KEYS = 400;
const UNIQUE_KEYS = 4;

const { address, seed, pauseMs } = JSON.parse(process.argv[2] ?? "") as ProducerOrders;
const random = new Random(seed);
const history = ownHistory();
const store = recording(perhapsBroken(await openPatiently(address)), history);
const client = connect(store);
const recent: TaskHandle[] = [];
let stopped = false;
process.once("SIGTERM", () => {
  stopped = true;
});

const load = (most: number) => ({ ms: random.int(0, most), listens: random.chance(0.5) });

async function told(
  kind: string,
  key: string | null,
  call: () => Promise<TaskHandle<unknown>>,
): Promise<void> {
  const since = monotonicMs();
  const handle = await call();
  history.write({ what: "asked", since, id: handle.id, kind, key, created: handle.created });
  recent.push(handle);
  if (recent.length > 8) recent.shift();
}

async function send(task: AnyTask, input: unknown, options: object = {}, key: string | null = null) {
  const priority = random.pick([0, 0, 0, -1, 2]);
  const named = key === null ? {} : { key };
  await told(task.name, key, () => client.enqueue(task, input, { priority, ...options, ...named }));
}

async function flow(kind: Parameters<typeof flowOf>[0]): Promise<void> {
  const made = flowOf(kind, random);
  const keyed = random.chance(0.3) ? { key: `${kind}-${random.int(1, 50)}` } : {};
  await told(kind, keyed.key ?? null, () => client.enqueueFlow(made, { n: 0 }, keyed));
}

/** Some task of the latest ones; what it is by then is left to chance. */
async function cancel(): Promise<void> {
  if (recent.length === 0) return;
  const { id } = random.pick(recent);
  history.write({ what: "cancelling", id });
  const reached = await client.handle(id).cancel();
  history.write({ what: "cancelled", id, reached });
}

const WEIGHTS = {
  note: 18,
  later: 6,
  expiring: 3,
  slow: 14,
  flaky: 8,
  permanent: 4,
  child: 4,
  crash: 3,
  poison: 0.3,
  brisk: 1,
  rare: 0.5,
  solo: 6,
  keyed: 8,
  parent: 5,
  chain: 5,
  chord: 3,
  nested: 2,
  broken: 3,
  cancel: 8,
};

async function act(what: keyof typeof WEIGHTS): Promise<void> {
  switch (what) {
    case "later":
      return await send(tasks.note, load(30), { delay: random.int(1, 3_000) });
    case "expiring":
      return await send(tasks.note, load(30), { expires: random.int(1, 2_000) });
    case "keyed":
      return await send(tasks.note, load(30), {}, `key-${random.int(1, KEYS)}`);
    case "note":
    case "permanent":
    case "child":
    case "parent":
    case "poison":
      return await send(tasks[what], load(30));
    case "brisk":
    case "rare": {
      // More at once than the rate allows, so that it is the rate that they wait for.
      const most = what === "brisk" ? 60 : 12;
      const inputs = Array.from({ length: random.int(2, most) }, () => load(10));
      await client.enqueueMany(tasks[what], inputs);
      return;
    }
    case "slow":
      return await send(tasks.slow, load(1_500));
    case "flaky":
    case "crash":
      return await send(tasks[what], { ...load(30), times: random.int(1, 3) });
    case "solo":
      return await send(tasks.solo, { ...load(500), key: `u${random.int(1, UNIQUE_KEYS)}` });
    case "chain":
    case "chord":
    case "nested":
    case "broken":
      return await flow(what);
    case "cancel":
      return await cancel();
  }
}

process.stdout.write("ready\n");
for (let acts = 0; !stopped; acts++) {
  try {
    await act(random.weighted(WEIGHTS));
    if (acts % 10 === 0) {
      const open = (await store.queues()).map(({ counts }) => counts.waiting + counts.leased);
      if (open.reduce((sum, n) => sum + n, 0) > MOST_OPEN) await sleep(1_000);
    }
  } catch (error) {
    // What was not acknowledged may be stored or not; the checker accepts both.
    process.stderr.write(`${error}\n`);
  }
  await sleep(random.int(0, 2 * pauseMs));
}
await client.close();
await store.close();
