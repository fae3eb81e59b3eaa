import { errorText } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import type * as contract from "../contract.ts";
import { JsonText } from "../json-text.ts";
import { assertName, canBeHeld } from "../storable.ts";
import { listAttempts } from "./attempt-history.ts";
import { requestCancel } from "./cancel.ts";
import { recordChanges } from "./changes.ts";
import type { Driver } from "./driver.ts";
import { closeGroup, findGroup, listChildren } from "./groups.ts";
import { makeClaimable } from "./make-claimable.ts";
import { countQuarantined, listQuarantined, type QuarantinePage, replaceQuarantine } from "./quarantine.ts";
import {
  addSample,
  createRun,
  findRun,
  listRuns,
  listSamples,
  type RunFilter,
  runsElsewhere,
  updateRun,
} from "./runs.ts";
import {
  fireSchedule,
  isDue,
  listSchedules,
  type NewSchedule,
  pauseSchedule,
  putSchedule,
  removeSchedule,
} from "./schedules.ts";
import { query } from "./selector.ts";
import { settle } from "./settle.ts";
import type { StateTransitions } from "./state-transitions.ts";
import { run, sql } from "./statement.ts";
import { sweep } from "./sweep.ts";
import { heartbeat, listWorkers, removeWorker } from "./workers.ts";

/** A store in a database that speaks SQL. */
export class SqlStore<T extends StateTransitions> implements contract.Store {
  readonly location: string;
  readonly address: string;
  readonly concurrent: boolean;
  readonly #driver: Driver<T>;

  constructor(driver: Driver<T>) {
    this.location = driver.location;
    this.address = driver.address;
    this.concurrent = driver.concurrent;
    this.#driver = driver;
  }

  async enqueue(
    tasks: readonly contract.NewTask[],
    options: contract.StoreEnqueueOptions = {},
  ): Promise<string[]> {
    return await this.#driver.enqueue(tasks.map(snapshotOfTask), options);
  }

  async closeGroup(id: string, children: number): Promise<void> {
    await this.#driver.transition((transitions) => closeGroup(transitions, id, children));
  }

  async group(id: string): Promise<contract.GroupRecord | undefined> {
    if (!canBeHeld(id)) return undefined;
    return await this.#driver.read(() => findGroup(id));
  }

  async children(group: string, page: contract.ChildPage): Promise<contract.ChildRecord[]> {
    if (!canBeHeld(group)) return [];
    return await this.#driver.read(() => listChildren(group, page));
  }

  async claim(request: contract.ClaimRequest): Promise<contract.Claim[]> {
    if (request.queues.length === 0 || request.n <= 0) return [];
    return await this.#driver.claim(request);
  }

  async renew(leases: readonly contract.Lease[], leaseMs: number) {
    if (leases.length === 0) return { lost: [], cancelRequested: [] };
    return await this.#driver.renew(leases, leaseMs);
  }

  async settle(settlements: readonly contract.Settlement[]): Promise<{ lost: string[] }> {
    if (settlements.length === 0) return { lost: [] };
    const snapshots = settlements.map(snapshotOfSettlement);
    return await this.#driver.transition((transitions) => settle(transitions, this.#driver, snapshots));
  }

  async progress(reports: readonly contract.ProgressReport[]): Promise<{ lost: string[] }> {
    if (reports.length === 0) return { lost: [] };
    const snapshots = reports.map((report) => ({
      ...report,
      value: textOf(report.value, "progress", report),
    }));
    const result = await this.#driver.progress(snapshots);
    this.#driver.notify("results");
    return result;
  }

  async requestCancel(selector: contract.TaskSelector): Promise<number> {
    return await this.#driver.transition((transitions) => requestCancel(transitions, selector));
  }

  async makeClaimable(selector: contract.TaskSelector): Promise<number> {
    return await this.#driver.transition((transitions) => makeClaimable(transitions, selector));
  }

