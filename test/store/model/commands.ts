import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Lease,
  type NewGroup,
  type NewTask,
  PawlError,
  type Store,
  type TaskResult,
} from "../../../src/store/index.ts";
import type { TestClock } from "../test-clock.ts";
import { ModelStore } from "./model-store.ts";

export interface Model {
  readonly store: ModelStore;
  readonly clock: TestClock;
  /** Every claim ever made, also those long lost. */
  readonly leases: Lease[];
}

/** Two openings of one store, used in turn: what one writes the other must see. */
export interface Real {
  readonly stores: readonly [Store, Store];
  turn: number;
}

type Target = ModelStore | Store;
type Operation = (target: Target, model: Model) => unknown;

/** What poisoned a task is said in words of the store's own. */
function plain<T extends { readonly error: string | null }>(record: T): T {
  return { ...record, error: record.error?.replaceAll(/Poisoned[^.]*\.?/g, "Poisoned") ?? null };
}

/** All that can be seen of a store. */
async function everything(target: Target): Promise<unknown> {
  const every = { states: ["waiting", "leased", "succeeded", "dead", "cancelled"] } as const;
  const tasks = target instanceof ModelStore ? target.all() : await target.query(every);
  const attempts: unknown[] = [];
  const groups: unknown[] = [];
  for (const { id } of tasks) {
    if (target instanceof ModelStore) attempts.push(target.attempts(id));
    else attempts.push((await target.attempts(id)).map(({ result }) => result));
  }
  for (const id of JOINS) {
    const children =
      target instanceof ModelStore ? target.children(id) : await target.children(id, { limit: 99 });
    groups.push(await target.group(id), children.map(plain));
  }
  const schedules = (await target.schedules()).map(({ version: _, ...schedule }) => schedule);
  return { tasks: tasks.map(plain), attempts, groups, queues: await target.queues(), schedules };
}

