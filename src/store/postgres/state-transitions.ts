import type { Lease, TaskState } from "../contract.ts";
import { keepChanges } from "../sql/changes.ts";
import { StateTransitions, type Transitioned } from "../sql/state-transitions.ts";
import { type Connection, prepared } from "./connection.ts";
import { lookup, scalars } from "./dialect.ts";
import { countTransitions } from "./queues.ts";
import type { Transaction } from "./transaction-runner.ts";

/** What must be known as well of a task that comes from being leased, or is settled. */
interface Leased {
  /** Its row of pawl.lease. */
  readonly lease: number | null;
  readonly prune_at: number | null;
}

export interface PostgresTask extends Transitioned, Partial<Leased> {
  readonly seq?: number;
}

/** The columns of a PostgresTask of the table `t`, for a RETURNING. */
export const TRANSITIONED = "t.id, t.queue, t.fence, t.group_id, t.seq, t.lease, t.prune_at";

/** What tasks have in common that succeeded together. */
export type Alike = Pick<Transitioned, "queue"> & Pick<Leased, "lease">;

/** Transitions in one transaction of PostgreSQL, with the tables beside `task` that follow from them. */
export class PostgresTransitions extends StateTransitions<PostgresTask> {
  readonly connection: Connection;
  readonly #recording: Promise<boolean>;
  /** How many tasks each row of pawl.lease has lost. */
  readonly #unleased = new Map<number, number>();
  /** What was settled and is not written to pawl.retained yet, and until when it is kept. */
  readonly #retained: { readonly seq: number; readonly pruneAt: number }[] = [];

  constructor({ connection, recording }: Pick<Transaction, "connection" | "recording">, location: string) {
    super(location);
    this.connection = connection;
    this.#recording = recording;
  }

  override add(task: PostgresTask, from: TaskState | null, to: TaskState): void {
    const { seq, lease = null, prune_at = null } = task;
    if (from === "leased" && lease !== null) this.#unlease(lease, 1);
    if (to !== "waiting" && to !== "leased" && prune_at !== null && seq !== undefined) {
      this.#retained.push({ seq, pruneAt: prune_at });
    }
    super.add(task, from, to);
  }

  /** Tasks in no group that were leased have succeeded, all alike; until when they are kept is written already. */
  succeed({ queue, lease }: Alike, tasks: readonly Lease[]): void {
    const counts = this.countsOf(queue);
    counts.leased -= tasks.length;
    counts.succeeded += tasks.length;
    if (lease !== null) this.#unlease(lease, tasks.length);
    for (const { id, fence } of tasks) this.changes.push({ id, fence, state: "succeeded" });
    this.settles = true;
  }

  /**
   * Writes the counters of the queues, and what goes with the tasks: their leases, how long they are kept, and the
   * changes if a subscriber reads them. False when there was nothing.
   */
  async write(): Promise<boolean> {
    if (this.queues.size === 0) return false;
    const { connection } = this;
    if (this.#unleased.size > 0) {
      // Rows are locked in order of their numbers, after the tasks.
      const numbers = [...this.#unleased.keys()].sort((a, b) => a - b);
      connection.later(UNLEASE, [
        scalars(numbers),
        scalars(numbers.map((number) => this.#unleased.get(number))),
      ]);
    }
    if (this.#retained.length > 0) {
      connection.later(RETAIN, [
        scalars(this.#retained.map(({ pruneAt }) => pruneAt)),
        scalars(this.#retained.map(({ seq }) => seq)),
      ]);
    }
    countTransitions(connection, this.queues);
    if (await this.#recording) await connection.perform(keepChanges(this.changes));
    return true;
  }

  #unlease(lease: number, tasks: number): void {
    this.#unleased.set(lease, (this.#unleased.get(lease) ?? 0) + tasks);
  }
}

/** Writes until when tasks are kept: those of one time in one row. */
const RETAIN = prepared(
  `INSERT INTO pawl.retained (prune_at, tasks)
     SELECT r.prune_at, array_agg(r.seq) FROM unnest($1::bigint[], $2::bigint[]) AS r (prune_at, seq)
     GROUP BY r.prune_at`,
);

/**
 * With so small a share of its tasks still leased, a row is written again without the others. Each must be looked up for
 * that, so it is not for a row whose last tasks end in a moment, as most do.
 */
const SHARE = 16;

/** Removes tasks that are leased no more from their rows of pawl.lease. */
const UNLEASE = prepared(
  `WITH ended AS MATERIALIZED (
       SELECT l.number, l.open - c.tasks AS open
       FROM unnest($1::bigint[], $2::bigint[]) AS c (number, tasks) JOIN pawl.lease AS l ON ${lookup("l.number", "c.number")}
       ORDER BY l.number FOR UPDATE OF l),
     gone AS (DELETE FROM pawl.lease AS l USING ended AS e WHERE ${lookup("l.number", "e.number")} AND e.open <= 0)
     UPDATE pawl.lease AS l SET open = e.open, tasks = CASE WHEN e.open * ${SHARE} > cardinality(l.tasks) THEN l.tasks
       ELSE ARRAY(SELECT s.seq FROM unnest(l.tasks) AS s (seq) JOIN pawl.task AS t ON ${lookup("t.seq", "s.seq")}
         WHERE t.lease = l.number AND t.state = 'leased') END
     FROM ended AS e WHERE ${lookup("l.number", "e.number")} AND e.open > 0`,
);