  async sweep(options: { readonly deadWorkers?: readonly string[]; readonly poisonAfter: number }) {
    const { deadWorkers = [], poisonAfter } = options;
    // Asked first, so that an idle sweep takes no lock and writes nothing.
    if (!(await this.#driver.canSweep(deadWorkers))) return { expired: [], poisoned: [] };
    return await this.#driver.transition((transitions) =>
      sweep(transitions, this.#driver, deadWorkers, poisonAfter),
    );
  }

  async claimableInMs(
    queues: readonly string[],
    buckets: readonly contract.BucketRate[] = [],
  ): Promise<number | null> {
    if (queues.length === 0) return null;
    return await this.#driver.claimableInMs(queues, buckets);
  }

  async query(selector: contract.TaskSelector, page: contract.Page = {}): Promise<contract.TaskRecord[]> {
    return await this.#driver.read(() => query(selector, page, this.location));
  }

  async attempts(id: string): Promise<contract.AttemptRecord[]> {
    if (!canBeHeld(id)) return [];
    return await this.#driver.read(() => listAttempts(id));
  }

  async queues(): Promise<contract.QueueRecord[]> {
    return await this.#driver.queues();
  }

  async pauseQueue(queue: string, paused: boolean): Promise<void> {
    assertName(queue, "queue");
    const statement = sql`INSERT INTO pawl.queue (name, paused) VALUES (${queue}, ${paused})
      ON CONFLICT (name) DO UPDATE SET paused = excluded.paused`;
    await this.#driver.transition(function* (transitions) {
      yield* run(statement);
      transitions.wakes = !paused;
    });
  }

  async prune(limit: number): Promise<number> {
    return await this.#driver.prune(limit);
  }

  async heartbeat(worker: contract.Heartbeat): Promise<void> {
    await this.#driver.write(() => heartbeat(worker));
  }

  async removeWorker(worker: string): Promise<void> {
    await this.#driver.write(() => removeWorker(worker));
  }

  async workers(withinMs: number): Promise<contract.WorkerRecord[]> {
    return await this.#driver.read(() => listWorkers(withinMs));
  }

  async putSchedule(schedule: NewSchedule): Promise<contract.ScheduleRecord> {
    const snapshot = snapshotOf(schedule, `Schedule ${JSON.stringify(schedule.id)}`);
    return await this.#driver.write(() => putSchedule(snapshot));
  }

  async pauseSchedule(id: string, paused: boolean, next?: contract.Instant | null): Promise<boolean> {
    if (!canBeHeld(id)) return false;
    return await this.#driver.write(() => pauseSchedule(id, paused, next));
  }

  async removeSchedule(id: string): Promise<boolean> {
    if (!canBeHeld(id)) return false;
    return await this.#driver.write(() => removeSchedule(id));
  }

  async schedules(): Promise<contract.ScheduleRecord[]> {
    return await this.#driver.read(() => listSchedules());
  }

