import { assertOptions, type OptionNames } from "../../../arguments.ts";
import type {
  Chunk,
  Finalization,
  FinalizedSink,
  OpenSink,
  Ordering,
  Sink,
  SinkContext,
  Survey,
} from "../../../batch/contract.ts";
import { PawlError } from "../../../errors.ts";
import { isCsvChunk } from "../../csv/contract.ts";
import type { Column } from "../catalog.ts";
import { explain } from "../errors.ts";
import type { PostgresOptions } from "../options.ts";
import { PostgresSession } from "../session.ts";
import { checkPermissions, checkServer } from "./check-server.ts";
import { finishRun, prepareCheckpointTable } from "./checkpoint-table.ts";
import { kindsOf } from "./load/column-kinds.ts";
import {
  checkSequences,
  deleteMissing,
  dropSeen,
  limitOf,
  type Missing,
  prepareSeen,
  seenTable,
} from "./load/delete-missing.ts";
import { DeleteMissingDryRun } from "./load/delete-missing-dry-run.ts";
import { EncodedChunk, encode } from "./load/encode-items.ts";
import { isEmpty, type LoadTarget, loadTarget } from "./load/load-target.ts";
import { orderingOf } from "./load/repeated-keys.ts";
import { checkRequired, givenColumns, type RowLayout, RowLayouts } from "./load/row-layout.ts";
import { currentSnapshot } from "./load/snapshot.ts";
import { Staging } from "./load/staging.ts";
import { AdaptiveMode, encoded, LoadChunk } from "./load/write-modes.ts";
import { OpenTable, onceForAll } from "./open-table.ts";
import { assertNotRefilled, assertSameTable } from "./same-table.ts";
import type { ChunkWrite } from "./table-writer.ts";

type Item = Record<string, unknown>;

/**
 * A table of PostgreSQL as the sink of a job: rows are inserted, or updated by key, each exactly once, by a checkpoint that is
 * committed with them. A row that the table refuses is quarantined with the reason.
 *
 * @throws PawlError `argument.object`; when the job begins, one that names what does not fit, before any row is written: the server
 * (`postgres.url`, `postgres.unreachable`, `postgres.password`, `postgres.version`, `postgres.read-only`, `postgres.permission`,
 * `postgres.not-ours`), the table (`postgres.unknown-table`, `postgres.not-a-table`, `postgres.rule`), its columns
 * (`postgres.no-match`, `postgres.unknown-column`, `postgres.column-twice`, `postgres.required`, `postgres.generated`), its key
 * (`postgres.no-key`, `postgres.key-missing`, `postgres.key-unknown`, `postgres.key-not-unique`), or an option (`postgres.map`,
 * `postgres.set`, `postgres.update-if`, `postgres.append`, `postgres.create-empty`, `postgres.delete-missing`); at its end
 * `postgres.max-deletes`, and after an interruption `postgres.other-table`
 * @example
 * ```ts
 * defineJob({ name: "people", source: csv("people.csv"), sink: postgres({ url, table: "people" }) });
 * ```
 */
export function postgres(options: PostgresOptions): Sink<Record<string, unknown>> {
  assertOptions(options, OPTIONS, "postgres");
  return { open: (context) => open(options, context) };
}

const OPTIONS: OptionNames<PostgresOptions> = {
  url: true,
  table: true,
  key: true,
  map: true,
  set: true,
  onConflict: true,
  append: true,
  updateIf: true,
  deleteMissing: true,
  maxDeletes: true,
  resetSequence: true,
  create: true,
  unique: true,
};

interface Prepared {
  readonly layouts: RowLayouts;
  readonly ordering: Ordering;
  readonly kinds: NonNullable<OpenSink<Item>["kinds"]>;
  readonly guarantee: OpenSink<Item>["guarantee"];
  readonly notes: readonly string[];
  /** What makes the table on a dry run, which has taken it back; null where it is there. */
  readonly ddl: string | null;
  /** The columns that rows bring, or all where that is not known. */
  readonly columns: readonly Column[];
}

async function open(options: PostgresOptions, context: SinkContext): Promise<OpenSink<Item>> {
  checkOptions(options);
  return await PostgresSession.use(options.url, `pawl ${context.run}`, async (session) => {
    const prepared = await prepare(session, options, context);
    return new OpenLoad(options, context, prepared);
  });
}

