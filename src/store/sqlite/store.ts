import { PawlError } from "../../errors.ts";
import type * as contract from "../contract.ts";
import { assertName, canBeHeld } from "../storable.ts";
import { detached, takenReport, takenSettlement, takenTask } from "../taken.ts";
import { listAttempts } from "./attempts.ts";
import { requestCancel } from "./cancel.ts";
import { claim, progress, renew } from "./claims.ts";
import type { Connection } from "./connection.ts";
import { enqueue } from "./enqueue.ts";
import { closeGroup, findGroup, listChildren } from "./groups.ts";
import { firstInLine } from "./line.ts";
import { Moves } from "./moves.ts";
import { canPrune, prune } from "./prune.ts";
import { countQuarantined, listQuarantined, type QuarantinePage, replaceQuarantine } from "./quarantine.ts";
import { query } from "./query.ts";
import { listQueues, pauseQueue } from "./queues.ts";
import { listChanges, record } from "./recording.ts";
import { release } from "./release.ts";
import { createRun, findRun, listRuns, updateRun } from "./runs.ts";
import { addSample, listSamples } from "./samples.ts";
import {
  listSchedules,
  type NewSchedule,
  pauseSchedule,
  putSchedule,
  removeSchedule,
  tick,
} from "./schedules.ts";
import { settle } from "./settle.ts";
import { settleGroups } from "./settle-groups.ts";
import { canSweep, due, sweep } from "./sweep.ts";
import { noteWakeup, Wakeups } from "./wakeups.ts";
import { beat, leave, listWorkers } from "./workers.ts";

/** The store in one SQLite file. Each operation is documented in the contract. */
export class SqliteStore implements contract.Store {
  readonly location: string;
  readonly address: string;
  readonly concurrent = false;
  readonly #db: Connection;
  readonly #wakeups: Wakeups;

  constructor(db: Connection) {
    this.location = db.location;
    this.address = db.location;
    this.#db = db;
    this.#wakeups = new Wakeups(db);
  }

  async enqueue(
    tasks: readonly contract.NewTask[],
    { groups = [], tx }: contract.EnqueueOptions = {},
  ): Promise<string[]> {
    if (tx !== undefined) {
      throw new PawlError(
        "store.no-transactions",
        `The store ${this.location} is a file of its own and cannot take part in a transaction: use a store in PostgreSQL.`,
      );
    }
    if (tasks.length === 0 && groups.length === 0) return [];
    const taken = tasks.map(takenTask);
    return await this.#moving((moves) => enqueue(this.#db, taken, groups, moves));
  }

  async closeGroup(id: string, children: number): Promise<void> {
    await this.#moving((moves) => closeGroup(this.#db, id, children, moves));
  }

  async group(id: string): Promise<contract.GroupRecord | undefined> {
    if (!canBeHeld(id)) return undefined;
    return await this.#db.read(() => findGroup(this.#db, id));
  }

  async children(group: string, page: contract.ChildPage): Promise<contract.ChildRecord[]> {
    if (!canBeHeld(group)) return [];
    return await this.#db.read(() => listChildren(this.#db, group, page));
  }