  async fireSchedule(
    id: string,
    version: number,
    next: contract.Instant | null,
    tasks: readonly contract.NewTask[],
  ): Promise<boolean> {
    const fired = { id, version, next, tasks: tasks.map(snapshotOfTask) };
    if (!(await this.#driver.read(() => isDue(id, version)))) return false;
    return await this.#driver.transition((transitions) => fireSchedule(transitions, this.#driver, fired));
  }

  async recordChanges(forMs: number): Promise<void> {
    await this.#driver.write(() => recordChanges(forMs));
  }

  async changes(after: number | null, limit: number) {
    return await this.#driver.changes(after, limit);
  }

  onClaimable(listener: () => void): () => void {
    return this.#driver.listen("work", listener);
  }

  onSettled(listener: () => void): () => void {
    return this.#driver.listen("results", listener);
  }

  async createRun(run: contract.NewRun): Promise<{ run: contract.RunRecord; created: boolean }> {
    const snapshot = snapshotOf(run, `Run ${JSON.stringify(run.id)}`);
    return await this.#driver.write(() => createRun(snapshot));
  }

  async run(id: string): Promise<contract.RunRecord | undefined> {
    if (!canBeHeld(id)) return undefined;
    return await this.#driver.read(() => findRun(id));
  }

  async runs(filter: RunFilter): Promise<contract.RunRecord[]> {
    if (![filter.idPrefix, filter.key].every((each) => each === undefined || canBeHeld(each))) return [];
    return await this.#driver.read(() => listRuns(filter));
  }

  async updateRun(
    id: string,
    from: readonly contract.RunState[],
    patch: contract.RunPatch,
  ): Promise<boolean> {
    const snapshot = snapshotOf(patch, `What is known of run ${JSON.stringify(id)}`);
    try {
      return await this.#driver.write(() => updateRun(id, from, snapshot));
    } catch (error) {
      throw this.#driver.isDuplicateRun(error) ? runsElsewhere(id, error) : error;
    }
  }

  async addSample(run: string, value: contract.Json): Promise<void> {
    const snapshot = snapshotOf(value, `A sample of run ${JSON.stringify(run)}`);
    await this.#driver.write(() => addSample(run, snapshot, this.location));
  }

  async samples(run: string): Promise<contract.Sample[]> {
    return await this.#driver.read(() => listSamples(run));
  }

  async quarantine(
    run: string,
    shard: number,
    fromOrdinal: number,
    items: readonly contract.QuarantinedItem[],
    lease?: contract.Lease,
  ): Promise<void> {
    const driver = this.#driver;
    await driver.write(() => replaceQuarantine(driver, run, shard, fromOrdinal, items, lease));
  }

  async quarantined(run: string, page: QuarantinePage): Promise<contract.QuarantineRecord[]> {
    return await this.#driver.read(() => listQuarantined(run, page));
  }

  async quarantineCount(run: string, options: { readonly openOnly?: boolean } = {}): Promise<number> {
    return await this.#driver.read(() => countQuarantined(run, options.openOnly ?? false));
  }

  async now(): Promise<contract.Instant> {
    return await this.#driver.now();
  }

  async close(): Promise<void> {
    await this.#driver.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

// What a store is given is taken at the moment of the call: a driver may write it later, when the file is free or the
// server answers, and the caller may have changed its objects by then.

function snapshotOfTask(task: contract.NewTask): contract.NewTask {
  const { payload, meta } = task;
  // Left as it is where there is nothing: a driver compares the tasks of a batch to store those that are alike together.
  const bare = meta === undefined || meta === null;
  if (payload instanceof JsonText && (bare || meta instanceof JsonText)) return task;
  const snapshot = { ...task, payload: textOf(payload, "payload", task) };
  return bare ? snapshot : { ...snapshot, meta: textOf(meta, "meta", task) };
}

function snapshotOfSettlement(settlement: contract.Settlement): contract.Settlement {
  const { result } = settlement;
  if (result.state !== "succeeded") return settlement;
  const { value, next, meta } = result;
  if (isText(value) && isText(meta) && next === undefined) return settlement;
  return {
    ...settlement,
    result: {
      ...result,
      ...(value === undefined ? {} : { value: textOf(value, "result", settlement) }),
      ...(next === undefined ? {} : { next: next.map(snapshotOfTask) }),
      ...(meta === undefined ? {} : { meta: textOf(meta, "meta", settlement) }),
    },
  };
}

function isText(value: unknown): boolean {
  return value === undefined || value instanceof JsonText;
}

function textOf(value: unknown, what: string, { id }: { readonly id: string }): JsonText {
  if (value instanceof JsonText) return value;
  try {
    return JsonText.of(value);
  } catch (error) {
    throw unstorable(`The ${what} of task ${JSON.stringify(id)}`, error);
  }
}

/** A copy of what is all JSON and seldom given, such as a run or a schedule. */
function snapshotOf<T>(value: T, what: string): T {
  try {
    return JsonText.of(value).value() as T;
  } catch (error) {
    throw unstorable(what, error);
  }
}

function unstorable(what: string, error: unknown): PawlError {
  const why = errorText(error).split("\n", 1)[0] ?? "";
  return new PawlError("store.unstorable", `${what} cannot be stored as JSON: ${why}.`, { cause: error });
}
