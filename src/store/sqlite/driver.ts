import { PawlError } from "../../errors.ts";
import type * as contract from "../contract.ts";
import { changesAfter, forgetChanges, KEPT_MS, keepChanges } from "../sql/changes.ts";
import type { Driver, EndClaims, InsertItems, Sweeping, Topic } from "../sql/driver.ts";
import { enqueue } from "../sql/enqueue.ts";
import { IS_NOT_AWAITED, settleGroups } from "../sql/groups.ts";
import { StateTransitions } from "../sql/state-transitions.ts";
import { all, call, get, NOW, oneOf, type Procedure, run, type Sql, sql } from "../sql/statement.ts";
import { canClaim, claim, claimableInMs, oldestDue, progress, renew } from "./claim.ts";
import type { Connection } from "./connection.ts";
import { isDuplicate } from "./errors.ts";
import { Notifications } from "./notifications.ts";
import { endClaimsIn } from "./settle.ts";
import { canSweep, sweepingOf } from "./sweep.ts";

/** The store in one SQLite file. */
export class SqliteDriver implements Driver {
  readonly location: string;
  readonly address: string;
  readonly concurrent = false;
  readonly claims: EndClaims<StateTransitions>;
  readonly sweeping: Sweeping<StateTransitions>;
  readonly insertItems: InsertItems;
  readonly #db: Connection;
  readonly #notifications: Notifications;

  constructor(db: Connection) {
    this.location = db.location;
    this.address = db.location;
    this.claims = endClaimsIn(db);
    this.sweeping = sweepingOf(db);
    this.insertItems = (runId, shard, items) => call(() => insertItems(db, runId, shard, items));
    this.#db = db;
    this.#notifications = new Notifications(db);
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
    return await this.transition((transitions) => enqueue(transitions, this.claims.insert, tasks, groups));
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
    return await this.#db.read(() =>
      this.#db.all<QueueRow>("SELECT * FROM queue ORDER BY name").map(({ name, paused, ...counts }) => {
        return { name, paused: paused === 1, counts, oldestDue: oldestDue(this.#db, name) };
      }),
    );
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
      this.#db.perform(settleGroups(transitions));
      writeCounts(this.#db, transitions);
      if (transitions.changes.length > 0) this.#db.perform(keepChanges(transitions.changes));
      // For other processes, which look at the counter.
      if (transitions.wakes) this.#db.run("UPDATE counter SET value = value + 1 WHERE name = 'wakeups'");
      news = transitions;
      return value;
    });
    if (news.wakes) this.notify("work");
    if (news.settles) this.notify("results");
    return result;
  }
}

interface QueueRow {
  readonly name: string;
  readonly paused: number;
  readonly waiting: number;
  readonly leased: number;
  readonly succeeded: number;
  readonly dead: number;
  readonly cancelled: number;
}

/** Whether changes of tasks are to be kept just now. */
function isRecording(db: Connection): boolean {
  const row = db.get<{ value: number }>("SELECT value FROM counter WHERE name = 'recording_until'");
  return row !== undefined && row.value > db.clock.wall();
}

function writeCounts(db: Connection, { queues }: StateTransitions): void {
  for (const [name, { waiting, leased, succeeded, dead, cancelled }] of queues) {
    db.run(
      `INSERT INTO queue (name, waiting, leased, succeeded, dead, cancelled) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET waiting = waiting + excluded.waiting, leased = leased + excluded.leased,
         succeeded = succeeded + excluded.succeeded, dead = dead + excluded.dead,
         cancelled = cancelled + excluded.cancelled`,
      name,
      waiting,
      leased,
      succeeded,
      dead,
      cancelled,
    );
  }
}

/** Settled tasks whose retention is over. */
function isOver(): Sql {
  return sql`t.prune_at IS NOT NULL AND t.prune_at <= ${NOW} AND ${IS_NOT_AWAITED}`;
}

/** Whether there is anything to remove: asked first, so that an idle look takes no lock. */
function* canPrune(): Procedure<boolean> {
  // The oldest change stands first.
  const change = yield* get(
    sql`SELECT 1 FROM (SELECT at FROM change ORDER BY number LIMIT 1) WHERE at < ${NOW} - ${KEPT_MS}`,
  );
  if (change !== undefined) return true;
  return (yield* get(sql`SELECT 1 FROM task AS t WHERE ${isOver()} LIMIT 1`)) !== undefined;
}

/** Removes settled tasks, with their attempts and the groups they were the callback of, in a transaction. */
function* prune(limit: number): Procedure<number> {
  yield* forgetChanges();
  const rows = yield* all<{ seq: number; id: string }>(
    sql`SELECT t.seq, t.id FROM task AS t WHERE ${isOver()} ORDER BY t.prune_at LIMIT ${limit}`,
  );
  const seqs = oneOf(rows.map(({ seq }) => seq));
  yield* run(sql`DELETE FROM attempt WHERE task ${seqs}`);
  yield* run(sql`DELETE FROM task_group WHERE callback ${oneOf(rows.map(({ id }) => id))}`);
  return yield* run(sql`DELETE FROM task WHERE seq ${seqs}`);
}

/** Not as JSON, which would hold the bytes of an item twice over. */
function insertItems(
  db: Connection,
  runId: string,
  shard: number,
  items: readonly contract.QuarantinedItem[],
): void {
  for (const { ordinal, at, reason, code, raw } of items) {
    db.run(
      "INSERT INTO quarantine (run_id, shard, ordinal, location, reason, code, raw) VALUES (?, ?, ?, ?, ?, ?, ?)",
      runId,
      shard,
      ordinal,
      at,
      reason,
      code,
      raw,
    );
  }
}
