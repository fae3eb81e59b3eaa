import { assertObject } from "../../../arguments.ts";
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
import { explain } from "../errors.ts";
import { quoteName } from "../identifier.ts";
import type { PostgresOptions } from "../options.ts";
import { PostgresSession } from "../session.ts";
import { type Column, findTable, matchColumn, refuseRules, type Table, unknownTable } from "../table.ts";
import { checkPermissions, checkServer } from "./check-server.ts";
import { finishRun, hasCheckpoints, prepareCheckpointTable } from "./checkpoint-table.ts";
import {
  assertExpression,
  checkExpressions,
  type ExpressionUse,
  givenExpressions,
  namesFor,
} from "./expressions.ts";
import { kindsOf } from "./load/column-kinds.ts";
import { type Created, createTable } from "./load/create-table.ts";
import {
  checkSequences,
  deleteMissing,
  dropSeen,
  limitOf,
  type Missing,
  prepareSeen,
  seenTable,
} from "./load/delete-missing.ts";
import { MissingCount } from "./load/delete-missing-dry-run.ts";
import { EncodedChunk, encode } from "./load/encode.ts";
import { chooseKey } from "./load/key.ts";
import { orderingOf } from "./load/ordering.ts";
import {
  checkRequired,
  checkSomeMatch,
  givenColumns,
  type LoadTarget,
  type RowLayout,
  RowLayouts,
} from "./load/row-layout.ts";
import { Staging } from "./load/staging.ts";
import { encoded, LoadChunk, ModeChoice } from "./load/write-modes.ts";
import { OpenTable, onceForAll } from "./open-table.ts";
import { assertNotRefilled, assertSameTable, momentNow } from "./same-table.ts";
import type { ChunkWrite } from "./table-writer.ts";

type Item = Record<string, unknown>;

/**
 * A table of PostgreSQL as the sink of a job: rows are inserted, or updated by key, each exactly once. A row that the table
 * refuses is quarantined with the reason.
 *
 * @throws when the job runs, PawlError with a code such as `postgres.unknown-table`, `postgres.no-key` or `postgres.permission`
 * @example
 * ```ts
 * defineJob({ name: "people", source: csv("people.csv"), sink: postgres({ url, table: "people" }) });
 * ```
 */
export function postgres(options: PostgresOptions): Sink<Item> {
  assertObject(options, "The options of postgres");
  return { open: (context) => open(options, context) };
}

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
  const began = deletes && !context.dryRun ? await momentNow(session) : null;
  await session.run("BEGIN");
  const seen = await namesOf(context);
  const names = seen === null ? null : [...new Set(seen.flat())];
  const found = await findOrCreate(session, options, context, names);
  const { table, created } = found;
  const chosen = await targetOf(session, options, context, table, created, names);
  const target = deletes ? { ...chosen, seen: context.dryRun ? null : seenTable(context.run) } : chosen;
  const layouts = new RowLayouts(target);
  const notes: string[] = [];
  if (created !== null)
    notes.push(`${context.dryRun ? "Would create" : "Creates"} the table:\n${created.ddl}`);
  if (created !== null && target.key === null && !options.append)
    notes.push(
      `${table.label} gets no key, for nothing says which column identifies a row: every row is added, and another load adds its ` +
        "rows to them; --key names the columns of a primary key.",
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
        `${obstacle}, without which --delete-missing cannot know what it has seen.`,
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
  const ways = new Map<string, readonly string[]>();
  for (const row of rows) {
    if (typeof row !== "object" || row === null || Array.isArray(row)) continue;
    const names = Object.keys(row);
    if (names.length > 0) ways.set(JSON.stringify(names), names);
  }
  return ways.size === 0 ? null : [...ways.values()];
}

/** The layout of all that is brought. Items that cannot be written are quarantined when they come; throws where none can. */
function layoutOf(layouts: RowLayouts, ways: (readonly string[])[]): RowLayout {
  try {
    return layouts.of([...new Set(ways.flat())]);
  } catch (error) {
    const fits = (names: readonly string[]) => {
      try {
        layouts.of(names);
        return true;
      } catch {
        return false;
      }
    };
    const fitting = ways.filter(fits);
    if (fitting.length === 0 || fitting.length === ways.length) throw error;
    return layouts.of([...new Set(fitting.flat())]);
  }
}

