import { PawlError } from "../../errors.ts";
import type * as contract from "../contract.ts";
import { changesAfter, keepChanges } from "../sql/changes.ts";
import type { Driver, Topic } from "../sql/driver.ts";
import { enqueue } from "../sql/enqueue.ts";
import { settleGroups } from "../sql/groups.ts";
import { StateTransitions } from "../sql/state-transitions.ts";
import { call, type Procedure } from "../sql/statement.ts";
import { canClaim, claim, claimableInMs, progress, renew } from "./claim.ts";
import type { Connection } from "./connection.ts";
import { insertTasks } from "./enqueue.ts";
import { isDuplicate } from "./errors.ts";
import { Notifications } from "./notifications.ts";
import { canPrune, prune } from "./prune.ts";
import { insertItems } from "./quarantine.ts";
import { countTransitions, listQueues } from "./queues.ts";
import { endClaims, succeedAlone } from "./settle.ts";
import { canSweep, followClock, readClock, takeBackLeases } from "./sweep.ts";

/** The store in one SQLite file. */
export class SqliteDriver implements Driver {
  readonly location: string;
  readonly address: string;
  readonly concurrent = false;
  readonly followClock = followClock;
  readonly #db: Connection;
  readonly #notifications: Notifications;

  constructor(db: Connection) {
    this.location = db.location;
    this.address = db.location;
    this.#db = db;
    this.#notifications = new Notifications(db);
  }

  insertTasks(transitions: StateTransitions, tasks: readonly contract.NewTask[]) {
    return call(() => insertTasks(this.#db, tasks, transitions));
  }

  succeedAlone(transitions: StateTransitions, settlements: readonly contract.Settlement[]) {
    return call(() => succeedAlone(this.#db, settlements, transitions));
  }

  endClaims(settlements: readonly contract.Settlement[]) {
    return call(() => endClaims(this.#db, settlements));
  }

  takeBackLeases(deadWorkers: readonly string[], poisonAfter: number) {
    return call(() => takeBackLeases(this.#db, deadWorkers, poisonAfter));
  }

  readClock() {
    return call(() => readClock(this.#db));
  }

  insertItems(runId: string, shard: number, items: readonly contract.QuarantinedItem[]) {
    return call(() => insertItems(this.#db, runId, shard, items));
  }

  async read<R>(procedure: () => Procedure<R>): Promise<R> {
    return await this.#db.read(() => this.#db.perform(procedure()));
  }

  async write<R>(procedure: () => Procedure<R>): Promise<R> {
    return await this.#db.write(() => this.#db.perform(procedure()));
  }

  async transition<R>(procedure: (transitions: StateTransitions) => Procedure<R>): Promise<R> {
    return await this.#transition((transitions) => this.#db.perform(procedure(transitions)));
  }

  isDuplicateRun(error: unknown): boolean {
    return isDuplicate(error);
  }

  async enqueue(
    tasks: readonly contract.NewTask[],
    { groups = [], tx }: contract.StoreEnqueueOptions,
  ): Promise<string[]> {
    if (tx !== undefined) {
      throw new PawlError(
        "store.no-transactions",
        `The store ${this.location} is a file of its own and cannot take part in a transaction: use a store in PostgreSQL.`,
      );
    }
    if (tasks.length === 0 && groups.length === 0) return [];
    return await this.transition((transitions) => enqueue(transitions, this, tasks, groups));
  }

  async claim(request: contract.ClaimRequest): Promise<contract.Claim[]> {
    if (!(await this.#db.read(() => canClaim(this.#db, request)))) return [];
    return await this.#transition((transitions) => claim(this.#db, request, transitions));
  }

  async renew(leases: readonly contract.Lease[], leaseMs: number) {
    return await this.#db.write(() => renew(this.#db, leases, leaseMs));
  }

  async progress(reports: readonly contract.ProgressReport[]): Promise<{ lost: string[] }> {
    return await this.#db.write(() => progress(this.#db, reports));
  }

  async claimableInMs(
    queues: readonly string[],
    buckets: readonly contract.BucketRate[],
  ): Promise<number | null> {
    return await this.#db.read(() => claimableInMs(this.#db, queues, buckets));
  }

  async canSweep(deadWorkers: readonly string[]): Promise<boolean> {
    return await this.#db.read(() => canSweep(this.#db, deadWorkers));
  }

  async queues(): Promise<contract.QueueRecord[]> {
    return await this.#db.read(() => listQueues(this.#db));
  }

  async prune(limit: number): Promise<number> {
    if (!(await this.read(canPrune))) return 0;
    return await this.write(() => prune(limit));
  }

  async changes(after: number | null, limit: number) {
    if (after !== null) return await this.read(() => changesAfter(after, limit));
    // Not the greatest number there is: changes may have been removed.
    const last = "SELECT seq FROM sqlite_sequence WHERE name = 'change'";
    const row = await this.#db.read(() => this.#db.get<{ seq: number }>(last));
    return { changes: [], last: row?.seq ?? 0 };
  }

  async now(): Promise<contract.Instant> {
    return this.#db.clock.wall();
  }

  listen(topic: Topic, listener: () => void): () => void {
    return this.#notifications.listen(topic, listener);
  }

  notify(topic: Topic): void {
    this.#notifications.notify(topic);
  }

  async close(): Promise<void> {
    this.#notifications.close();
    await this.#db.close();
  }

  async #transition<R>(work: (transitions: StateTransitions) => R): Promise<R> {
    let news = { wakes: false, settles: false };
    const result = await this.#db.write(() => {
      const transitions = new StateTransitions(this.location, isRecording(this.#db));
      const value = work(transitions);
      if (transitions.hasGroups) this.#db.perform(settleGroups(transitions));
      countTransitions(this.#db, transitions);
      if (transitions.changes.length > 0) this.#db.perform(keepChanges(transitions.changes));
      // For other processes, which poll the counter.
      if (transitions.wakes) this.#db.run("UPDATE counter SET value = value + 1 WHERE name = 'wakeups'");
      news = transitions;
      return value;
    });
    if (news.wakes) this.notify("work");
    if (news.settles) this.notify("results");
    return result;
  }
}

/** Whether changes of tasks are to be kept just now. */
function isRecording(db: Connection): boolean {
  const row = db.get<{ value: number }>("SELECT value FROM counter WHERE name = 'recording_until'");
  return row !== undefined && row.value > db.clock.wall();
}
