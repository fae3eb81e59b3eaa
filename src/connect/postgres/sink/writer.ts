import type { Checkpoint, Chunk, Seal, WriteOutcome, Writer } from "../../../batch/contract.ts";
import { PawlError, TransientError } from "../../../errors.ts";
import { isCsvChunk } from "../../csv/contract.ts";
import { explain, isUniqueViolation, mayBeOfRows } from "../errors.ts";
import type { Session } from "../session.ts";
import { record } from "./checkpoint-table.ts";
import { writeDirect, writeMerged } from "./load/copy-and-merge.ts";
import { csvFeed, type Feed } from "./load/copy-rows.ts";
import { type Encoded, EncodedChunk, encode } from "./load/encode.ts";
import type { Layouts } from "./load/layout.ts";
import { writeCareful } from "./load/row-by-row.ts";
import { Miscount, total, Work } from "./load/staging.ts";
import type { Strategy, Way } from "./load/write-modes.ts";

export interface WriterParts {
  readonly session: Session;
  readonly layouts: Layouts;
  readonly checkpoint: Checkpoint | null;
  /** Where the checkpoint goes; null where the target cannot hold it. */
  readonly claim: { readonly run: string; readonly shard: number; readonly fence: number } | null;
  /** Shared by the writers of a run: what one has learnt about the table holds for the next. */
  readonly strategy: Strategy;
  /** No two rows of the run have the same key. */
  readonly distinct: boolean;
  /** What begins a transaction; default `BEGIN`. */
  readonly begin?: string;
}

/** Writes the chunks of one shard over a connection of its own. */
export class PostgresWriter implements Writer<Record<string, unknown>> {
  readonly checkpoint: Checkpoint | null;
  readonly #session: Session;
  readonly #layouts: Layouts;
  readonly #claim: WriterParts["claim"];
  readonly #work: Work;
  readonly #strategy: Strategy;
  readonly #begin: string;

  constructor({ session, layouts, checkpoint, claim, strategy, distinct, begin = "BEGIN" }: WriterParts) {
    this.#begin = begin;
    this.checkpoint = checkpoint;
    this.#session = session;
    this.#layouts = layouts;
    this.#claim = claim;
    this.#work = new Work(session, layouts.target, distinct);
    this.#strategy = strategy;
  }