/** Looks at everything in one transaction, which a dry run rolls back, with a table it may have created. */
async function prepare(
  session: PostgresSession,
  options: PostgresOptions,
  context: SinkContext,
): Promise<Prepared> {
  const deletes = options.deleteMissing === true && context.partial !== true;
  await checkServer(session, options.url);
  // Before any item is looked at, which may take long.
  const began = deletes && !context.dryRun ? await currentSnapshot(session) : null;
  await session.run("BEGIN");
  const seen = await namesOf(context);
  const names = seen === null ? null : [...new Set(seen.flat())];
  const found = await loadTarget(session, options, context, names);
  const { created } = found;
  const { table } = found.target;
  const target = deletes
    ? { ...found.target, seen: context.dryRun ? null : seenTable(context.run) }
    : found.target;
  const layouts = new RowLayouts(target);
  const notes: string[] = [];
  if (created !== null)
    notes.push(`${context.dryRun ? "Would create" : "Creates"} the table:\n${created.ddl}`);
  if (created !== null && target.key === null && !options.append)
    notes.push(
      `${table.label} gets no key, for nothing says which column identifies a row: every row is added, and another load adds its ` +
        "rows to them; `key` names the columns of a primary key.",
    );
  const layout = seen === null ? null : layoutOf(layouts, seen);
  if (layout !== null) {
    checkRequired(target, layout);
    await checkPermissions(session, target, layout);
  }
  await session.run(context.dryRun ? "ROLLBACK" : "COMMIT");
  const obstacle = await prepareCheckpointTable(session, context.dryRun);
  const guarantee = obstacle === null ? "transactional" : repeatable(target) ? "idempotent" : "none";
  if (guarantee === "transactional" && !context.dryRun) {
    const note = await assertNotRefilled(session, context.run, table, "adds");
    if (note !== null) notes.push(note);
  }
  if (guarantee !== "transactional") {
    notes.push(
      `${obstacle}: ` +
        (guarantee === "idempotent"
          ? "after an interruption some rows are written once more, with the same result."
          : "after an interruption some rows could be written twice."),
    );
  }
  if (deletes) {
    if (obstacle !== null)
      throw new PawlError(
        "postgres.delete-missing",
        `${obstacle}, without which \`deleteMissing\` cannot know what it has seen.`,
      );
    await prepareSeen(session, target, context.run, began);
  }
  if (context.dryRun && layout !== null) notes.push(...mappingOf(layout));
  const { ordering, note } = orderingOf(target, options.unique ?? false, context.transformed, layout);
  if (note !== null) notes.push(note);
  const ddl = context.dryRun && created !== null ? created.ddl : null;
  const columns = layout === null ? table.columns : givenColumns(layout);
  return {
    layouts,
    ordering,
    kinds: kindsOf(target, context.source.columns ?? []),
    guarantee,
    notes,
    ddl,
    columns,
  };
}

/** Writing the same rows again gives the same table. */
function repeatable(target: LoadTarget): boolean {
  return target.key !== null && !target.key.nullable && target.mode !== "fail";
}

/** What the items are expected to bring, in each set of names that some have; null when nothing tells before they come. */
async function namesOf(context: SinkContext): Promise<(readonly string[])[] | null> {
  if (!context.transformed && context.source.columns !== null) return [context.source.columns];
  const rows = await context.sample();
  const nameSets = new Map<string, readonly string[]>();
  for (const row of rows) {
    if (typeof row !== "object" || row === null || Array.isArray(row)) continue;
    const names = Object.keys(row);
    if (names.length > 0) nameSets.set(JSON.stringify(names), names);
  }
  return nameSets.size === 0 ? null : [...nameSets.values()];
}

/** The layout of all that is brought. Items that cannot be written are quarantined when they come; throws where none can. */
function layoutOf(layouts: RowLayouts, nameSets: (readonly string[])[]): RowLayout {
  try {
    return layouts.of([...new Set(nameSets.flat())]);
  } catch (error) {
    const fits = (names: readonly string[]) => {
      try {
        layouts.of(names);
        return true;
      } catch {
        return false;
      }
    };
    const fitting = nameSets.filter(fits);
    if (fitting.length === 0 || fitting.length === nameSets.length) throw error;
    return layouts.of([...new Set(fitting.flat())]);
  }
}

/** Which column of the source goes where, a line each. */
function mappingOf({ fields, assignments }: RowLayout): string[] {
  return [
    ...fields.map(({ name, column }) =>
      column === null ? `${name} is left out` : `${name} goes to ${column.name} (${column.type})`,
    ),
    ...assignments.map(({ column, expression }) => `${column.name} (${column.type}) is ${expression}`),
  ];
}

