import { PawlError } from "../../errors.ts";
import type * as contract from "../contract.ts";
import { changesAfter } from "../sql/changes.ts";
import type { Driver, InsertItems, Topic } from "../sql/driver.ts";
import { enqueue } from "../sql/enqueue.ts";
import { settleGroups } from "../sql/groups.ts";
import { type BoundStatement, type Procedure, run, statement } from "../sql/statement.ts";
import type { Address } from "./address.ts";
import { claim, claimableInMs, progress, renew } from "./claim.ts";
import { type Connection, callersConnection } from "./connection.ts";
import { scalars, storable, texts } from "./dialect.ts";
import { insertTasks, OptimisticEnqueue } from "./enqueue.ts";
import { brokenConstraint } from "./errors.ts";
import { Notifications } from "./notifications.ts";
import { canPrune, prune } from "./prune.ts";
import { foldCounts, listQueues } from "./queues.ts";
import { endClaims } from "./settle.ts";
import { PostgresTransitions } from "./state-transitions.ts";
import { canSweep, sweeping } from "./sweep.ts";
import type { TransactionRunner } from "./transaction-runner.ts";
import { RECORDING, type Transaction } from "./transaction-runner.ts";

/** How many transactions that counted lie between two foldings of the counts. */
const FOLD_EVERY = 500;