  async write(chunk: Chunk<Record<string, unknown>>, seal: Seal): Promise<void> {
    try {
      const { feeds, failures } = await encoded(chunk, this.#layouts);
      const outcome = await this.#apply(feeds);
      const whole =
        failures.length === 0 ? outcome : { ...outcome, failures: [...outcome.failures, ...failures] };
      await this.#commit(await seal(whole));
      this.#work.committed();
    } catch (error) {
      throw await this.#giveUp(error);
    }
  }

  /** What would become of a chunk: writes it, and takes it back. */
  async rehearse(chunk: Chunk<Record<string, unknown>>): Promise<WriteOutcome> {
    try {
      const { feeds, failures } = await encoded(chunk, this.#layouts);
      const outcome = await this.#apply(feeds);
      await this.#session.run("ROLLBACK");
      return { ...outcome, failures: [...outcome.failures, ...failures] };
    } catch (error) {
      throw await this.#giveUp(error);
    }
  }

  async finish(checkpoint: Checkpoint): Promise<void> {
    try {
      // The commits before this one may still be on their way to the disk; they reach it before this one does.
      await this.#session.run("BEGIN; SET LOCAL synchronous_commit = on");
      await this.#commit(checkpoint);
    } catch (error) {
      throw await this.#giveUp(error);
    }
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  /** Leaves the effect of the feeds in an open transaction, by the fastest way that works. */
  async #apply(feeds: readonly Feed[]): Promise<WriteOutcome> {
    const canCopy = feeds.every((feed) => this.#work.statements(feed).canCopy);
    for (let way: Way | null = this.#strategy.first(canCopy); way !== null; ) {
      if (way === "merge" && feeds.some((feed) => this.#work.numberedOf(feed) === "wide")) way = "careful";
      if (way !== "direct") await this.#work.prepare(feeds, way === "merge" ? "stage" : "numbered");
      await this.#session.run(this.#begin);
      try {
        const outcome = await this.#applyBy(way, feeds);
        this.#assertWhole(outcome, feeds);
        await this.#session.run("SET CONSTRAINTS ALL IMMEDIATE");
        return outcome;
      } catch (error) {
        const next: Way | null = this.#after(way, error);
        if (next === null) throw error;
        await this.#session.run("ROLLBACK");
        way = next;
      }
    }
    throw new PawlError("postgres.strategy", "No way to write the chunk was left.");
  }

  /** The sum of what became of the rows is the rows, or nothing of them is committed. */
  #assertWhole({ written, unchanged, skipped, failures }: WriteOutcome, feeds: readonly Feed[]): void {
    const items = feeds.reduce((sum, feed) => sum + feed.items, 0);
    const least = Math.min(written, unchanged, skipped);
    if (least >= 0 && written + unchanged + skipped + failures.length === items) return;
    throw new PawlError(
      "postgres.count",
      `Of ${items} rows, ${written} were written, ${unchanged} unchanged, ${skipped} skipped and ${failures.length} refused, which does not add up: nothing of them was committed; please report it.`,
    );
  }

  async #applyBy(way: Way, feeds: readonly Feed[]): Promise<WriteOutcome> {
    const outcomes: WriteOutcome[] = [];
    for (const feed of feeds) {
      if (way === "direct") {
        outcomes.push(await writeDirect(this.#work, feed));
        this.#strategy.directWorked();
      } else if (way === "merge") {
        const { outcome, experience } = await writeMerged(this.#work, feed, this.#strategy.merge());
        outcomes.push(outcome);
        this.#strategy.merged(experience);
      } else {
        outcomes.push(await writeCareful(this.#work, feed));
      }
      const keep =
        way === "direct"
          ? null
          : this.#work.statements(feed).keepSeen(way === "merge" ? "stage" : this.#work.numberedOf(feed));
      if (keep !== null) await this.#session.run(keep);
    }
    const outcome = total(outcomes);
    if (way === "careful") this.#strategy.careful(outcome.failures.length);
    return outcome;
  }

  /** What to try when a way failed; null when the error is not about the rows. */
  #after(way: Way, error: unknown): Way | null {
    const miscounted = error instanceof Miscount;
    if (way === "careful" || (!miscounted && !mayBeOfRows(error))) return null;
    if (way === "merge") return "careful";
    const { key, mode } = this.#layouts.target;
    const conflict = isUniqueViolation(error);
    if (conflict || miscounted) this.#strategy.directFailed();
    if (miscounted) return "merge";
    return conflict && key !== null && mode !== "fail" ? "merge" : "careful";
  }

  async #commit(checkpoint: Checkpoint): Promise<void> {
    if (this.#claim !== null) {
      const { run, shard, fence } = this.#claim;
      await record(this.#session, run, shard, fence, checkpoint);
    }
    await this.#session.run("COMMIT");
  }

  /** Leaves no transaction open, and makes an error of it that says who can help. */
  async #giveUp(error: unknown): Promise<Error> {
    if (!this.#session.isLost) {
      try {
        await this.#session.run("ROLLBACK");
      } catch {
        // Then the connection is gone, and the transaction with it.
      }
    }
    const explained = explain(error, this.#session.url);
    if (this.#session.isLost && explained instanceof PawlError && !(explained instanceof TransientError)) {
      return new TransientError(explained.code, explained.message, { cause: error });
    }
    return explained;
  }
}

/** The items of a chunk in a form that COPY reads. */
export async function encoded(chunk: Chunk<unknown>, layouts: Layouts): Promise<Encoded> {
  if (chunk instanceof EncodedChunk) return chunk.encoded;
  if (!isCsvChunk(chunk)) return await encode(chunk, layouts);
  return { feeds: [csvFeed(chunk, layouts.of(chunk.csv.columns))], failures: [] };
}
