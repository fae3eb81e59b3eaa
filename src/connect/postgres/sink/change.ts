import { assertObject, assertOptions, type OptionNames } from "../../../arguments.ts";
import type { Chunk, ChunkSizing, OpenSink, Sink, SinkContext } from "../../../batch/contract.ts";
import { type Duration, milliseconds } from "../../../durations.ts";
import { PawlError } from "../../../errors.ts";
import { LONGEST_TIMER_MS } from "../../../timers.ts";
import type { DeleteOptions, PostgresOptions, UpdateOptions } from "../options.ts";
import { PostgresSession } from "../session.ts";
import { KeyRangeChunk } from "../source/key-range.ts";
import { changeRange } from "./change/change-range.ts";
import { changeRows } from "./change/change-rows.ts";
import { type ChangeTarget, changeTarget } from "./change/change-target.ts";
import { EncodedChanges, encodeChanges } from "./change/encode-changes.ts";
import { finishRun, prepareCheckpointTable } from "./checkpoint-table.ts";
import { postgres } from "./load.ts";
import { OpenTable } from "./open-table.ts";
import { assertNotRefilled, noteTable } from "./same-table.ts";
import type { ChunkWrite } from "./table-writer.ts";

/**
 * Changes rows of a table in use, each exactly once: the columns that a transform returns, found by the key, and those that
 * `set` computes. A row that is no longer there is skipped; one that already is as it should be is left alone; one that has
 * changed since the transform saw it is transformed again as it is now.
 *
 * @throws PawlError `argument.object`; when the job begins, as `postgres()` for the server and the table, `postgres.permission`,
 * `postgres.set`, `postgres.set-key`, `postgres.generated`, `postgres.nothing-to-change`, `postgres.timeout`, `postgres.key-moves`
 * where a change would give rows another key, and for the key `postgres.no-key`, `postgres.key-unknown`, `postgres.key-twice` and
 * `postgres.key-not-unique`; as it runs, `postgres.other-table` where the source is another table and no transform stands between
 * @example
 * ```ts
 * const users = { url, table: "users" };
 * defineJob({ name: "lower", source: table(users), sink: update({ ...users, set: { email: "lower(email)" } }) });
 * ```
 */
export function update(options: UpdateOptions): Sink<unknown> {
  assertOptions(options, { ...DELETE_OPTIONS, set: true }, "update");
  return { open: (context) => open("update", options, context) };
}

/**
 * Deletes rows of a table in use, each once: those that a transform returns, found by the key, or all that the source reads.
 * A row that has changed since the transform saw it is transformed again as it is now.
 *
 * @throws PawlError `argument.object`; when the job begins, as `postgres()` for the server and the table, `postgres.permission`,
 * `postgres.timeout`, and for the key `postgres.no-key`, `postgres.key-unknown`, `postgres.key-twice` and
 * `postgres.key-not-unique`; as it runs, `postgres.other-table` where the source is another table and no transform stands between
 * @example
 * ```ts
 * const old = { url, table: "sessions", where: "seen < now() - interval '90 days'" };
 * defineJob({ name: "old sessions", source: table(old), sink: del({ url, table: "sessions" }) });
 * ```
 */
export function del(options: DeleteOptions): Sink<unknown> {
  assertOptions(options, DELETE_OPTIONS, "del");
  return { open: (context) => open("delete", options, context) };
}

/**
 * Adds rows to a table, each exactly once: `postgres()` with `onConflict: "fail"`, so that a row whose key is there already is
 * quarantined.
 *
 * @throws PawlError as `postgres()`
 * @example
 * ```ts
 * defineJob({ name: "copy", source: table({ url, table: "people" }), sink: insert({ url, table: "archive" }) });
 * ```
 */
export function insert(options: PostgresOptions): Sink<Record<string, unknown>> {
  assertObject(options, "The options of insert");
  return postgres({ onConflict: "fail", ...options });
}

const DELETE_OPTIONS: OptionNames<DeleteOptions> = {
  url: true,
  table: true,
  key: true,
  lockTimeout: true,
  statementTimeout: true,
};

