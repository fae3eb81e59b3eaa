import { PawlError } from "../../errors.ts";
import type * as contract from "../contract.ts";
import { assertName, canBeHeld } from "../storable.ts";
import { detached, takenReport, takenSettlement, takenTask } from "../taken.ts";
import type { Address } from "./address.ts";
import { Arrivals } from "./arrivals.ts";
import { listAttempts } from "./attempts.ts";
import { requestCancel } from "./cancel.ts";
import { claim, progress, renew } from "./claims.ts";
import type { Database } from "./database.ts";
import { closeGroup, findGroup, listChildren } from "./groups.ts";
import { Hints } from "./hints.ts";
import { Mover } from "./mover.ts";
import { canPrune, prune } from "./prune.ts";
import { countQuarantined, listQuarantined, type QuarantinePage, replaceQuarantine } from "./quarantine.ts";
import { query } from "./query.ts";
import { listQueues, pauseQueue } from "./queues.ts";
import { listChanges, record } from "./recording.ts";
import { release } from "./release.ts";
import { createRun, findRun, listRuns, updateRun } from "./runs.ts";
import { addSample, listSamples } from "./samples.ts";
import {
  isDue,
  listSchedules,
  type NewSchedule,
  pauseSchedule,
  putSchedule,
  removeSchedule,
  tick,
} from "./schedules.ts";
import { settle } from "./settle.ts";
import { canSweep, due, sweep } from "./sweep.ts";
import { beat, leave, listWorkers } from "./workers.ts";

/** The store in a schema of a PostgreSQL database. Each operation is documented in the contract. */
export class PostgresStore implements contract.Store {
  readonly location: string;
  readonly address: string;
  readonly concurrent = true;
  readonly #db: Database;
  readonly #hints: Hints;
  readonly #mover: Mover;
  readonly #arrivals: Arrivals;

  constructor(db: Database, address: Address) {
    this.location = db.location;
    this.address = address.full;
    this.#db = db;
    this.#hints = new Hints(db, address);
    this.#mover = new Mover(db, this.#hints);
    this.#arrivals = new Arrivals(db, this.#mover);
  }

  async enqueue(
    tasks: readonly contract.NewTask[],
    options: contract.EnqueueOptions = {},
  ): Promise<string[]> {
    return await this.#arrivals.enqueue(tasks.map(takenTask), options);
  }

  async closeGroup(id: string, children: number): Promise<void> {
    await this.#mover.write((moves) => closeGroup(moves, id, children, this.location));
  }

  async group(id: string): Promise<contract.GroupRecord | undefined> {
    if (!canBeHeld(id)) return undefined;
    return await this.#db.read((session) => findGroup(session, id));
  }

  async children(group: string, page: contract.ChildPage): Promise<contract.ChildRecord[]> {
    if (!canBeHeld(group)) return [];
    return await this.#db.read((session) => listChildren(session, group, page));
  }

  async claim(request: contract.ClaimRequest): Promise<contract.Claim[]> {
    const { queues, buckets = [], n } = request;
    if (queues.length === 0 || n <= 0) return [];
    // Rates are looked at under a lock: not worth it for nothing.
    if (buckets.length > 0 && (await this.due(queues, buckets)) !== 0) return [];
    return await this.#mover.write((moves, { note }) => claim(moves, request, note), { mostlyIdle: true });
  }

  async renew(leases: readonly contract.Lease[], leaseMs: number) {
    if (leases.length === 0) return { lost: [], cancelRequested: [] };
    return await this.#db.read((session) => renew(session, leases, leaseMs));
  }

  async settle(settlements: readonly contract.Settlement[]): Promise<{ lost: string[] }> {
    if (settlements.length === 0) return { lost: [] };
    const taken = settlements.map(takenSettlement);
    return await this.#mover.write((moves) => settle(moves, taken, this.location));
  }

  async progress(reports: readonly contract.ProgressReport[]): Promise<{ lost: string[] }> {
    if (reports.length === 0) return { lost: [] };
    const taken = reports.map(takenReport);
    const result = await this.#db.read((session) => progress(session, taken));
    this.#hints.tell("results");
    return result;
  }

  async requestCancel(selector: contract.TaskSelector): Promise<number> {
    return await this.#mover.write((moves) => requestCancel(moves, selector));
  }

  async release(selector: contract.TaskSelector): Promise<number> {
    return await this.#mover.write((moves) => release(moves, selector));
  }