async function findOrCreate(
  session: PostgresSession,
  options: PostgresOptions,
  context: SinkContext,
  names: readonly string[] | null,
): Promise<{ table: Table; created: Created | null }> {
  const there = await findTable(session, options.table);
  if (there !== null) return { table: there, created: null };
  if (!options.create) throw await unknownTable(session, options.table);
  const created = await createTable(session, options, names, await context.sample());
  const table = await findTable(session, options.table);
  if (table === null) {
    throw new PawlError(
      "postgres.create",
      `${options.table} was created but is not found: write it with its schema, such as public.${options.table}.`,
    );
  }
  return { table, created };
}

async function targetOf(
  session: PostgresSession,
  options: PostgresOptions,
  context: SinkContext,
  table: Table,
  created: Created | null,
  names: readonly string[] | null,
): Promise<LoadTarget> {
  const source = context.transformed ? `the items made from ${context.source.name}` : context.source.name;
  const map = new Map(Object.entries(options.map ?? {}));
  for (const name of map.keys()) {
    if (names === null || context.transformed || names.includes(name)) continue;
    throw new PawlError(
      "postgres.map",
      `${source} has no column "${name}" (--map ${name}=${map.get(name)}): its columns are ${names.join(", ")}.`,
    );
  }
  const given = givenExpressions(table, options.set ?? {}, { identity: true });
  const use = insertUse(table, options.set ?? {}, names ?? [], map);
  const assignments = await checkExpressions(session, given, use);
  const brought = names === null ? null : new Set(assignments.map((each) => each.column.name));
  for (const name of names ?? []) {
    const column = matchColumn(table, map.get(name) ?? name);
    if (column !== null) brought?.add(column.name);
  }
  const append = options.append === true || (await takesAll(session, options, table, created, context.run));
  const mode = options.onConflict ?? (append ? "fail" : "update");
  const updateIf = await checkUpdateIf(session, table, options.updateIf);
  const draft: LoadTarget = {
    table,
    mode,
    key: null,
    keyComputed: false,
    map,
    assignments,
    updateIf,
    seen: null,
    source,
  };
  if (names !== null) checkSomeMatch(draft, names);
  const key = append ? null : chooseKey(table, options.key, mode, brought, source);
  refuseRules(table, "INSERT", ...(mode === "fail" || key === null ? [] : (["ON CONFLICT"] as const)));
  const { triggeredColumns: triggered } = table;
  const keyComputed =
    key !== null && (triggered === null || key.columns.some((column) => triggered.includes(column.name)));
  return { ...draft, key, keyComputed };
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
  const upsert = key !== undefined ? "--key" : updateIf !== undefined ? "--update-if" : null;
  if (append && (upsert !== null || (onConflict ?? "fail") !== "fail")) {
    throw new PawlError(
      "postgres.append",
      `--append adds every row, whatever its key: leave out ${upsert ?? `--on-conflict ${onConflict}`}, or leave out --append.`,
    );
  }
  if (maxDeletes !== undefined) limitOf(maxDeletes, 0);
  if (updateIf === undefined) return;
  if (updateIf.trim() === "") {
    throw new PawlError("postgres.update-if", "--update-if is empty: give a condition, or leave it out.");
  }
  if ((onConflict ?? "update") !== "update") {
    throw new PawlError(
      "postgres.update-if",
      `--update-if says when a row is changed, and --on-conflict ${onConflict} changes none: leave one of them out.`,
    );
  }
}

/**
 * Whether the table was made for this run without a key, so that it takes every row: just now, or before the run was
 * interrupted. Another table must say what identifies a row.
 */