async function open(
  kind: ChangeTarget["change"],
  options: UpdateOptions,
  context: SinkContext,
): Promise<OpenSink<unknown>> {
  const settings = settingsOf(options);
  return await PostgresSession.use(options.url, `pawl ${context.run}`, async (session) => {
    const target = await session.transaction(() => changeTarget(session, kind, options, context));
    const obstacle = await prepareCheckpointTable(session, context.dryRun);
    const looks = obstacle === null && !context.dryRun;
    const note = looks ? await assertNotRefilled(session, context.run, target.table, "adds none") : null;
    return new OpenChange(options.url, context.run, target, { obstacle, note, settings });
  });
}

/** The settings of the sessions that change rows. */
function settingsOf({ lockTimeout = "1s", statementTimeout = "10s" }: UpdateOptions): Record<string, string> {
  return {
    lock_timeout: timeoutOf("`lockTimeout`", lockTimeout),
    statement_timeout: timeoutOf("`statementTimeout`", statementTimeout),
    idle_in_transaction_session_timeout: String(silenceMs),
  };
}

/** The server takes whole milliseconds up to `LONGEST_TIMER_MS`, and 0 would mean no limit. */
function timeoutOf(name: string, timeout: Duration): string {
  const ms = typeof timeout === "number" ? timeout : milliseconds(timeout, name);
  if (ms > 0 && Math.ceil(ms) <= LONGEST_TIMER_MS) return String(Math.ceil(ms));
  throw new PawlError(
    "postgres.timeout",
    `${name} is ${ms} ms, and the server takes 1 ms to 24 days: give a time between them, such as 5s.`,
  );
}

/**
 * As long as a lease: a process that was stopped for longer has lost its shards, and must not keep rows locked, against which
 * others, and those who take over, would run.
 */
const silenceMs = 15_000;

class OpenChange extends OpenTable<unknown> {
  readonly ordering = { kind: "any" } as const;
  /** Others want their turn at the rows: short transactions from the first one on. */
  readonly chunkSizing: ChunkSizing = { commitTime: "200ms", firstSize: "64KB", minSize: "1KB" };
  readonly #run: string;
  readonly #target: ChangeTarget;

  constructor(
    url: string,
    run: string,
    target: ChangeTarget,
    {
      obstacle,
      note,
      settings,
    }: {
      readonly obstacle: string | null;
      readonly note: string | null;
      readonly settings: Readonly<Record<string, string>>;
    },
  ) {
    const deletes = target.change === "delete";
    const without = `${obstacle}${deletes ? "." : ": after an interruption some rows could be changed once more."}`;
    super({
      url,
      run,
      // A row that is gone cannot be deleted again; a change could be made again, perhaps to another value.
      guarantee: obstacle === null ? "transactional" : deletes ? "idempotent" : "none",
      notes: obstacle !== null ? [without] : note === null ? [] : [note],
      guard: (session) => noteTable(session, run, target.table),
      settings,
      attempts: 6,
    });
    this.#run = run;
    this.#target = target;
  }

  takesWhole(chunk: Chunk<unknown>): boolean {
    return chunk instanceof KeyRangeChunk;
  }

  async pack(chunk: Chunk<unknown>): Promise<Chunk<unknown>> {
    return await encodeChanges(chunk, this.#target);
  }

  protected async ready(session: PostgresSession): Promise<(chunk: Chunk<unknown>) => Promise<ChunkWrite>> {
    return async (chunk) => {
      const target = this.#target;
      if (chunk instanceof KeyRangeChunk) return changeOf(chunk, () => changeRange(session, target, chunk));
      const packed = chunk instanceof EncodedChanges ? chunk : await encodeChanges(chunk, target);
      return changeOf(packed, () => changeRows(session, target, packed));
    };
  }

  async finalize(): Promise<void> {
    if (this.isTransactional) await this.inSession((session) => finishRun(session, this.#run));
  }
}

/** Rows are changed by one mode alone, which finds the bad ones itself. */
function changeOf(chunk: Chunk<unknown>, apply: ChunkWrite["apply"]): ChunkWrite {
  return {
    get items() {
      return chunk.items;
    },
    prepare: async () => {},
    apply,
    changeMode: () => false,
    committed: () => {},
  };
}
