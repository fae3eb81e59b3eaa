import { assertObject } from "../../../arguments.ts";
import type {
  Chunk,
  Conclusion,
  OpenSink,
  Ordering,
  Sink,
  SinkContext,
  Survey,
  WriteOutcome,
  Writer,
} from "../../../batch/contract.ts";
import { PawlError } from "../../../errors.ts";
import { isCsvChunk } from "../../csv/contract.ts";
import { explain, sqlState } from "../errors.ts";
import type { PostgresOptions } from "../options.ts";
import { Session } from "../session.ts";
import { type Column, findTable, matchColumn, refuseRules, type Table, unknownTable } from "../table.ts";
import { bury, finishedShards, hasCheckpoints, prepareLedger, takeOver } from "./checkpoint-table.ts";
import { assertOneExpression, checkAssignments } from "./expressions.ts";
import { kindsOf } from "./load/column-kinds.ts";
import { type Created, createTable } from "./load/create-table.ts";
import {
  checkSequences,
  deleteMissing,
  dropSeen,
  limitOf,
  prepareSeen,
  seenTable,
} from "./load/delete-missing.ts";
import { EncodedChunk, encode } from "./load/encode.ts";
import { chooseKey } from "./load/key.ts";
import {
  checkRequired,
  checkSomeMatch,
  givenColumns,
  type Layout,
  Layouts,
  type Target,
} from "./load/layout.ts";
import { MissingCount } from "./load/missing-count.ts";
import { orderingOf } from "./load/ordering.ts";
import { Strategy } from "./load/write-modes.ts";
import { checkPermissions, checkServer } from "./permission.ts";
import { assertSameTable, lookAtTable, momentNow } from "./same-table.ts";
import { PostgresWriter } from "./writer.ts";

type Item = Record<string, unknown>;

/** A table of PostgreSQL as the end of a batch: rows are inserted, or updated by key, each exactly once. */
export function postgres(options: PostgresOptions): Sink<Item> {
  assertObject(options, "The options of postgres");
  return { open: (context) => open(options, context) };
}

interface Prepared {
  readonly layouts: Layouts;
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
  const session = await Session.open(options.url, `pawl ${context.run}`);
  try {
    const prepared = await prepare(session, options, context);
    return new OpenPostgres(options, context, prepared);
  } catch (error) {
    throw explain(error, options.url);
  } finally {
    await session.close();
  }
}