/** The store in a schema of a PostgreSQL database. */
export class PostgresDriver implements Driver<PostgresTransitions> {
  readonly location: string;
  readonly address: string;
  readonly concurrent = true;
  readonly claims = endClaims;
  readonly sweeping = sweeping;
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
    return await this.#db.read((session) => session.perform(procedure()));
  }

  async write<R>(procedure: () => Procedure<R>): Promise<R> {
    return await this.#db.write(({ session }) => session.perform(procedure()));
  }

  async transition<R>(procedure: (transitions: PostgresTransitions) => Procedure<R>): Promise<R> {
    return await this.#transition((transitions) => transitions.session.perform(procedure(transitions)));
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
    // Rates are looked at under a lock: not worth it for nothing.
    if (buckets.length > 0 && (await this.claimableInMs(queues, buckets)) !== 0) return [];
    return await this.#transition((transitions, { note }) => claim(transitions, request, note), {
      mostlyIdle: true,
    });
  }

  async renew(leases: readonly contract.Lease[], leaseMs: number) {
    return await this.#db.read((session) => renew(session, leases, leaseMs));
  }

  async progress(reports: readonly contract.ProgressReport[]): Promise<{ lost: string[] }> {
    return await this.#db.read((session) => progress(session, reports));
  }

  async claimableInMs(
    queues: readonly string[],
    buckets: readonly contract.BucketRate[],
  ): Promise<number | null> {
    return await this.#db.read((session) => claimableInMs(session, queues, buckets));
  }

  async canSweep(deadWorkers: readonly string[]): Promise<boolean> {
    return await this.#db.read((session) => canSweep(session, deadWorkers));
  }

  async queues(): Promise<contract.QueueRecord[]> {
    return await this.#db.read((session) => listQueues(session));
  }

  async prune(limit: number): Promise<number> {
    if (!(await this.#db.read((session) => canPrune(session)))) return 0;
    return await this.#db.write(({ session }) => prune(session, limit));
  }

  async changes(after: number | null, limit: number) {
    const work = async ({ session }: Transaction) => {
      await numberChanges(session);
      if (after !== null) return await session.perform(changesAfter(after, limit));
      const row = await session.get<{ value: number }>(
        "SELECT value FROM pawl.counter WHERE name = 'change_number'",
      );
      return { changes: [], last: row?.value ?? 0 };
    };
    return await this.#db.write(work, { mostlyIdle: true });
  }

  async now(): Promise<contract.Instant> {
    const row = await this.#db.read((session) => session.get<{ now: number }>("SELECT pawl.now_ms() AS now"));
    if (row === undefined) throw new PawlError("store.clock", `The store ${this.location} tells no time.`);
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

  /** Runs `work` in a transaction, exactly once, with what follows from it, and tells those who wait for that. */
  async #transition<R>(
    work: (transitions: PostgresTransitions, transaction: Transaction) => Promise<R>,
    options?: { readonly mostlyIdle?: boolean },
  ): Promise<R> {
    const { value, transitions, counts } = await this.#db.write(async (transaction) => {
      const transitions = new PostgresTransitions(transaction, this.location);
      const value = await work(transitions, transaction);
      await transaction.session.perform(settleGroups(transitions));
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
    const session = callersConnection(tx, schema);
    const recording = session
      .get<{ on: boolean }>(`SELECT ${RECORDING} AS "on"`)
      .then((row) => row?.on ?? false);
    recording.catch(() => {});
    const transitions = new PostgresTransitions({ session, recording }, this.location);
    const added = await session.perform(enqueue(transitions, insertTasks, tasks, groups));
    await session.perform(settleGroups(transitions));
    await transitions.write();
    const { sql, values } = Notifications.notice(schema);
    session.later(sql, values);
    await session.settled();
    return added;
  }

  #foldSometimes(): void {
    this.#counted++;
    if (this.#counted < FOLD_EVERY || this.#folding !== undefined) return;
    this.#counted = 0;
    // Counts that were not folded are right all the same.
    this.#folding = this.#db
      .write(({ session }) => foldCounts(session))
      .catch(() => {})
      .finally(() => {
        this.#folding = undefined;
      });
  }
}

/** Not all at once: a page is written before the next is turned into text. */
function* insertItems(...[runId, shard, items]: Parameters<InsertItems>): Procedure<void> {
  for (const page of pages(items)) yield* run(itemsOf(runId, shard, page));
}

/** Gives the changes that have come to light their numbers; another reader that does so at the same time waits. */
async function numberChanges(session: Connection): Promise<void> {
  const fresh = await session.get<{ found: boolean }>(
    "SELECT EXISTS (SELECT FROM pawl.change WHERE number IS NULL) AS found",
  );
  if (fresh?.found !== true) return;
  await session.get("SELECT FROM pawl.counter WHERE name = 'change_number' FOR UPDATE");
  await session.run(
    `WITH fresh AS MATERIALIZED (
       SELECT entry, row_number() OVER (ORDER BY entry) AS position FROM pawl.change WHERE number IS NULL),
     numbered AS (
       UPDATE pawl.change AS c SET number = n.value + fresh.position
       FROM fresh, pawl.counter AS n WHERE c.entry = fresh.entry AND n.name = 'change_number')
     UPDATE pawl.counter SET value = value + (SELECT count(*) FROM fresh) WHERE name = 'change_number'`,
  );
}

/** How many items, and how many of their bytes, go into one statement. */
const PAGE = 5_000;
const PAGE_BYTES = 4_000_000;

function* pages(items: readonly contract.QuarantinedItem[]): Generator<contract.QuarantinedItem[]> {
  let page: contract.QuarantinedItem[] = [];
  let bytes = 0;
  for (const item of items) {
    page.push(item);
    bytes += item.raw.byteLength;
    if (page.length < PAGE && bytes < PAGE_BYTES) continue;
    yield page;
    page = [];
    bytes = 0;
  }
  if (page.length > 0) yield page;
}

function itemsOf(runId: string, shard: number, page: readonly contract.QuarantinedItem[]): BoundStatement {
  return statement(
    `INSERT INTO pawl.quarantine (run_id, shard, ordinal, location, reason, code, raw)
     SELECT $1, $2, q.ordinal, q.location, q.reason, q.code, q.raw
     FROM unnest($3::bigint[], $4::text[], $5::text[], $6::text[], $7::bytea[])
       WITH ORDINALITY AS q (ordinal, location, reason, code, raw, nth) ORDER BY q.nth`,
    [
      runId,
      shard,
      scalars(page.map(({ ordinal }) => ordinal)),
      texts(page.map(({ at }) => storable(at))),
      texts(page.map(({ reason }) => storable(reason))),
      texts(page.map(({ code }) => code)),
      texts(page.map(({ raw }) => `\\x${hex(raw)}`)),
    ],
  );
}

function hex({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("hex");
}