async function takesAll(
  session: PostgresSession,
  { create, key, onConflict }: PostgresOptions,
  table: Table,
  created: Created | null,
  run: string,
): Promise<boolean> {
  if (!create || key !== undefined || onConflict !== undefined || table.keys.some(({ primary }) => primary))
    return false;
  return created !== null || (await isEmpty(session, table)) || (await hasCheckpoints(session, run));
}

/** The expressions of `--set` of a load: they may use what the source brings, and the values go into new rows. */
function insertUse(
  table: Table,
  set: Readonly<Record<string, string>>,
  names: readonly string[],
  map: ReadonlyMap<string, string>,
): ExpressionUse {
  const types = names.map((source) => {
    const typed = matchColumn(table, map.get(source) ?? source);
    // A value that the expression replaces does not reach the table, so it is a text like all that are left out.
    const replaced = typed === null || Object.hasOwn(set, typed.name) || Object.hasOwn(set, source);
    return { source, type: replaced ? "text" : typed.type };
  });
  return {
    row: ({ expression }) => {
      const inSql = namesFor([expression], names);
      const columns = types.flatMap(({ source, type }) =>
        inSql(source).map((as) => `NULL::${type} AS ${as}`),
      );
      return `(SELECT ${columns.join(", ")}) s`;
    },
    statement: ({ column, expression }, row) =>
      `INSERT INTO ${table.sql} (${quoteName(column.name)}) OVERRIDING SYSTEM VALUE SELECT (${expression}\n) FROM ${row}`,
    advice: `it may use the columns ${names.join(", ")}`,
  };
}

async function checkUpdateIf(
  session: PostgresSession,
  table: Table,
  condition?: string,
): Promise<string | null> {
  if (condition === undefined) return null;
  const row = `${table.sql}, ${table.sql} AS excluded`;
  await assertExpression(session, condition, {
    row,
    statement: `SELECT FROM ${row} WHERE (${condition}\n)`,
    code: "postgres.update-if",
    what: `The condition --update-if ${condition}`,
    advice: `excluded.column is the new value, ${table.name}.column the one in the table`,
  });
  return condition;
}

class OpenLoad extends OpenTable<Item> {
  readonly ordering: Ordering;
  readonly kinds: Prepared["kinds"];
  readonly #options: PostgresOptions;
  readonly #context: SinkContext;
  readonly #prepared: Prepared;
  readonly #modeChoice: (session: PostgresSession) => Promise<ModeChoice>;

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
      ...(ddl === null ? {} : { beginRehearsal: `BEGIN; ${ddl}` }),
    });
    this.ordering = prepared.ordering;
    this.kinds = prepared.kinds;
    this.#options = options;
    this.#context = context;
    this.#prepared = prepared;
    this.#modeChoice = onceForAll((session) => beginChoice(session, prepared));
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
    const choice = await this.#modeChoice(session);
    const staging = new Staging(session, layouts.target, distinct);
    return async (chunk) => new LoadChunk(await encoded(chunk, layouts), staging, choice);
  }

  async survey(): Promise<Survey<Item> | null> {
    const { layouts, ddl } = this.#prepared;
    const { url, deleteMissing, maxDeletes } = this.#options;
    if (deleteMissing !== true || this.#context.partial || ddl !== null) return null;
    const session = await PostgresSession.open(url, `pawl ${this.#context.run}`);
    try {
      return await MissingCount.begin(session, layouts, maxDeletes);
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

async function beginChoice(session: PostgresSession, { ddl, layouts }: Prepared): Promise<ModeChoice> {
  const { table, mode } = layouts.target;
  // Where keys are not expected to be there, the table's size says nothing.
  const fresh = ddl !== null || mode === "fail" || (await isEmpty(session, table));
  return new ModeChoice({ fresh, triggersBefore: table.triggersBefore });
}

async function isEmpty(session: PostgresSession, table: Table): Promise<boolean> {
  if (!table.maySelect) return false;
  const { rows } = await session.query<{ empty: boolean }>(
    `SELECT NOT EXISTS (SELECT FROM ${table.sql}) AS empty`,
  );
  return rows[0]?.empty ?? false;
}