/** The result, or the code of the error. Versions are left to the store. */
async function resultOf(work: () => unknown): Promise<unknown> {
  try {
    const result = await work();
    if (result === null || typeof result !== "object" || !("version" in result)) return result;
    const { version: _, ...rest } = result;
    return rest;
  } catch (error) {
    if (error instanceof PawlError) return error.code;
    throw error;
  }
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
    const actual = await resultOf(() => this.#operation(store, model));
    const expected = await resultOf(() => this.#operation(model.store, model));
    assert.deepEqual(actual, expected, this.#name);
    assert.deepEqual(await everything(store), await everything(model.store), this.#name);
  }

  toString(): string {
    return this.#name;
  }
}

function step(name: string, args: unknown, operation: Operation): Step {
  return new Step(`${name}(${JSON.stringify(args)})`, operation);
}

const JOINS = ["j", "k"];
const queue = fc.constantFrom("q", "r");
const id = fc.constantFrom("a", "b", "c", "d", "e", "f");
const group = fc.constantFrom(...JOINS);
const worker = fc.constantFrom("w1", "w2", "w3");
const ms = fc.nat({ max: 300 });
const child = fc.record({ group, index: fc.nat({ max: 3 }) }, { noNullPrototype: true });
const selector = fc.oneof(
  fc.record({ ids: fc.array(fc.oneof(id, fc.constantFrom("j.callback", "k.callback")), { maxLength: 3 }) }),
  fc.record({ flow: fc.constantFrom("g", "h") }),
  fc.record({ queue, states: fc.subarray(["waiting", "leased", "dead", "cancelled"] as const) }),
  fc.record({ states: fc.constant(["dead", "cancelled"] as const) }),
  fc.record({ name: fc.constantFrom("work", "play"), text: fc.constantFrom("A", "1", "{", "u") }),
  fc.record({ unique: fc.constantFrom("u", "v") }),
);
const shared = {
  queue,
  name: fc.constantFrom("work", "play"),
  payload: fc.jsonValue({ maxDepth: 1 }) as fc.Arbitrary<string>,
  flow: fc.constantFrom("g", "h"),
  priority: fc.integer({ min: -1, max: 1 }),
  delayMs: ms,
  expiresMs: ms,
  retentionMs: ms,
  meta: fc.nat(),
};
const requiredKeys = ["id", "queue", "name", "payload"] as const;
const loneTask: fc.Arbitrary<NewTask> = fc.record(
  {
    id,
    ...shared,
    held: fc.boolean(),
    unique: fc.constantFrom("u", "v"),
    bucket: fc.constantFrom("l", "m"),
  },
  { requiredKeys: [...requiredKeys] },
);
/** Now and then one that is a child of a group, which may not be there. */
const newTask: fc.Arbitrary<NewTask> = fc
  .tuple(loneTask, fc.option(child, { freq: 6 }))
  .map(([task, place]) => (place === null ? task : { ...task, childOf: place }));
const chord: fc.Arbitrary<{ tasks: NewTask[]; groups: NewGroup[] }> = fc
  .record({
    name: group,
    tasks: fc.array(loneTask, { maxLength: 3 }),
    callback: fc.record(shared, { requiredKeys: ["queue", "name", "payload"] }),
    outer: fc.option(child, { freq: 2 }),
    children: fc.option(fc.nat({ max: 3 })),
    need: fc.oneof(fc.constant("all" as const), fc.nat({ max: 3 })),
  })
  .map(({ name, tasks, callback, outer, children, need }) => ({
    tasks: [
      {
        ...callback,
        id: `${name}.callback`,
        held: true,
        // A group inside itself would wait for ever.
        ...(outer === null || outer.group === name ? {} : { childOf: outer }),
      },
      ...tasks.map((task, index) => ({ ...task, held: false, childOf: { group: name, index } })),
    ],
    groups: [
      { id: name, children: children === null ? null : tasks.length, need, callback: `${name}.callback` },
    ],
  }));
const result: fc.Arbitrary<TaskResult> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ state: fc.constant("succeeded" as const), value: fc.nat() }) },
  fc.record({
    state: fc.constant("succeeded" as const),
    next: fc.array(newTask, { maxLength: 2 }),
    successor: fc.option(id),
  }),
  chord.map(({ tasks, groups }) => ({
    state: "succeeded" as const,
    next: tasks,
    groups,
    successor: "j.callback",
  })),
  fc.record({ state: fc.constant("retry" as const), delayMs: ms, error: fc.string() }),
  fc.record({ state: fc.constant("dead" as const), error: fc.string() }),
  fc.record({ state: fc.constant("cancelled" as const) }),
  fc.record({
    state: fc.constant("crashed" as const),
    delayMs: ms,
    error: fc.string(),
    poisonAfter: fc.integer({ min: 1, max: 3 }),
  }),
  fc.record({ state: fc.constant("snoozed" as const), delayMs: fc.option(ms) }),
);
const buckets = fc.subarray(["l", "m"]).chain((names) =>
  fc.tuple(
    ...names.map((bucket) =>
      fc.record({
        bucket: fc.constant(bucket),
        intervalMs: fc.constantFrom(7.5, 50, 400),
        burst: fc.integer({ min: 1, max: 3 }),
      }),
    ),
  ),
);
/** Which of the claims made so far; most often one of the latest. */
const which = fc.array(fc.nat({ max: 4 }), { minLength: 1, maxLength: 3 });

function pick(model: Model, back: readonly number[]): Lease[] {
  return back.flatMap((n) => model.leases.at(-1 - n) ?? []);
}

const enqueue = fc
  .array(newTask, { maxLength: 4 })
  .map((tasks) => step("enqueue", tasks, (target) => target.enqueue(tasks)));
const compose = chord.map(({ tasks, groups }) =>
  step("enqueue", [tasks, groups], (target) => target.enqueue(tasks, { groups })),
);
const closeGroup = fc
  .tuple(group, fc.nat({ max: 3 }))
  .map((args) => step("closeGroup", args, (target) => target.closeGroup(...args)));