/** Looks at everything in one transaction, which a dry run rolls back, with a table it may have created. */
async function prepare(session: Session, options: PostgresOptions, context: SinkContext): Promise<Prepared> {
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
  const layouts = new Layouts(target);
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
  const obstacle = await prepareLedger(session, context.dryRun);
  const guarantee = obstacle === null ? "transactional" : repeatable(target) ? "idempotent" : "none";
  if (guarantee === "transactional" && !context.dryRun) {
    const note = await lookAtTable(session, context.run, table, "adds");
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
  const { ordering, note } = orderingOf(target, options.unique ?? false, context.stepped, layout);
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
function repeatable(target: Target): boolean {
  return target.key !== null && !target.key.nullable && target.mode !== "fail";
}

/** What the items are expected to bring, in each way in which some do; null when nothing tells before they come. */
async function namesOf(context: SinkContext): Promise<(readonly string[])[] | null> {
  if (!context.stepped && context.source.columns !== null) return [context.source.columns];
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
function layoutOf(layouts: Layouts, ways: (readonly string[])[]): Layout {
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
  session: Session,
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
  session: Session,
  options: PostgresOptions,
  context: SinkContext,
  table: Table,
  created: Created | null,
  names: readonly string[] | null,
): Promise<Target> {
  const source = context.stepped ? `the items made from ${context.source.name}` : context.source.name;
  const map = new Map(Object.entries(options.map ?? {}));
  for (const name of map.keys()) {
    if (names === null || context.stepped || names.includes(name)) continue;
    throw new PawlError(
      "postgres.map",
      `${source} has no column "${name}" (--map ${name}=${map.get(name)}): its columns are ${names.join(", ")}.`,
    );
  }
  const assignments = await checkAssignments(session, table, options.set ?? {}, names ?? [], map);
  const given = names === null ? null : new Set(assignments.map((each) => each.column.name));
  for (const name of names ?? []) {
    const column = matchColumn(table, map.get(name) ?? name);
    if (column !== null) given?.add(column.name);
  }
  const append = options.append === true || (await takesAll(session, options, table, created, context.run));
  const mode = options.onConflict ?? (append ? "fail" : "update");
  const updateIf = await checkUpdateIf(session, table, options.updateIf);
  const draft: Target = {
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
  const key = append ? null : chooseKey(table, options.key, mode, given, source);
  refuseRules(table, "INSERT", ...(mode === "fail" || key === null ? [] : (["ON CONFLICT"] as const)));
  const { triggered } = table;
  const keyComputed =
    key !== null && (triggered === null || key.columns.some((column) => triggered.includes(column.name)));
  return { ...draft, key, keyComputed };
}

/** Which column of the source goes where, a line each. */
function mappingOf({ fields, assignments }: Layout): string[] {
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
  session: Session,
  { create, key, onConflict }: PostgresOptions,
  table: Table,
  created: Created | null,
  run: string,
): Promise<boolean> {
  if (!create || key !== undefined || onConflict !== undefined || table.keys.some(({ primary }) => primary))
    return false;
  return created !== null || (await isEmpty(session, table)) || (await hasCheckpoints(session, run));
}

async function checkUpdateIf(session: Session, table: Table, condition?: string): Promise<string | null> {
  if (condition === undefined) return null;
  const rows = `${table.sql}, ${table.sql} AS excluded`;
  try {
    await session.run("SAVEPOINT pawl_try");
    await assertOneExpression(session, condition, rows);
    await session.query(`EXPLAIN SELECT FROM ${rows} WHERE (${condition}\n)`);
    await session.run("RELEASE SAVEPOINT pawl_try");
  } catch (cause) {
    if (sqlState(cause) === null) throw cause;
    throw new PawlError(
      "postgres.update-if",
      `The condition --update-if ${condition} does not work (${(cause as Error).message}): correct it; excluded.column is the new value, ${table.name}.column the one in the table.`,
      { cause },
    );
  }
  return condition;
}

class OpenPostgres implements OpenSink<Item> {
  readonly guarantee: OpenSink<Item>["guarantee"];
  readonly ordering: Ordering;
  readonly kinds: Prepared["kinds"];
  readonly notes: readonly string[];
  readonly #url: string;
  readonly #run: string;
  readonly #layouts: Layouts;
  readonly #options: PostgresOptions;
  readonly #partial: boolean;
  readonly #ddl: string | null;
  readonly #columns: readonly Column[];
  #strategy: Promise<Strategy> | null = null;
  #same: Promise<void> | null = null;

  constructor(options: PostgresOptions, { run, partial = false }: SinkContext, prepared: Prepared) {
    this.#partial = partial;
    this.#options = options;
    this.#ddl = prepared.ddl;
    this.#columns = prepared.columns;
    this.guarantee = prepared.guarantee;
    this.ordering = prepared.ordering;
    this.kinds = prepared.kinds;
    this.notes = prepared.notes;
    this.#url = options.url;
    this.#run = run;
    this.#layouts = prepared.layouts;
  }

  takesWhole(chunk: Chunk<unknown>): boolean {
    return isCsvChunk(chunk);
  }

  async pack(chunk: Chunk<Item>): Promise<Chunk<Item>> {
    return new EncodedChunk(chunk, await encode(chunk, this.#layouts));
  }

  async writer(shard: number, fence: number, distinct = false): Promise<Writer<Item>> {
    const session = await Session.open(this.#url, `pawl ${this.#run}`);
    try {
      const transactional = this.guarantee === "transactional";
      const claim = transactional ? { run: this.#run, shard, fence } : null;
      const checkpoint =
        claim === null ? null : (await takeOver(session, claim.run, shard, fence)).checkpoint;
      if (claim !== null) await this.#assertSame(session);
      // A checkpoint that a crash takes away takes its rows along, so only the last commit need wait for the disk.
      if (transactional) await session.run("SET synchronous_commit = off");
      const strategy = await this.#begun(session);
      return new PostgresWriter({ session, layouts: this.#layouts, checkpoint, claim, strategy, distinct });
    } catch (error) {
      await session.close();
      throw explain(error, this.#url);
    }
  }

  /** Once for all shards that this process works on. */
  async #assertSame(session: Session): Promise<void> {
    this.#same ??= assertSameTable(session, this.#run, this.#layouts.target.table);
    try {
      await this.#same;
    } catch (error) {
      // The next writer asks anew.
      this.#same = null;
      throw error;
    }
  }

  async #begun(session: Session): Promise<Strategy> {
    this.#strategy ??= beginStrategy(session, this.#layouts.target);
    try {
      return await this.#strategy;
    } catch (error) {
      // The next writer asks anew.
      this.#strategy = null;
      throw error;
    }
  }

  async rehearse(chunk: Chunk<Item>): Promise<WriteOutcome> {
    const session = await Session.open(this.#url, `pawl ${this.#run}`);
    try {
      const { target } = this.#layouts;
      const fresh = { fresh: true, triggersBefore: target.table.triggersBefore };
      const strategy = this.#ddl === null ? await beginStrategy(session, target) : new Strategy(fresh);
      const begin = this.#ddl === null ? "BEGIN" : `BEGIN; ${this.#ddl}`;
      const parts = {
        session,
        layouts: this.#layouts,
        checkpoint: null,
        claim: null,
        strategy,
        distinct: false,
        begin,
      };
      return await new PostgresWriter(parts).rehearse(chunk);
    } finally {
      await session.close();
    }
  }

  async survey(): Promise<Survey<Item> | null> {
    if (this.#options.deleteMissing !== true || this.#partial || this.#ddl !== null) return null;
    const session = await Session.open(this.#url, `pawl ${this.#run}`);
    try {
      return await MissingCount.begin(session, this.#layouts, this.#options.maxDeletes);
    } catch (error) {
      await session.close();
      throw explain(error, this.#url);
    }
  }

  async finished(): Promise<ReadonlySet<number> | null> {
    return this.guarantee === "transactional" ? await finishedShards(this.#url, this.#run) : null;
  }

  async conclude(how: "succeeded" | "given up" = "succeeded"): Promise<Conclusion> {
    const { resetSequence = false, maxDeletes } = this.#options;
    const { target } = this.#layouts;
    const session = await Session.open(this.#url, `pawl ${this.#run}`);
    try {
      const told: string[] = [];
      let deleted: number | undefined;
      if (how === "succeeded") {
        if (this.guarantee === "transactional") await assertSameTable(session, this.#run, target.table);
        if (target.seen !== null) {
          const missing = await deleteMissing(session, target, this.#run, maxDeletes);
          told.push(...missing.told);
          ({ deleted } = missing);
        }
        told.push(...(await checkSequences(session, target.table, this.#columns, resetSequence)));
      } else if (target.seen !== null) await dropSeen(session, this.#run);
      if (this.guarantee === "transactional") await bury(session, this.#run);
      return { told, ...(deleted === undefined ? {} : { deleted }) };
    } catch (error) {
      throw explain(error, this.#url);
    } finally {
      await session.close();
    }
  }

  /** Nothing stays open between the calls: each writer has a connection of its own. */
  async close(): Promise<void> {}
}

async function beginStrategy(session: Session, target: Target): Promise<Strategy> {
  const { table, mode } = target;
  // Where keys are not expected to be there, the table's size says nothing.
  const fresh = mode === "fail" || (await isEmpty(session, table));
  return new Strategy({ fresh, triggersBefore: table.triggersBefore });
}

async function isEmpty(session: Session, table: Table): Promise<boolean> {
  if (!table.maySelect) return false;
  const { rows } = await session.query<{ empty: boolean }>(
    `SELECT NOT EXISTS (SELECT FROM ${table.sql}) AS empty`,
  );
  return rows[0]?.empty ?? false;
}