  async claim(request: contract.ClaimRequest): Promise<contract.Claim[]> {
    const { queues, buckets = [], n } = request;
    // Looking first costs a read; an idle worker that took the write lock would hold up the busy ones.
    const look = () => firstInLine(this.#db, { queues, buckets, n: Math.min(1, n), alive: false });
    if ((await this.#db.read(look)).length === 0) return [];
    return await this.#moving((moves) => claim(this.#db, request, moves));
  }

  async renew(leases: readonly contract.Lease[], leaseMs: number) {
    if (leases.length === 0) return { lost: [], cancelRequested: [] };
    return await this.#db.write(() => renew(this.#db, leases, leaseMs));
  }

  async settle(settlements: readonly contract.Settlement[]): Promise<{ lost: string[] }> {
    if (settlements.length === 0) return { lost: [] };
    const taken = settlements.map(takenSettlement);
    return await this.#moving((moves) => settle(this.#db, taken, moves));
  }

  async progress(reports: readonly contract.ProgressReport[]): Promise<{ lost: string[] }> {
    if (reports.length === 0) return { lost: [] };
    const taken = reports.map(takenReport);
    const result = await this.#db.write(() => progress(this.#db, taken));
    this.#wakeups.ring({ claimable: false, settled: true });
    return result;
  }

  async requestCancel(selector: contract.TaskSelector): Promise<number> {
    return await this.#moving((moves) => requestCancel(this.#db, selector, moves));
  }

  async release(selector: contract.TaskSelector): Promise<number> {
    return await this.#moving((moves) => release(this.#db, selector, moves));
  }

  async sweep(options: { readonly deadWorkers?: readonly string[]; readonly poisonAfter: number }) {
    const { deadWorkers = [], poisonAfter } = options;
    if (!(await this.#db.read(() => canSweep(this.#db, deadWorkers)))) return { expired: [], poisoned: [] };
    return await this.#moving((moves) => sweep(this.#db, deadWorkers, poisonAfter, moves));
  }

  async due(queues: readonly string[], buckets?: readonly contract.BucketRate[]): Promise<number | null> {
    return await this.#db.read(() => due(this.#db, queues, buckets));
  }

  async query(selector: contract.TaskSelector, page: contract.Page = {}): Promise<contract.TaskRecord[]> {
    return await this.#db.read(() => query(this.#db, selector, page));
  }

  async attempts(id: string): Promise<contract.AttemptRecord[]> {
    if (!canBeHeld(id)) return [];
    return await this.#db.read(() => listAttempts(this.#db, id));
  }

  async queues(): Promise<contract.QueueRecord[]> {
    return await this.#db.read(() => listQueues(this.#db));
  }

  async pauseQueue(queue: string, paused: boolean): Promise<void> {
    assertName(queue, "queue");
    await this.#moving((moves) => {
      pauseQueue(this.#db, queue, paused);
      moves.wakes = !paused;
    });
  }

  async prune(limit: number): Promise<number> {
    if (!(await this.#db.read(() => canPrune(this.#db)))) return 0;
    return await this.#db.write(() => prune(this.#db, limit));
  }

  async heartbeat(worker: contract.Heartbeat): Promise<void> {
    await this.#db.write(() => beat(this.#db, worker));
  }

  async leave(worker: string): Promise<void> {
    await this.#db.write(() => leave(this.#db, worker));
  }

  async workers(withinMs: number): Promise<contract.WorkerRecord[]> {
    return await this.#db.read(() => listWorkers(this.#db, withinMs));
  }

  async putSchedule(schedule: NewSchedule): Promise<contract.ScheduleRecord> {
    const taken = detached(schedule, `Schedule ${JSON.stringify(schedule.id)}`);
    return await this.#db.write(() => putSchedule(this.#db, taken));
  }

  async pauseSchedule(id: string, paused: boolean, next?: contract.Instant | null): Promise<boolean> {
    if (!canBeHeld(id)) return false;
    return await this.#db.write(() => pauseSchedule(this.#db, id, paused, next));
  }

  async removeSchedule(id: string): Promise<boolean> {
    if (!canBeHeld(id)) return false;
    return await this.#db.write(() => removeSchedule(this.#db, id));
  }

  async schedules(): Promise<contract.ScheduleRecord[]> {
    return await this.#db.read(() => listSchedules(this.#db));
  }

  async tick(
    id: string,
    version: number,
    next: contract.Instant | null,
    tasks: readonly contract.NewTask[],
  ): Promise<boolean> {
    const taken = tasks.map(takenTask);
    return await this.#moving((moves) => tick(this.#db, id, version, next, taken, moves));
  }

  async record(forMs: number): Promise<void> {
    await this.#db.write(() => record(this.#db, forMs));
  }

  async changes(after: number | null, limit: number) {
    return await this.#db.read(() => listChanges(this.#db, after, limit));
  }

  wake(listener: () => void): () => void {
    return this.#wakeups.listen(listener);
  }

  onSettled(listener: () => void): () => void {
    return this.#wakeups.listenSettled(listener);
  }

  async createRun(run: contract.NewRun): Promise<{ run: contract.RunRecord; created: boolean }> {
    const taken = detached(run, `Run ${JSON.stringify(run.id)}`);
    return await this.#db.write(() => createRun(this.#db, taken));
  }

  async run(id: string): Promise<contract.RunRecord | undefined> {
    if (!canBeHeld(id)) return undefined;
    return await this.#db.read(() => findRun(this.#db, id));
  }

  async runs(filter: { readonly idPrefix?: string; readonly key?: string; readonly limit?: number }) {
    if (![filter.idPrefix, filter.key].every((each) => each === undefined || canBeHeld(each))) return [];
    return await this.#db.read(() => listRuns(this.#db, filter));
  }

  async updateRun(
    id: string,
    from: readonly contract.RunState[],
    patch: contract.RunPatch,
  ): Promise<boolean> {
    const taken = detached(patch, `What is known of run ${JSON.stringify(id)}`);
    return await this.#db.write(() => updateRun(this.#db, id, from, taken));
  }

  async sample(run: string, value: contract.Json): Promise<void> {
    const taken = detached(value, `A sample of run ${JSON.stringify(run)}`);
    await this.#db.write(() => addSample(this.#db, run, taken));
  }

  async samples(run: string): Promise<contract.Sample[]> {
    return await this.#db.read(() => listSamples(this.#db, run));
  }

  async quarantine(
    run: string,
    shard: number,
    fromOrdinal: number,
    items: readonly contract.QuarantinedItem[],
    lease?: contract.Lease,
  ): Promise<void> {
    await this.#db.write(() => replaceQuarantine(this.#db, run, shard, fromOrdinal, items, lease));
  }

  async quarantined(run: string, page: QuarantinePage): Promise<contract.QuarantineRecord[]> {
    return await this.#db.read(() => listQuarantined(this.#db, run, page));
  }

  async quarantineCount(run: string, options: { readonly openOnly?: boolean } = {}): Promise<number> {
    return await this.#db.read(() => countQuarantined(this.#db, run, options.openOnly ?? false));
  }

  async now(): Promise<contract.Instant> {
    return this.#db.clock.wall();
  }

  async close(): Promise<void> {
    this.#wakeups.close();
    await this.#db.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Writes what brings tasks to another state, with what follows from that, and wakes those who wait for it. */
  async #moving<T>(work: (moves: Moves) => T): Promise<T> {
    let rings = { claimable: false, settled: false };
    const result = await this.#db.write(() => {
      const moves = new Moves(this.#db);
      const value = work(moves);
      settleGroups(this.#db, moves);
      moves.writeCounts();
      rings = { claimable: moves.wakes, settled: moves.settled };
      if (moves.wakes) noteWakeup(this.#db);
      return value;
    });
    this.#wakeups.ring(rings);
    return result;
  }
}
