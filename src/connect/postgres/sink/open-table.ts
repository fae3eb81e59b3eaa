import type {
  Chunk,
  Finalization,
  OpenSink,
  Ordering,
  WriteOutcome,
  Writer,
} from "../../../batch/contract.ts";
import { explain } from "../errors.ts";
import { PostgresSession } from "../session.ts";
import { claimShard, finishedShards } from "./checkpoint-table.ts";
import { type ChunkWrite, TableWriter } from "./table-writer.ts";

export interface OpenTableParts {
  readonly url: string;
  readonly run: string;
  readonly guarantee: OpenSink<unknown>["guarantee"];
  readonly notes: readonly string[];
  /** Sees that the table is the one that the run knows, or notes which one it is; before the first write of this process. */
  readonly guard: (session: PostgresSession) => Promise<void>;
  /** Settings of the sessions that write. */
  readonly settings?: Readonly<Record<string, string>>;
  /** As `WriterParts.attempts`. */
  readonly attempts: number;
  /** As `WriterParts.begin`, on a dry run. */
  readonly beginDryRun?: string;
}

/** What all sinks of tables do alike: sessions, the claims of shards in the checkpoint table, and the guard of the table. */
export abstract class OpenTable<T> implements OpenSink<T> {
  abstract readonly ordering: Ordering;
  readonly guarantee: OpenSink<T>["guarantee"];
  readonly notes: readonly string[];
  readonly #parts: OpenTableParts;
  readonly #guard: (session: PostgresSession) => Promise<void>;

  constructor(parts: OpenTableParts) {
    this.guarantee = parts.guarantee;
    this.notes = parts.notes;
    this.#parts = parts;
    this.#guard = onceForAll(parts.guard);
  }

  protected get isTransactional(): boolean {
    return this.guarantee === "transactional";
  }

  /** What makes the chunks of one shard ready to be written over a session; `distinct` as in `OpenSink.writer`. */
  protected abstract ready(
    session: PostgresSession,
    distinct: boolean,
  ): Promise<(chunk: Chunk<unknown>) => Promise<ChunkWrite>>;

  async writer(shard: number, fence: number, distinct = false): Promise<Writer<T>> {
    const { url, run, settings, attempts } = this.#parts;
    const session = await PostgresSession.open(url, `pawl ${run}`, settings);
    try {
      const claim = this.isTransactional ? { run, shard, fence } : null;
      const checkpoint = claim === null ? null : await claimShard(session, claim);
      if (claim !== null) {
        await this.#guard(session);
        // A checkpoint that a crash takes away takes its rows along, so only the last commit need wait for the disk.
        await session.run("SET synchronous_commit = off");
      }
      const ready = await this.ready(session, distinct);
      return new TableWriter({ session, ready, claim, checkpoint, attempts });
    } catch (error) {
      await session.close();
      throw explain(error, url);
    }
  }

  async dryRun(chunk: Chunk<T>): Promise<WriteOutcome> {
    const { settings, beginDryRun } = this.#parts;
    return await this.inSession(async (session) => {
      const ready = await this.ready(session, false);
      const begin = beginDryRun === undefined ? {} : { begin: beginDryRun };
      const writer = new TableWriter({
        session,
        ready,
        claim: null,
        checkpoint: null,
        attempts: 1,
        ...begin,
      });
      return await writer.dryRun(chunk);
    }, settings);
  }

  async finished(): Promise<ReadonlySet<number> | null> {
    return this.isTransactional ? await finishedShards(this.#parts.url, this.#parts.run) : null;
  }

  abstract finalize(how?: "succeeded" | "given up"): Promise<Finalization>;

  /** Nothing stays open between the calls: each writer has a connection of its own. */
  async close(): Promise<void> {}

  protected async inSession<R>(
    work: (session: PostgresSession) => Promise<R>,
    settings?: Readonly<Record<string, string>>,
  ): Promise<R> {
    return await PostgresSession.use(this.#parts.url, `pawl ${this.#parts.run}`, work, settings);
  }
}

/** Does something once for all writers of this process; after a failure the next writer tries again. */
export function onceForAll<R>(
  work: (session: PostgresSession) => Promise<R>,
): (session: PostgresSession) => Promise<R> {
  let shared: Promise<R> | null = null;
  return async (session) => {
    const mine = shared ?? work(session);
    shared = mine;
    try {
      return await mine;
    } catch (error) {
      if (shared === mine) shared = null;
      throw error;
    }
  };
}
