/**
 * Random sequences of operations by several workers, with clocks that jump, held against a model. On failure
 * fast-check prints the seed and the shortest sequence that fails; `PAWL_SEED` runs a seed again.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { type Lease, type Outcome, openStore, type Store, type TaskRecord } from "../../src/store/index.ts";
import { ModelStore } from "./model.ts";
import { TestClock } from "./test-clock.ts";

interface Model {
  readonly store: ModelStore;
  readonly clock: TestClock;
  /** Every claim ever made, also those long lost. */
  readonly leases: Lease[];
}

/** Two openings of one file, used in turn: what one writes the other must see. */
interface Real {
  readonly stores: readonly [Store, Store];
  turn: number;
}

type Operation = (target: ModelStore | Store, model: Model) => unknown;

function comparable(tasks: readonly TaskRecord[]): TaskRecord[] {
  return tasks.map((task) => ({
    ...task,
    error: task.error?.startsWith("Poisoned") ? "Poisoned" : task.error,
  }));
}

/** Does the same to the store and to the model, and compares what they return and what they hold. */
class Step implements fc.AsyncCommand<Model, Real> {
  readonly #name: string;
  readonly #operation: Operation;

  constructor(name: string, operation: Operation) {
    this.#name = name;
    this.#operation = operation;
  }

  check(): boolean {
    return true;
  }

  async run(model: Model, real: Real): Promise<void> {
    const store = real.stores[real.turn++ % 2 === 0 ? 0 : 1];
    const actual = await this.#operation(store, model);
    const expected = this.#operation(model.store, model);
    assert.deepEqual(actual, expected, this.#name);
    assert.deepEqual(
      comparable(await store.query({ states: ["waiting", "leased", "succeeded", "dead", "cancelled"] })),
      comparable(model.store.all()),
      this.#name,
    );
  }

  toString(): string {
    return this.#name;
  }
}

function step(name: string, args: unknown, operation: Operation): Step {
  return new Step(`${name}(${JSON.stringify(args)})`, operation);
}

const queue = fc.constantFrom("q", "r");
const id = fc.constantFrom("a", "b", "c", "d", "e", "f");
const worker = fc.constantFrom("w1", "w2", "w3");
const ms = fc.nat({ max: 300 });
const selector = fc.oneof(
  fc.record({ ids: fc.array(id, { maxLength: 3 }) }),
  fc.record({ group: fc.constantFrom("g", "h") }),
  fc.record({ queue, states: fc.subarray(["waiting", "leased", "dead", "cancelled"] as const) }),
);
const newTask = fc.record(
  {
    id,
    queue,
    name: fc.constant("work"),
    payload: fc.jsonValue({ maxDepth: 1 }) as fc.Arbitrary<string>,
    group: fc.constantFrom("g", "h"),
    priority: fc.integer({ min: -1, max: 1 }),
    delayMs: ms,
  },
  { requiredKeys: ["id", "queue", "name", "payload"] },
);
const outcome: fc.Arbitrary<Outcome> = fc.oneof(
  fc.record({ state: fc.constant("succeeded" as const), result: fc.nat() }),
  fc.record({ state: fc.constant("retry" as const), delayMs: ms, error: fc.string() }),
  fc.record({ state: fc.constant("dead" as const), error: fc.string() }),
  fc.record({ state: fc.constant("cancelled" as const) }),
  fc.record({ state: fc.constant("snoozed" as const), delayMs: fc.option(ms) }),
);
/** Which of the claims made so far; most often one of the latest. */
const which = fc.array(fc.nat({ max: 4 }), { minLength: 1, maxLength: 3 });

function pick(model: Model, back: readonly number[]): Lease[] {
  return back.flatMap((n) => model.leases.at(-1 - n) ?? []);
}

const enqueue = fc
  .array(newTask, { maxLength: 4 })
  .map((tasks) => step("enqueue", tasks, (target) => target.enqueue(tasks)));
const claim = fc
  .record({ queues: fc.subarray(["q", "r"], { minLength: 1 }), n: fc.nat({ max: 3 }), leaseMs: ms, worker })
  .map((request) => step("claim", request, (target, model) => claimWith(target, model, request)));
const renew = fc
  .tuple(which, ms)
  .map((args) => step("renew", args, (target, model) => target.renew(pick(model, args[0]), args[1])));
const progress = fc
  .tuple(which, fc.nat())
  .map((args) =>
    step("progress", args, (target, model) =>
      target.progress(pick(model, args[0]).map((lease) => ({ ...lease, value: args[1] }))),
    ),
  );
const settle = fc
  .tuple(which, outcome)
  .map((args) =>
    step("settle", args, (target, model) =>
      target.settle(pick(model, args[0]).map((lease) => ({ ...lease, outcome: args[1] }))),
    ),
  );
const requestCancel = selector.map((chosen) =>
  step("requestCancel", chosen, (target) => target.requestCancel(chosen)),
);
const release = selector.map((chosen) => step("release", chosen, (target) => target.release(chosen)));
const sweep = fc
  .record({ deadWorkers: fc.subarray(["w1", "w2", "w3"]), poisonAfter: fc.integer({ min: 1, max: 4 }) })
  .map((options) => step("sweep", options, (target) => target.sweep(options)));
const due = fc.subarray(["q", "r"]).map((queues) => step("due", queues, (target) => target.due(queues)));
const advance = ms.map((by) =>
  step("advance", by, (target, model) => onlyOnce(target, () => model.clock.advance(by))),
);
const setWall = fc
  .integer({ min: -1_000, max: 1_000 })
  .map((by) => step("setWall", by, (target, model) => onlyOnce(target, () => model.clock.setWall(by))));
const reboot = fc.constant(
  step("reboot", "", (target, model) => onlyOnce(target, () => model.clock.reboot())),
);

/** What happens more often in life, or is needed before anything else can happen, stands here more often. */
const commands = [
  ...[enqueue, enqueue, claim, claim, claim, claim, renew, progress, progress, settle, settle],
  ...[requestCancel, release, release, sweep, sweep, due, advance, advance, setWall, reboot],
];

/** The clock is shared: it moves when the model takes its turn. */
function onlyOnce(target: ModelStore | Store, move: () => void): void {
  if (target instanceof ModelStore) move();
}

function claimWith(
  target: ModelStore | Store,
  model: Model,
  request: Parameters<ModelStore["claim"]>[0],
): Lease[] | Promise<Lease[]> {
  if (target instanceof ModelStore) {
    const leases = target.claim(request);
    model.leases.push(...leases);
    return leases;
  }
  return target.claim(request).then((claims) => claims.map(({ id, fence }) => ({ id, fence })));
}

test("the store does what the model does, whatever the workers and the clocks do", async () => {
  const seed = process.env.PAWL_SEED;
  await fc.assert(
    fc.asyncProperty(fc.commands(commands, { maxCommands: 60, size: "max" }), async (steps) => {
      const folder = await mkdtemp(join(tmpdir(), "pawl-model-"));
      const clock = new TestClock();
      const location = join(folder, "state.db");
      const stores = [await openStore(location, { clock }), await openStore(location, { clock })] as const;
      try {
        const model: Model = { store: new ModelStore(clock), clock, leases: [] };
        await fc.asyncModelRun(() => ({ model, real: { stores, turn: 0 } }), steps);
      } finally {
        for (const store of stores) await store.close();
        await rm(folder, { recursive: true });
      }
    }),
    { numRuns: 80, ...(seed === undefined ? {} : { seed: Number(seed) }) },
  );
});
