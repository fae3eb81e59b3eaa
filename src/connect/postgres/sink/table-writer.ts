import type {
  Checkpoint,
  CheckpointBuilder,
  Chunk,
  Failure,
  WriteOutcome,
  Writer,
} from "../../../batch/contract.ts";
import { PawlError, TransientError } from "../../../errors.ts";
import { sqlState } from "../../../postgres-errors.ts";
import { retry } from "../../../retry.ts";
import { isConflictSqlState } from "../../../transient-errors.ts";
import { explain } from "../errors.ts";
import type { PostgresSession } from "../session.ts";
import { type ShardClaim, writeCheckpoint } from "./checkpoint-table.ts";

export interface WriterParts {
  readonly session: PostgresSession;
  /** Makes a chunk ready to be written over this session. */
  readonly ready: (chunk: Chunk<unknown>) => Promise<ChunkWrite>;
  /** The shard whose row of the checkpoint table this writer holds; null where the database cannot hold checkpoints. */
  readonly claim: ShardClaim | null;
  readonly checkpoint: Checkpoint | null;
  /** How often a chunk is tried that meets the locks of others. */
  readonly attempts: number;
  /** What begins a transaction. @default "BEGIN" */
  readonly begin?: string;
}

/** Writes the chunks of one shard into a table, each in one transaction with its checkpoint, over a connection of its own. */
export class TableWriter implements Writer<unknown> {
  readonly checkpoint: Checkpoint | null;
  readonly #session: PostgresSession;
  readonly #ready: WriterParts["ready"];
  readonly #claim: ShardClaim | null;
  readonly #attempts: number;
  readonly #begin: string;

  constructor({ session, ready, claim, checkpoint, attempts, begin = "BEGIN" }: WriterParts) {
    this.#session = session;
    this.#ready = ready;
    this.#claim = claim;
    this.checkpoint = checkpoint;
    this.#attempts = attempts;
    this.#begin = begin;
  }

  /**
   * Writes a chunk and its checkpoint in one transaction, again where it met a deadlock or a lock. A lost connection is a TransientError:
   * the shard (batch/shard/shard.ts) opens another writer, which begins at the checkpoint that was committed.
   */
  async write(chunk: Chunk<unknown>, buildCheckpoint: CheckpointBuilder): Promise<void> {
    await this.#orExplain(async () => {
      const ready = await this.#ready(chunk);
      const isTransient = (error: unknown) => isConflict(error) && !this.#session.isLost;
      await retry(
        () => this.#orRollback(async () => this.#commit(await buildCheckpoint(await this.#apply(ready)))),
        {
          isTransient,
          attempts: this.#attempts,
          baseMs: 60,
          jitter: "equal",
        },
      );
      ready.committed();
    });
  }

  /** What would become of a chunk: writes it, and rolls that back. */
  async dryRun(chunk: Chunk<unknown>): Promise<WriteOutcome> {
    return await this.#orExplain(() =>
      this.#orRollback(async () => {
        const outcome = await this.#apply(await this.#ready(chunk));
        await this.#session.run("ROLLBACK");
        return outcome;
      }),
    );
  }

  async finish(checkpoint: Checkpoint): Promise<void> {
    await this.#orExplain(() =>
      this.#orRollback(async () => {
        // The commits before this one may still be on their way to the disk; they reach it before this one does.
        await this.#session.run("BEGIN; SET LOCAL synchronous_commit = on");
        await this.#commit(checkpoint);
      }),
    );
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  /** Leaves the effect of a chunk in an open transaction, by the first write mode that works. */
  async #apply(ready: ChunkWrite): Promise<WriteOutcome> {
    for (;;) {
      await ready.prepare();
      await this.#session.run(this.#begin);
      try {
        const outcome = await ready.apply();
        assertWhole(outcome, ready.items);
        // Deferred constraints are checked here, where an error can still be told from one of the commit.
        await this.#session.run("SET CONSTRAINTS ALL IMMEDIATE");
        return outcome;
      } catch (error) {
        if (!ready.changeMode(error)) throw error;
        await this.#session.run("ROLLBACK");
      }
    }
  }

  async #commit(checkpoint: Checkpoint): Promise<void> {
    if (this.#claim !== null) await writeCheckpoint(this.#session, this.#claim, checkpoint);
    await this.#session.run("COMMIT");
  }

  /** Leaves no transaction open when `work` rejects. */
  async #orRollback<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!this.#session.isLost) {
        // Where this fails the connection is gone, and the transaction with it.
        await this.#session.run("ROLLBACK").catch(() => {});
      }
      throw error;
    }
  }

  /** Makes an error of what `work` rejects with that says who can help. */
  async #orExplain<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const explained = explain(error, this.#session.url);
      if (this.#session.isLost && explained instanceof PawlError && !(explained instanceof TransientError))
        throw new TransientError(explained.code, explained.message, { cause: error });
      throw explained;
    }
  }
}

/** Whether a transaction met others and did not happen: a deadlock, a serialization failure, a lock that was held for too long. */
function isConflict(error: unknown): boolean {
  return isConflictSqlState(sqlState(error) ?? "");
}

/** The sum of what became of the items is the items, or nothing of them is committed. */
function assertWhole({ written, unchanged, skipped, failures }: WriteOutcome, items: number): void {
  const least = Math.min(written, unchanged, skipped);
  if (least >= 0 && written + unchanged + skipped + failures.length === items) return;
  throw new PawlError(
    "postgres.count",
    `Of ${items} rows, ${written} were written, ${unchanged} unchanged, ${skipped} skipped and ${failures.length} refused, which does not add up: nothing of them was committed; please report it.`,
  );
}

/** How one chunk goes into its table: by one write mode, or by several that are tried one after the other. */
export interface ChunkWrite {
  /** How many items the chunk has; where that shows only as they are changed, after `apply`. */
  readonly items: number;
  /** Before the transaction begins: makes what is to outlive a rollback. */
  prepare(): Promise<void>;
  /** Leaves the effect in the open transaction. */
  apply(): Promise<WriteOutcome>;
  /**
   * After an error: whether another write mode may help, by which `apply` writes then in a new transaction. Rejections of
   * `apply` are the server's own errors.
   */
  changeMode(error: unknown): boolean;
  committed(): void;
}

export const NOTHING: WriteOutcome = { written: 0, unchanged: 0, skipped: 0, duplicates: 0, failures: [] };

export function total(outcomes: readonly WriteOutcome[]): WriteOutcome {
  const sum = { written: 0, unchanged: 0, skipped: 0, duplicates: 0, failures: [] as Failure[] };
  for (const outcome of outcomes) {
    sum.written += outcome.written;
    sum.unchanged += outcome.unchanged;
    sum.skipped += outcome.skipped;
    sum.duplicates += outcome.duplicates;
    for (const failure of outcome.failures) sum.failures.push(failure);
  }
  return sum;
}
