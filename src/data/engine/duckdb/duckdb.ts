import { rm } from "node:fs/promises";
import { PawlError } from "../../../errors.ts";
import type { PlanNode } from "../../plan/node.ts";
import { nodesOf } from "../../plan/walk.ts";
import type { ColumnField } from "../../schema/column-type.ts";
import type {
  Batch,
  Engine,
  EngineOptions,
  EngineSession,
  ExplainedNode,
  QueryOptions,
  ScanCounts,
  WriteTarget,
  WrittenFiles,
} from "../contract.ts";
import { describeScan } from "./describe-scan.ts";
import { explainedSteps } from "./explain.ts";
import { openInstance } from "./open.ts";
import { planSql } from "./plan-sql.ts";
import { DuckDBQuery, type QueryHome } from "./query.ts";
import { QueryScans } from "./scans.ts";
import { mentionedNames, tableNames } from "./table-names.ts";
import { writeFiles } from "./write.ts";

/** DuckDB in this process. */
export const duckdb: Engine = {
  name: "DuckDB",
  open: async (options: EngineOptions) =>
    new DuckDBSession({
      instance: await openInstance(options),
      folder: options.spillFolder,
      memory: options.memory,
    }),
};

class DuckDBSession implements EngineSession {
  readonly #home: QueryHome;
  readonly #queries = new Set<DuckDBQuery>();
  #scanned: ScanCounts = { read: 0, kept: 0, rejected: 0 };
  #closed = false;

  constructor(home: QueryHome) {
    this.#home = home;
  }

  async describe(plan: PlanNode): Promise<readonly ColumnField[]> {
    const query = await this.#open({});
    try {
      if (plan.kind === "scan" && plan.fields.length === 0) return await describeScan(plan, query);
      return await query.fields(planSql(plan));
    } finally {
      await this.#close(query);
    }
  }

  async tables(sql: string): Promise<readonly string[]> {
    const query = await this.#open({});
    try {
      return await tableNames(query.connection, sql);
    } finally {
      await this.#close(query);
    }
  }

  async mentions(sql: string): Promise<ReadonlySet<string> | null> {
    const query = await this.#open({});
    try {
      return await mentionedNames(query.connection, sql);
    } finally {
      await this.#close(query);
    }
  }

  async *batches(plan: PlanNode, options: QueryOptions = {}): AsyncIterable<Batch> {
    const query = await this.#open(options);
    let scans: QueryScans | undefined;
    try {
      scans = await QueryScans.open(plan, query, options);
      yield* query.batches(planSql(scans.plan), plan.fields);
      this.#count(await scans.complete(query.profile));
    } catch (error) {
      throw named(scans === undefined ? error : await scans.explained(error), plan, options);
    } finally {
      scans?.close();
      await this.#close(query);
    }
  }

  async write(plan: PlanNode, target: WriteTarget, options: QueryOptions = {}): Promise<WrittenFiles> {
    const query = await this.#open(options);
    let scans: QueryScans | undefined;
    const looked = async () => {
      scans?.close();
      scans = await QueryScans.open(plan, query, options);
      return scans;
    };
    try {
      const { plan: own } = await looked();
      const written = await writeFiles(query, own, target, async () => (await looked()).plan);
      try {
        this.#count(await (scans as unknown as QueryScans).complete(query.profile));
      } catch (error) {
        await rm(target.path, { recursive: true, force: true });
        throw error;
      }
      return written;
    } catch (error) {
      const opened = scans as QueryScans | undefined;
      throw named(opened === undefined ? error : await opened.explained(error), plan, options);
    } finally {
      (scans as QueryScans | undefined)?.close();
      await this.#close(query);
    }
  }

  scanned(): ScanCounts {
    return this.#scanned;
  }

  async explain(plan: PlanNode, run: boolean, options: QueryOptions = {}): Promise<ExplainedNode> {
    const query = await this.#open(options);
    let scans: QueryScans | undefined;
    try {
      scans = await QueryScans.open(plan, query, options);
      // It gives no rows of the query even where it runs it.
      const [row] = await query.run(`EXPLAIN (${run ? "ANALYZE, " : ""}FORMAT json) ${planSql(scans.plan)}`);
      return explainedSteps(String(row?.explain_value), plan);
    } catch (error) {
      throw named(scans === undefined ? error : await scans.explained(error), plan, options);
    } finally {
      scans?.close();
      await this.#close(query);
    }
  }

  sql(plan: PlanNode): string {
    return planSql(plan);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all([...this.#queries].map((query) => query.close()));
    this.#home.instance.closeSync();
  }

  #count({ read, kept, rejected }: ScanCounts): void {
    const before = this.#scanned;
    this.#scanned = {
      read: before.read + read,
      kept: before.kept + kept,
      rejected: before.rejected + rejected,
    };
  }

  async #open(options: QueryOptions): Promise<DuckDBQuery> {
    const query = await DuckDBQuery.open(this.#home, options);
    this.#queries.add(query);
    return query;
  }

  async #close(query: DuckDBQuery): Promise<void> {
    this.#queries.delete(query);
    await query.close();
  }
}

/** An error with the names that the user has for files in place of the paths of their copies. */
function named(error: unknown, plan: PlanNode, { nameOf }: QueryOptions): unknown {
  if (!(error instanceof PawlError) || nameOf === undefined) return error;
  let { message } = error;
  for (const node of nodesOf(plan))
    if (node.kind === "scan")
      for (const path of node.locations) message = message.replaceAll(path, () => nameOf(path));
  return message === error.message ? error : new PawlError(error.code, message, { cause: error.cause });
}