const claim = fc
  .record({
    queues: fc.subarray(["q", "r"], { minLength: 1 }),
    n: fc.nat({ max: 3 }),
    leaseMs: ms,
    worker,
    buckets,
  })
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
const settle = fc.tuple(which, result, fc.boolean()).map((args) =>
  step("settle", args, (target, model) =>
    target.settle(
      pick(model, args[0]).map((lease) => ({
        ...lease,
        result: args[1],
        ...(args[2] ? { log: "log" } : {}),
      })),
    ),
  ),
);
const requestCancel = selector.map((chosen) =>
  step("requestCancel", chosen, (target) => target.requestCancel(chosen)),
);
const makeClaimable = selector.map((chosen) =>
  step("makeClaimable", chosen, (target) => target.makeClaimable(chosen)),
);
const sweep = fc
  .record({ deadWorkers: fc.subarray(["w1", "w2", "w3"]), poisonAfter: fc.integer({ min: 1, max: 4 }) })
  .map((options) => step("sweep", options, (target) => target.sweep(options)));
const claimableInMs = fc
  .tuple(fc.subarray(["q", "r"]), buckets)
  .map((args) => step("claimableInMs", args, (target) => target.claimableInMs(...args)));
const pauseQueue = fc
  .tuple(queue, fc.boolean())
  .map((args) => step("pauseQueue", args, (target) => target.pauseQueue(...args)));
const prune = fc.constant(step("prune", "", (target) => target.prune(1_000)));

const scheduleId = fc.constantFrom("s", "t");
const inMs = fc.option(fc.integer({ min: -100, max: 300 }));
function at(model: Model, offset: number | null): number | null {
  return offset === null ? null : model.clock.wall() + offset;
}
const putSchedule = fc
  .tuple(scheduleId, fc.nat({ max: 1 }), fc.nat({ max: 1 }), inMs)
  .map((args) =>
    step("putSchedule", args, (target, model) =>
      target.putSchedule({ id: args[0], spec: args[1], task: args[2], next: at(model, args[3]) }),
    ),
  );
const pauseSchedule = fc
  .tuple(scheduleId, fc.boolean(), fc.option(inMs, { nil: undefined }))
  .map((args) =>
    step("pauseSchedule", args, (target, model) =>
      target.pauseSchedule(args[0], args[1], args[2] === undefined ? undefined : at(model, args[2])),
    ),
  );
const removeSchedule = scheduleId.map((one) =>
  step("removeSchedule", one, (target) => target.removeSchedule(one)),
);
const fireSchedule = fc
  .tuple(scheduleId, fc.boolean(), inMs, fc.array(loneTask, { maxLength: 2 }))
  .map((args) => step("fireSchedule", args, (target, model) => fireWith(target, model, ...args)));

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
export const commands = [
  ...[enqueue, enqueue, compose, compose, claim, claim, claim, claim, claim, renew, progress, progress],
  ...[
    settle,
    settle,
    settle,
    settle,
    requestCancel,
    makeClaimable,
    makeClaimable,
    sweep,
    sweep,
    claimableInMs,
    advance,
    advance,
  ],
  ...[closeGroup, pauseQueue, prune, putSchedule, pauseSchedule, removeSchedule, fireSchedule],
];

/** For a store whose machine has two clocks, which may be set and may begin again. */
export const clockCommands = [setWall, reboot];

/** The clock is shared: it moves when the model takes its turn. */
function onlyOnce(target: Target, move: () => void): void {
  if (target instanceof ModelStore) move();
}

function claimWith(
  target: Target,
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

async function fireWith(
  target: Target,
  model: Model,
  id: string,
  isCurrent: boolean,
  next: number | null,
  tasks: readonly NewTask[],
): Promise<boolean> {
  if (target instanceof ModelStore) return target.fireSchedule(id, isCurrent, at(model, next), tasks);
  const version = (await target.schedules()).find((schedule) => schedule.id === id)?.version ?? 0;
  return await target.fireSchedule(id, isCurrent ? version : version - 1, at(model, next), tasks);
}
