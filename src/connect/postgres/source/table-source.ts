import { assertOptions, type OptionNames } from "../../../arguments.ts";
import type {
  Chunk,
  ChunkSize,
  Cursor,
  Description,
  Ordering,
  PlanOptions,
  Shard,
  ShardPlan,
  Source,
} from "../../../batch/contract.ts";
import { PawlError } from "../../../errors.ts";
import type { Json, QuarantineRecord } from "../../../store/contract.ts";
import { findColumn, findTable, unknownTable } from "../catalog.ts";
import type { TableOptions, TableRow } from "../options.ts";
import { PostgresSession } from "../session.ts";
import { KeyRangeChunk } from "./key-range.ts";
import { chooseKeyset, indexHint, type KeyTexts } from "./keyset.ts";
import { replaySource } from "./replay.ts";
import { planShards, type ShardRange } from "./shards.ts";
import { checkFilter, explainFilter, TableReader, type TableView } from "./table-reader.ts";

/**
 * The rows of a table, each once, in the order of its key: page by page from the last key on, never by counting rows
 * over. A row that is added while it runs is read if its key lies ahead of where the reading is and is not greater than
 * the greatest when it began; one that is deleted before it is read is not read.
 *
 * Items are objects by column name. What JavaScript holds exactly comes as such; `bigint`, `numeric`, dates and times come
 * as the text that PostgreSQL writes.
 *
 * @throws PawlError `argument.object`, and `postgres.where` for an empty condition; when the job begins, `postgres.url`,
 * `postgres.unreachable`, `postgres.password` or `postgres.permission` where the server cannot be used, `postgres.unknown-table`,
 * `postgres.not-a-table`, `postgres.unknown-column`, `postgres.where` for a condition that does not work, and for the key
 * `postgres.no-key`, `postgres.key-unknown`, `postgres.key-twice` and `postgres.key-null`
 * @example
 * ```ts
 * const users = table({ url, table: "users", where: "token IS NULL" });
 * defineJob({ name: "tokens", source: users, sink: update({ url, table: "users", set: { token: "gen_random_uuid()" } }) });
 * ```
 */
export function table(options: TableOptions): Source<TableRow> {
  assertOptions(options, TABLE_OPTIONS, "table");
  if (options.where?.trim() === "") {
    throw new PawlError(
      "postgres.where",
      "The condition is empty: give one, or leave it out to read every row.",
    );
  }
  return new TableSource(options);
}

const TABLE_OPTIONS: OptionNames<TableOptions> = {
  url: true,
  table: true,
  key: true,
  columns: true,
  where: true,
};

class TableSource implements Source<TableRow> {
  readonly #options: TableOptions;

  constructor(options: TableOptions) {
    this.#options = options;
  }

  async describe(): Promise<Description> {
    return await this.#withView(async (view, session) => {
      await checkFilter(session, view);
      const hint = indexHint(view.table, view.keyset);
      return {
        name: view.table.label,
        unit: "rows",
        columns: view.columns.map((column) => column.name),
        identity: identityOf(view),
        bytes: null,
        notes: hint === null ? [] : [hint],
      };
    });
  }

  difference(before: Json, now: Json): string | null {
    const [was, is] = [before as unknown as Identity, now as unknown as Identity];
    if (was.table !== is.table) return `The table is ${is.table} and was ${was.table}`;
    if (was.oid !== is.oid) return `The table ${is.table} was dropped and created again`;
    if (was.key.join() !== is.key.join())
      return `The key of ${is.table} is (${is.key.join(", ")}) and was (${was.key.join(", ")})`;
    if (was.where !== is.where)
      return `The condition is ${is.where ?? "none"} and was ${was.where ?? "none"}`;
    return null;
  }

  async shards(n: number, ordering: Ordering, options: PlanOptions): Promise<ShardPlan> {
    return await this.#withView(async (view, session) => {
      const names = ordering.kind === "byKey" ? ordering.key.map(({ name }) => name) : [];
      // Rows that no two share a key of are in every order.
      const distinct = view.keyset.unique && view.keyset.columns.every(({ name }) => names.includes(name));
      const plan = await planShards(session, view, ordering.kind === "any" || distinct ? n : 1, options);
      return distinct ? { ...plan, duplicates: 0 } : plan;
    });
  }

  async sample(n: number): Promise<readonly TableRow[]> {
    return await this.#withView(async (view) => {
      const reader = await TableReader.open(view, this.#options.url);
      try {
        return (await reader.page(null, null, n)).map(({ row }) => row);
      } finally {
        await reader.close();
      }
    });
  }

  async *read(
    shard: Shard,
    cursor: Cursor | null,
    size: ChunkSize,
    signal: AbortSignal,
  ): AsyncGenerator<Chunk<TableRow>, void, undefined> {
    const { from, to, rowBytes } = shard.data as unknown as ShardRange;
    if (to === null) return;
    const reader = await this.reader();
    // What waits for the server is woken by the end of the connection.
    const stop = () => reader.abort();
    signal.addEventListener("abort", stop, { once: true });
    try {
      for (let after = (cursor as KeyTexts | null) ?? from; ; ) {
        signal.throwIfAborted();
        const limit = Math.max(1, Math.min(size.items, Math.floor(size.bytes / rowBytes)));
        const found = await reader.boundary(after, to, limit);
        if (found === null) return;
        yield new KeyRangeChunk(reader, after, found, rowBytes);
        after = found.end;
      }
    } finally {
      signal.removeEventListener("abort", stop);
      await reader.close();
    }
  }

  replay(items: () => AsyncIterable<QuarantineRecord>): Source<TableRow> {
    return replaySource(this, items);
  }

  async reader(): Promise<TableReader> {
    return await this.#withView((view) => TableReader.open(view, this.#options.url));
  }

  async #withView<T>(body: (view: TableView, session: PostgresSession) => Promise<T>): Promise<T> {
    const { url, where } = this.#options;
    const session = await PostgresSession.open(url, "pawl reader");
    let view: TableView | undefined;
    try {
      view = await this.#view(session);
      return await body(view, session);
    } catch (error) {
      throw explainFilter(error, view?.table.label ?? this.#options.table, where, url);
    } finally {
      await session.close();
    }
  }

  async #view(session: PostgresSession): Promise<TableView> {
    const { table: name, key, columns, where } = this.#options;
    const found = await findTable(session, name);
    if (found === null) throw await unknownTable(session, name, "check its name and its schema.");
    const keyset = await chooseKeyset(session, found, key);
    const wanted =
      columns === undefined
        ? found.columns
        : columns.map((column) => findColumn(found, column, "postgres.unknown-column", "columns"));
    return { table: found, keyset, columns: wanted, where };
  }
}

interface Identity {
  readonly table: string;
  /** One that is dropped and created again is another table. */
  readonly oid: number;
  readonly key: readonly string[];
  readonly where: string | null;
}

/** What must be the same for a cursor to mean the same. Rows may come and go. */
function identityOf({ table, keyset, where }: TableView): Json {
  return {
    table: table.label,
    oid: table.oid,
    key: keyset.columns.map((column) => `${column.name} ${column.type}`),
    where: where ?? null,
  };
}