/** Options that cannot be meant together. */
function checkOptions({ append, key, onConflict, updateIf, maxDeletes }: PostgresOptions): void {
  const upsert = key !== undefined ? "`key`" : updateIf !== undefined ? "`updateIf`" : null;
  if (append && (upsert !== null || (onConflict ?? "fail") !== "fail")) {
    throw new PawlError(
      "postgres.append",
      `\`append\` adds every row, whatever its key: leave out ${upsert ?? `\`onConflict: ${onConflict}\``}, or leave out \`append\`.`,
    );
  }
  if (maxDeletes !== undefined) limitOf(maxDeletes, 0);
  if (updateIf === undefined) return;
  if (updateIf.trim() === "") {
    throw new PawlError("postgres.update-if", "`updateIf` is empty: give a condition, or leave it out.");
  }
  if ((onConflict ?? "update") !== "update") {
    throw new PawlError(
      "postgres.update-if",
      `\`updateIf\` says when a row is changed, and \`onConflict: ${onConflict}\` changes none: leave one of them out.`,
    );
  }
}

class OpenLoad extends OpenTable<Item> {
  readonly ordering: Ordering;
  readonly kinds: Prepared["kinds"];
  readonly #options: PostgresOptions;
  readonly #context: SinkContext;
  readonly #prepared: Prepared;
  readonly #adaptiveMode: (session: PostgresSession) => Promise<AdaptiveMode>;

  constructor(options: PostgresOptions, context: SinkContext, prepared: Prepared) {
    const { layouts, ddl, guarantee, notes } = prepared;
    const { table } = layouts.target;
    super({
      url: options.url,
      run: context.run,
      guarantee,
      notes,
      guard: (session) => assertSameTable(session, context.run, table),
      // A load waits for locks as long as a session does, so that trying again is left to the run.
      attempts: 1,
      ...(ddl === null ? {} : { beginDryRun: `BEGIN; ${ddl}` }),
    });
    this.ordering = prepared.ordering;
    this.kinds = prepared.kinds;
    this.#options = options;
    this.#context = context;
    this.#prepared = prepared;
    this.#adaptiveMode = onceForAll((session) => adaptiveModeOf(session, prepared));
  }

  takesWhole(chunk: Chunk<unknown>): boolean {
    return isCsvChunk(chunk);
  }

  async pack(chunk: Chunk<Item>): Promise<Chunk<Item>> {
    return new EncodedChunk(chunk, await encode(chunk, this.#prepared.layouts));
  }

  protected async ready(
    session: PostgresSession,
    distinct: boolean,
  ): Promise<(chunk: Chunk<unknown>) => Promise<ChunkWrite>> {
    const { layouts } = this.#prepared;
    const adaptive = await this.#adaptiveMode(session);
    const staging = new Staging(session, layouts.target, distinct);
    return async (chunk) => new LoadChunk(await encoded(chunk, layouts), staging, adaptive);
  }

  async survey(): Promise<Survey<Item> | null> {
    const { layouts, ddl } = this.#prepared;
    const { url, deleteMissing, maxDeletes } = this.#options;
    if (deleteMissing !== true || this.#context.partial || ddl !== null) return null;
    const session = await PostgresSession.open(url, `pawl ${this.#context.run}`);
    try {
      return await DeleteMissingDryRun.begin(session, layouts, maxDeletes);
    } catch (error) {
      await session.close();
      throw explain(error, url);
    }
  }

  async finalize(how: "succeeded" | "given up" = "succeeded"): Promise<Finalization> {
    const { run } = this.#context;
    const { target } = this.#prepared.layouts;
    return await this.inSession(async (session) => {
      const done = how === "succeeded" ? await this.#finish(session) : { told: [] };
      if (how !== "succeeded" && target.seen !== null) await dropSeen(session, run);
      if (this.isTransactional) await finishRun(session, run);
      return done;
    });
  }

  /** What is to be done once, when all rows are in the table. */
  async #finish(session: PostgresSession): Promise<FinalizedSink> {
    const { run } = this.#context;
    const { layouts, columns } = this.#prepared;
    const { target } = layouts;
    if (this.isTransactional) await assertSameTable(session, run, target.table);
    const missing: Missing =
      target.seen === null
        ? { told: [] }
        : await deleteMissing(session, target, run, this.#options.maxDeletes);
    const told = await checkSequences(session, target.table, columns, this.#options.resetSequence ?? false);
    return { ...missing, told: [...missing.told, ...told] };
  }
}

async function adaptiveModeOf(session: PostgresSession, { ddl, layouts }: Prepared): Promise<AdaptiveMode> {
  const { table, mode } = layouts.target;
  // Where keys are not expected to be there, the table's size says nothing.
  const fresh = ddl !== null || mode === "fail" || (await isEmpty(session, table));
  return new AdaptiveMode({ fresh, triggersBefore: table.triggersBefore });
}
