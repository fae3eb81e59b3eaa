import type { Chunk, OpenSink, Sink, SinkContext, WriteOutcome, Writer } from "../../../batch/contract.ts";
import { PawlError } from "../../../errors.ts";
import { explain } from "../errors.ts";
import type { DelOptions, PostgresOptions, UpdateOptions } from "../options.ts";
import { Session } from "../session.ts";
import { RangeChunk } from "../source/key-range.ts";
import { pack } from "./change/packed-rows.ts";
import { type LiveTarget, liveTarget } from "./change/target.ts";
import { change, LiveWriter } from "./change/writer.ts";
import { bury, finishedShards, prepareLedger, takeOver } from "./checkpoint-table.ts";
import { postgres } from "./load.ts";
import { lookAtTable, noteTable } from "./same-table.ts";

/**
 * Changes rows of a table in use, each exactly once: the columns that a step returns, found by the key, and those that
 * `set` computes. A row that is no longer there is skipped; one that already is as it should be is left alone; one that has
 * changed since the step saw it is stepped again as it is now.
 */
export function update(options: UpdateOptions): Sink<unknown> {
  return { open: (context) => open("update", options, context) };
}

/** Deletes rows of a table in use: those that a step returns, found by the key, or all that the source reads. */
export function del(options: DelOptions): Sink<unknown> {
  return { open: (context) => open("delete", options, context) };
}

/** Adds rows to a table, each exactly once; one whose key is there already is refused, unless `onConflict` says otherwise. */
export function insert(options: PostgresOptions): Sink<Record<string, unknown>> {
  return postgres({ onConflict: "fail", ...options });
}

async function open(
  kind: LiveTarget["change"],
  options: UpdateOptions,
  context: SinkContext,
): Promise<OpenSink<unknown>> {
  checkTimeout("lock-timeout", options.lockTimeoutMs);
  checkTimeout("statement-timeout", options.statementTimeoutMs);
  const session = await Session.open(options.url, `pawl ${context.run}`);
  try {
    await session.run("BEGIN");
    const target = await liveTarget(session, kind, options, context);
    await session.run("COMMIT");
    const obstacle = await prepareLedger(session, context.dryRun);
    const looks = obstacle === null && !context.dryRun;
    const note = looks ? await lookAtTable(session, context.run, target.table, "adds none") : null;
    return new OpenLive(options, context.run, target, { obstacle, note });
  } catch (error) {
    throw explain(error, options.url);
  } finally {
    await session.close();
  }
}

/** The server's settings are whole milliseconds up to this, where 0 means no limit. */
const longestMs = 2 ** 31 - 1;

function checkTimeout(name: string, ms: number | undefined): void {
  if (ms === undefined || (ms > 0 && Math.ceil(ms) <= longestMs)) return;
  throw new PawlError(
    "postgres.timeout",
    `--${name} is ${ms} ms, and the server takes 1 ms to 24 days: give a time between them, such as 5s.`,
  );
}

const lockMs = 1000;
const statementMs = 10_000;
/**
 * As long as a lease: a process that was stopped for longer has lost its shards, and must not keep rows locked, against which
 * others, and those who take over, would run.
 */
const silenceMs = 15_000;

class OpenLive implements OpenSink<unknown> {
  readonly guarantee: OpenSink<unknown>["guarantee"];
  readonly ordering = { kind: "any" } as const;
  readonly notes: readonly string[];
  /** Others want their turn at the rows: short transactions from the first one on. */
  readonly pace = { commitMs: 200, firstBytes: 64 * 1024, minBytes: 1024 };
  readonly #options: UpdateOptions;
  readonly #run: string;
  readonly #target: LiveTarget;
  #noted: Promise<void> | null = null;

  constructor(
    options: UpdateOptions,
    run: string,
    target: LiveTarget,
    { obstacle, note }: { readonly obstacle: string | null; readonly note: string | null },
  ) {
    this.#options = options;
    this.#run = run;
    this.#target = target;
    // A row that is gone cannot be deleted again; a change could be made again, perhaps to another value.
    this.guarantee = obstacle === null ? "transactional" : target.change === "delete" ? "idempotent" : "none";
    this.notes =
      obstacle === null
        ? note === null
          ? []
          : [note]
        : [
            obstacle +
              (target.change === "delete"
                ? "."
                : ": after an interruption some rows could be changed once more."),
          ];
  }

  takesWhole(chunk: Chunk<unknown>): boolean {
    return chunk instanceof RangeChunk;
  }

  async pack(chunk: Chunk<unknown>): Promise<Chunk<unknown>> {
    return await pack(chunk, this.#target);
  }

  async writer(shard: number, fence: number): Promise<Writer<unknown>> {
    const session = await this.#session();
    try {
      const claim = this.guarantee === "transactional" ? { run: this.#run, shard, fence } : null;
      const checkpoint =
        claim === null ? null : (await takeOver(session, claim.run, shard, fence)).checkpoint;
      if (claim !== null) await this.#note(session);
      // A checkpoint that a crash takes away takes its rows along, so only the last commit need wait for the disk.
      if (claim !== null) await session.run("SET synchronous_commit = off");
      return new LiveWriter(session, this.#target, claim, checkpoint);
    } catch (error) {
      await session.close();
      throw explain(error, this.#options.url);
    }
  }

  /** Once for all shards that this process works on. */
  async #note(session: Session): Promise<void> {
    this.#noted ??= noteTable(session, this.#run, this.#target.table);
    try {
      await this.#noted;
    } catch (error) {
      // The next writer notes it.
      this.#noted = null;
      throw error;
    }
  }

  async rehearse(chunk: Chunk<unknown>): Promise<WriteOutcome> {
    const session = await this.#session();
    try {
      await session.run("BEGIN");
      const outcome = await change(session, this.#target, chunk);
      await session.run("ROLLBACK");
      return outcome;
    } catch (error) {
      throw explain(error, this.#options.url);
    } finally {
      await session.close();
    }
  }

  async finished(): Promise<ReadonlySet<number> | null> {
    return this.guarantee === "transactional" ? await finishedShards(this.#options.url, this.#run) : null;
  }

  async conclude(): Promise<void> {
    if (this.guarantee !== "transactional") return;
    const session = await Session.open(this.#options.url, `pawl ${this.#run}`);
    try {
      await bury(session, this.#run);
    } catch (error) {
      throw explain(error, this.#options.url);
    } finally {
      await session.close();
    }
  }

  /** Nothing stays open between the calls: each writer has a connection of its own. */
  async close(): Promise<void> {}

  async #session(): Promise<Session> {
    const { url, lockTimeoutMs = lockMs, statementTimeoutMs = statementMs } = this.#options;
    return await Session.open(url, `pawl ${this.#run}`, {
      lock_timeout: String(Math.ceil(lockTimeoutMs)),
      statement_timeout: String(Math.ceil(statementTimeoutMs)),
      idle_in_transaction_session_timeout: String(silenceMs),
    });
  }
}
