import type * as contract from "../contract.ts";
import { claim, progress, renew } from "./claims.ts";
import type { Connection } from "./connection.ts";
import { firstInLine } from "./line.ts";
import { countQuarantined, listQuarantined, type QuarantinePage, replaceQuarantine } from "./quarantine.ts";
import { createRun, findRun, listRuns, updateRun } from "./runs.ts";
import { addSample, listSamples } from "./samples.ts";
import { mayWake, settle } from "./settle.ts";
import { canSweep, due, sweep } from "./sweep.ts";
import { enqueue, query, release, requestCancel } from "./tasks.ts";
import { noteWakeup, Wakeups } from "./wakeups.ts";

/** The store in one SQLite file. Each operation is documented in the contract. */
export class SqliteStore implements contract.Store {
  readonly location: string;
  readonly #db: Connection;
  readonly #wakeups: Wakeups;

  constructor(db: Connection) {
    this.location = db.location;
    this.#db = db;
    this.#wakeups = new Wakeups(db);
  }

  async enqueue(tasks: readonly contract.NewTask[]): Promise<string[]> {
    if (tasks.length === 0) return [];
    return await this.#waking(() => enqueue(this.#db, tasks));
  }

  async claim(request: contract.ClaimRequest): Promise<contract.Claim[]> {
    // Looking first costs a read; an idle worker that took the write lock would hold up the busy ones.
    const look = () => firstInLine(this.#db, request.queues, Math.min(1, request.n), this.#db.clock.wall());
    if ((await this.#db.read(look)).length === 0) return [];
    return await this.#db.write(() => claim(this.#db, request));
  }

  async renew(leases: readonly contract.Lease[], leaseMs: number) {
    if (leases.length === 0) return { lost: [], cancelRequested: [] };
    return await this.#db.write(() => renew(this.#db, leases, leaseMs));
  }

  async settle(settlements: readonly contract.Settlement[]): Promise<{ lost: string[] }> {
    if (settlements.length === 0) return { lost: [] };
    const work = () => settle(this.#db, settlements);
    return mayWake(settlements) ? await this.#waking(work) : await this.#db.write(work);
  }

  async progress(reports: readonly contract.ProgressReport[]): Promise<{ lost: string[] }> {
    if (reports.length === 0) return { lost: [] };
    return await this.#db.write(() => progress(this.#db, reports));
  }

  async requestCancel(selector: contract.TaskSelector): Promise<number> {
    return await this.#db.write(() => requestCancel(this.#db, selector));
  }

  async release(selector: contract.TaskSelector): Promise<number> {
    return await this.#waking(() => release(this.#db, selector));
  }

  async sweep(options: { readonly deadWorkers?: readonly string[]; readonly poisonAfter: number }) {
    const { deadWorkers = [], poisonAfter } = options;
    if (!(await this.#db.read(() => canSweep(this.#db, deadWorkers)))) return { expired: [], poisoned: [] };
    return await this.#waking(() => sweep(this.#db, deadWorkers, poisonAfter));
  }

  async due(queues: readonly string[]): Promise<number | null> {
    return await this.#db.read(() => due(this.#db, queues));
  }

  async query(selector: contract.TaskSelector): Promise<contract.TaskRecord[]> {
    return await this.#db.read(() => query(this.#db, selector));
  }

  wake(listener: () => void): () => void {
    return this.#wakeups.listen(listener);
  }

  async createRun(run: contract.NewRun): Promise<{ run: contract.RunRecord; created: boolean }> {
    return await this.#db.write(() => createRun(this.#db, run));
  }

  async run(id: string): Promise<contract.RunRecord | undefined> {
    return await this.#db.read(() => findRun(this.#db, id));
  }

  async runs(filter: { readonly idPrefix?: string; readonly key?: string; readonly limit?: number }) {
    return await this.#db.read(() => listRuns(this.#db, filter));
  }

  async updateRun(
    id: string,
    from: readonly contract.RunState[],
    patch: contract.RunPatch,
  ): Promise<boolean> {
    return await this.#db.write(() => updateRun(this.#db, id, from, patch));
  }

  async sample(run: string, value: contract.Json): Promise<void> {
    await this.#db.write(() => addSample(this.#db, run, value));
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

  /** Writes, and tells everybody that there may be something to claim. */
  async #waking<T>(work: () => T): Promise<T> {
    const result = await this.#db.write(() => {
      const value = work();
      noteWakeup(this.#db);
      return value;
    });
    this.#wakeups.ring();
    return result;
  }
}
