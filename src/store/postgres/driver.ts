import { PawlError } from "../../errors.ts";
import type * as contract from "../contract.ts";
import type { Driver, Topic } from "../sql/driver.ts";
import { enqueue } from "../sql/enqueue.ts";
import { settleGroups } from "../sql/groups.ts";
import type { Procedure } from "../sql/statement.ts";
import type { Address } from "./address.ts";
import { readChanges } from "./changes.ts";
import { claim, claimableInMs, progress, renew } from "./claim.ts";
import { callersConnection } from "./connection.ts";
import { insertTasks, OptimisticEnqueue } from "./enqueue.ts";
import { brokenConstraint } from "./errors.ts";
import { Notifications } from "./notifications.ts";
import { canPrune, prune } from "./prune.ts";
import { insertItems } from "./quarantine.ts";
import { foldCounts, listQueues } from "./queues.ts";
import { endClaims, succeedAlone } from "./settle.ts";
import { PostgresTransitions } from "./state-transitions.ts";
import { canSweep, followClock, readClock, takeBackLeases } from "./sweep.ts";
import type { TransactionRunner } from "./transaction-runner.ts";
import { RECORDING, type Transaction } from "./transaction-runner.ts";

/** How many transactions that counted lie between two foldings of the counts. */
const FOLD_EVERY = 500;

/** The store in a schema of a PostgreSQL database. */
export class PostgresDriver implements Driver<PostgresTransitions> {
  readonly location: string;
  readonly address: string;
  readonly concurrent = true;
  readonly insertTasks = insertTasks;
  readonly succeedAlone = succeedAlone;
  readonly endClaims = endClaims;
  readonly takeBackLeases = takeBackLeases;
  readonly readClock = readClock;
  readonly followClock = followClock;
  readonly insertItems = insertItems;
  readonly #db: TransactionRunner;
  readonly #notifications: Notifications;
  readonly #optimistic: OptimisticEnqueue;
  /** Transactions since the last folding. Begins anywhere, so that many processes that write little fold as well. */
  #counted = Math.floor(Math.random() * FOLD_EVERY);
  #folding: Promise<void> | undefined;

  constructor(db: TransactionRunner, address: Address) {
    this.location = db.location;
    this.address = address.full;
    this.#db = db;
    this.#notifications = new Notifications(db, address);
    this.#optimistic = new OptimisticEnqueue((work) => this.#transition(work));
  }

  async read<R>(procedure: () => Procedure<R>): Promise<R> {
    return await this.#db.read((connection) => connection.perform(procedure()));
  }

  async write<R>(procedure: () => Procedure<R>): Promise<R> {
    return await this.#db.write(({ connection }) => connection.perform(procedure()));
  }

  async transition<R>(procedure: (transitions: PostgresTransitions) => Procedure<R>): Promise<R> {
    return await this.#transition((transitions) => transitions.connection.perform(procedure(transitions)));
  }

  isDuplicateRun(error: unknown): boolean {
    return error instanceof PawlError && brokenConstraint(error.cause) === "run_unfinished";
  }

  async enqueue(
    tasks: readonly contract.NewTask[],
    options: contract.StoreEnqueueOptions,
  ): Promise<string[]> {
    const { groups = [], tx } = options;
    if (tasks.length === 0 && groups.length === 0) return [];
    if (tx !== undefined) return await this.#enqueueWithin(tx, tasks, groups);
    return await this.#optimistic.enqueue(tasks, options);
  }