  async sweep(options: { readonly deadWorkers?: readonly string[]; readonly poisonAfter: number }) {
    const { deadWorkers = [], poisonAfter } = options;
    if (!(await this.#db.read((session) => canSweep(session, deadWorkers)))) {
      return { expired: [], poisoned: [] };
    }
    return await this.#mover.write((moves) => sweep(moves, deadWorkers, poisonAfter));
  }

  async due(queues: readonly string[], buckets: readonly contract.BucketRate[] = []): Promise<number | null> {
    return await this.#db.read((session) => due(session, queues, buckets));
  }

  async query(selector: contract.TaskSelector, page: contract.Page = {}): Promise<contract.TaskRecord[]> {
    return await this.#db.read((session) => query(session, selector, page, this.location));
  }

  async attempts(id: string): Promise<contract.AttemptRecord[]> {
    if (!canBeHeld(id)) return [];
    return await this.#db.read((session) => listAttempts(session, id));
  }

  async queues(): Promise<contract.QueueRecord[]> {
    return await this.#db.read((session) => listQueues(session));
  }

  async pauseQueue(queue: string, paused: boolean): Promise<void> {
    assertName(queue, "queue");
    await this.#db.write(({ session }) => pauseQueue(session, queue, paused));
    if (!paused) this.#hints.tell("work");
  }

  async prune(limit: number): Promise<number> {
    if (!(await this.#db.read((session) => canPrune(session)))) return 0;
    return await this.#db.write(({ session }) => prune(session, limit));
  }

  async heartbeat(worker: contract.Heartbeat): Promise<void> {
    await this.#db.write(({ session }) => beat(session, worker));
  }

  async leave(worker: string): Promise<void> {
    await this.#db.write(({ session }) => leave(session, worker));
  }

  async workers(withinMs: number): Promise<contract.WorkerRecord[]> {
    return await this.#db.read((session) => listWorkers(session, withinMs));
  }

  async putSchedule(schedule: NewSchedule): Promise<contract.ScheduleRecord> {
    const taken = detached(schedule, `Schedule ${JSON.stringify(schedule.id)}`);
    return await this.#db.write(({ session }) => putSchedule(session, taken));
  }

  async pauseSchedule(id: string, paused: boolean, next?: contract.Instant | null): Promise<boolean> {
    if (!canBeHeld(id)) return false;
    return await this.#db.write(({ session }) => pauseSchedule(session, id, paused, next));
  }

  async removeSchedule(id: string): Promise<boolean> {
    if (!canBeHeld(id)) return false;
    return await this.#db.write(({ session }) => removeSchedule(session, id));
  }

  async schedules(): Promise<contract.ScheduleRecord[]> {
    return await this.#db.read((session) => listSchedules(session));
  }

  async tick(
    id: string,
    version: number,
    next: contract.Instant | null,
    tasks: readonly contract.NewTask[],
  ): Promise<boolean> {
    const taken = tasks.map(takenTask);
    if (!(await this.#db.read((session) => isDue(session, id, version)))) return false;
    return await this.#mover.write((moves) => tick(moves, id, version, next, taken, this.location));
  }

  async record(forMs: number): Promise<void> {
    await this.#db.write(({ session }) => record(session, forMs));
  }

  async changes(after: number | null, limit: number) {
    return await this.#db.write(({ session }) => listChanges(session, after, limit), { mostlyIdle: true });
  }

  wake(listener: () => void): () => void {
    return this.#hints.listen("work", listener);
  }

  onSettled(listener: () => void): () => void {
    return this.#hints.listen("results", listener);
  }

  async createRun(run: contract.NewRun): Promise<{ run: contract.RunRecord; created: boolean }> {
    const taken = detached(run, `Run ${JSON.stringify(run.id)}`);
    return await this.#db.write(({ session }) => createRun(session, taken));
  }

  async run(id: string): Promise<contract.RunRecord | undefined> {
    if (!canBeHeld(id)) return undefined;
    return await this.#db.read((session) => findRun(session, id));
  }

  async runs(filter: { readonly idPrefix?: string; readonly key?: string; readonly limit?: number }) {
    if (![filter.idPrefix, filter.key].every((each) => each === undefined || canBeHeld(each))) return [];
    return await this.#db.read((session) => listRuns(session, filter));
  }

  async updateRun(
    id: string,
    from: readonly contract.RunState[],
    patch: contract.RunPatch,
  ): Promise<boolean> {
    const taken = detached(patch, `What is known of run ${JSON.stringify(id)}`);
    return await this.#db.write(({ session }) => updateRun(session, id, from, taken));
  }

  async sample(run: string, value: contract.Json): Promise<void> {
    const taken = detached(value, `A sample of run ${JSON.stringify(run)}`);
    await this.#db.write(({ session }) => addSample(session, run, taken, this.location));
  }

  async samples(run: string): Promise<contract.Sample[]> {
    return await this.#db.read((session) => listSamples(session, run));
  }

  async quarantine(
    run: string,
    shard: number,
    fromOrdinal: number,
    items: readonly contract.QuarantinedItem[],
    lease?: contract.Lease,
  ): Promise<void> {
    await this.#db.write(({ session }) => replaceQuarantine(session, run, shard, fromOrdinal, items, lease));
  }

  async quarantined(run: string, page: QuarantinePage): Promise<contract.QuarantineRecord[]> {
    return await this.#db.read((session) => listQuarantined(session, run, page));
  }

  async quarantineCount(run: string, options: { readonly openOnly?: boolean } = {}): Promise<number> {
    return await this.#db.read((session) => countQuarantined(session, run, options.openOnly ?? false));
  }

  async now(): Promise<contract.Instant> {
    const row = await this.#db.read((session) => session.get<{ now: number }>("SELECT pawl.now_ms() AS now"));
    if (row === undefined) throw new PawlError("store.clock", `The store ${this.location} tells no time.`);
    return row.now;
  }

  async close(): Promise<void> {
    await this.#mover.settled();
    await this.#hints.close();
    await this.#db.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
