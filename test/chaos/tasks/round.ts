import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openStore, type Store } from "../../../src/store/index.ts";
import { removeSchedule, schedule } from "../../../src/tasks/index.ts";
import { Random } from "../random.ts";
import type { Arena } from "./arena.ts";
import type { Break } from "./broken.ts";
import { check, type Violation } from "./check.ts";
import { type Facts, readStore } from "./facts.ts";
import { History, readHistory } from "./history.ts";
import { type FaultKind, planFaults } from "./plan.ts";
import { ProcessSlot } from "./process-slot.ts";
import type { ProducerOrders } from "./producer-process.ts";
import { type Manned, strike } from "./strike.ts";
import { SCHEDULES, tasks } from "./work.ts";
import type { WorkerOrders } from "./worker-process.ts";

export interface RoundOptions {
  readonly seed: string;
  readonly folder: string;
  /** How many faults strike, at least. */
  readonly faults: number;
  readonly workers: number;
  readonly producers: number;
  readonly leaseMs: number;
  /** Nothing but this strikes. */
  readonly kind: FaultKind | null;
  /** What the workers' and producers' store does wrong. */
  readonly broken: Break | null;
}

export interface RoundResult {
  readonly violations: readonly Violation[];
  readonly facts: Facts;
  readonly struck: readonly FaultKind[];
}

const WORKER = fileURLToPath(new URL("./worker-process.ts", import.meta.url));
const PRODUCER = fileURLToPath(new URL("./producer-process.ts", import.meta.url));

const POISON_AFTER = 8;
const PAUSE_MS = 40;

/** So many faults last at a time. */
const AT_ONCE = 4;

/** When for so long nothing has ended that should, nothing ever will. */
const STILL_MS = 45_000;

/** Plays a round: faults strike workers and producers at work, until everything may come to its end, and is checked. */
export async function playRound(arena: Arena, options: RoundOptions): Promise<RoundResult> {
  const { folder, seed } = options;
  mkdirSync(folder, { recursive: true });
  const history = new History(join(folder, "history"), "run");
  await using store = await openStore(arena.address);
  for (const [catchUp, name] of [
    ["all", SCHEDULES.every],
    ["last", SCHEDULES.last],
  ] as const) {
    await schedule(name, tasks.pulse, { every: "1s", catchUp }, { store });
  }
  const workers: Manned[] = [];
  const producers: Manned[] = [];
  for (let n = 0; n < options.workers; n++) workers.push(await manWorker(n, arena, options));
  for (let n = 0; n < options.producers; n++) producers.push(await manProducer(n, arena, options));
  const struck: FaultKind[] = [];
  try {
    for (const { slot } of [...workers, ...producers]) slot.start();
    for (const { slot } of [...workers, ...producers]) await slot.ready();
    await disturb({ arena, workers, producers, history, store }, options, struck);
    for (const { slot } of producers) await slot.end("SIGTERM");
    for (const name of Object.values(SCHEDULES)) await removeSchedule(name, { store });
    await quiet(store, workers);
    for (const { slot } of workers) await slot.end("SIGTERM");
  } finally {
    for (const { slot } of [...workers, ...producers]) await slot.end("SIGKILL");
  }
  const facts: Facts = {
    entries: readHistory(join(folder, "history")),
    ...(await readStore(store)),
    deaths: [...workers, ...producers].flatMap(({ slot }) => slot.deaths),
    poisonAfter: POISON_AFTER,
    steadyClock: arena.driver === "postgres",
  };
  return { violations: check(facts), facts, struck };

  async function manWorker(n: number, arena: Arena, { leaseMs }: RoundOptions): Promise<Manned> {
    const { address, link } = await arena.way();
    const orders: WorkerOrders = {
      address,
      leaseMs,
      prefetch: n % 2 === 0 ? 0 : 6,
      poisonAfter: POISON_AFTER,
    };
    return { slot: man(`worker ${n}`, WORKER, () => orders), link };
  }

  async function manProducer(n: number, arena: Arena, _: RoundOptions): Promise<Manned> {
    const { address, link } = await arena.way();
    const orders = (start: number): ProducerOrders => ({
      address,
      seed: `${seed}/producer ${n}/${start}`,
      pauseMs: PAUSE_MS,
    });
    return { slot: man(`producer ${n}`, PRODUCER, orders), link };
  }

  function man(role: string, program: string, orders: (start: number) => unknown): ProcessSlot {
    return new ProcessSlot({ role, program, orders, folder, clock: arena.clock, broken: options.broken });
  }
}

/** Lets faults strike until there have been as many as wanted. */
async function disturb(
  field: Parameters<typeof strike>[1],
  { seed, faults, leaseMs, kind }: RoundOptions,
  struck: FaultKind[],
): Promise<void> {
  const { driver } = field.arena;
  const plan = planFaults(new Random(seed).fork("faults"), { driver, leaseMs, kind });
  const lasting = new Set<Promise<void>>();
  let failure: unknown;
  let blocked: Promise<void> = Promise.resolve();
  while (struck.length < faults && failure === undefined) {
    const fault = plan.next().value;
    await sleep(fault.gapMs);
    while (lasting.size >= AT_ONCE) await Promise.race(lasting);
    // The store cannot be stopped while it is stopped.
    if (fault.kind === "restart" || fault.kind === "lock") await blocked;
    const striking = strike(fault, field)
      .then((kinds) => {
        struck.push(...kinds);
      })
      .catch((error: unknown) => {
        failure ??= error;
      })
      .finally(() => lasting.delete(striking));
    if (fault.kind === "restart" || fault.kind === "lock") blocked = striking;
    lasting.add(striking);
  }
  await Promise.all(lasting);
  if (failure !== undefined) throw failure;
}

/** Waits until all tasks have ended, or nothing moves any more. */
async function quiet(store: Store, workers: readonly Manned[]): Promise<void> {
  let last = "";
  let movedAt = performance.now();
  for (;;) {
    const counts = (await store.queues()).map(({ counts }) => counts);
    if (counts.every(({ waiting, leased }) => waiting + leased === 0)) return;
    const now = JSON.stringify(counts);
    if (now !== last) movedAt = performance.now();
    last = now;
    if (performance.now() - movedAt > STILL_MS) return;
    for (const { slot } of workers) if (slot.pid === null) slot.start();
    await sleep(100);
  }
}