  async claim(request: contract.ClaimRequest): Promise<contract.Claim[]> {
    const { queues, buckets = [] } = request;
    // Rates are read under a lock, which is not worth it when there is nothing to claim.
    if (buckets.length > 0 && (await this.claimableInMs(queues, buckets)) !== 0) return [];
    return await this.#transition((transitions, transaction) => claim(transaction, transitions, request), {
      mayWriteNothing: true,
    });
  }

  async renew(leases: readonly contract.Lease[], leaseMs: number) {
    return await this.#db.read((connection) => renew(connection, leases, leaseMs));
  }

  async progress(reports: readonly contract.ProgressReport[]): Promise<{ lost: string[] }> {
    return await this.#db.read((connection) => progress(connection, reports));
  }

  async claimableInMs(
    queues: readonly string[],
    buckets: readonly contract.BucketRate[],
  ): Promise<number | null> {
    return await this.#db.read((connection) => claimableInMs(connection, queues, buckets));
  }

  async canSweep(deadWorkers: readonly string[]): Promise<boolean> {
    return await this.#db.read((connection) => canSweep(connection, deadWorkers));
  }

  async queues(): Promise<contract.QueueRecord[]> {
    return await this.#db.read((connection) => listQueues(connection));
  }

  async prune(limit: number): Promise<number> {
    if (!(await this.#db.read((connection) => canPrune(connection)))) return 0;
    return await this.#db.write(({ connection }) => prune(connection, limit));
  }

  async changes(after: number | null, limit: number) {
    return await this.#db.write(({ connection }) => readChanges(connection, after, limit), {
      mayWriteNothing: true,
    });
  }

  async now(): Promise<contract.Instant> {
    const row = await this.#db.read((connection) =>
      connection.get<{ now: number }>("SELECT pawl.now_ms() AS now"),
    );
    if (row === undefined)
      throw new PawlError("store.clock", `The store ${this.location} did not answer what time it is.`);
    return row.now;
  }

  listen(topic: Topic, listener: () => void): () => void {
    return this.#notifications.listen(topic, listener);
  }

  notify(topic: Topic): void {
    this.#notifications.notify(topic);
  }

  async close(): Promise<void> {
    await this.#folding;
    await this.#notifications.close();
    await this.#db.close();
  }

  /** Runs `work` in a transaction, exactly once, with what follows from it, and notifies listeners. */
  async #transition<R>(
    work: (transitions: PostgresTransitions, transaction: Transaction) => Promise<R>,
    options?: { readonly mayWriteNothing?: boolean },
  ): Promise<R> {
    const { value, transitions, counts } = await this.#db.write(async (transaction) => {
      const transitions = new PostgresTransitions(transaction, this.location);
      const value = await work(transitions, transaction);
      if (transitions.hasGroups) await transaction.connection.perform(settleGroups(transitions));
      return { value, transitions, counts: await transitions.write() };
    }, options);
    if (transitions.wakes) this.notify("work");
    if (transitions.settles) this.notify("results");
    if (counts) this.#foldSometimes();
    return value;
  }

  /** In a transaction of the caller's, which we neither begin nor end. */
  async #enqueueWithin(
    tx: unknown,
    tasks: readonly contract.NewTask[],
    groups: readonly contract.NewGroup[],
  ): Promise<string[]> {
    const { schema } = this.#db;
    const connection = callersConnection(tx, schema);
    const recording = connection
      .get<{ on: boolean }>(`SELECT ${RECORDING} AS "on"`)
      .then((row) => row?.on ?? false);
    recording.catch(() => {});
    const transitions = new PostgresTransitions({ connection, recording }, this.location);
    const added = await connection.perform(enqueue(transitions, this, tasks, groups));
    if (transitions.hasGroups) await connection.perform(settleGroups(transitions));
    await transitions.write();
    const { sql, values } = Notifications.statementIn(schema);
    connection.later(sql, values);
    await connection.settled();
    return added;
  }

  #foldSometimes(): void {
    this.#counted++;
    if (this.#counted < FOLD_EVERY || this.#folding !== undefined) return;
    this.#counted = 0;
    // Counts that were not folded are right all the same.
    this.#folding = this.#db
      .write(({ connection }) => foldCounts(connection))
      .catch(() => {})
      .finally(() => {
        this.#folding = undefined;
      });
  }
}
