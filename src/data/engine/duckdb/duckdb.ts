import type { DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import type { PlanNode } from "../../plan/node.ts";
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
import { batchOf } from "./batch.ts";
import { connect, openInstance } from "./open.ts";
import { planSql } from "./plan-sql.ts";

/** DuckDB in this process. */
export const duckdb: Engine = {
  name: "DuckDB",
  open: async (options: EngineOptions) => new DuckDBSession(await openInstance(options)),
};

class DuckDBSession implements EngineSession {
  readonly #instance: DuckDBInstance;

  constructor(instance: DuckDBInstance) {
    this.#instance = instance;
  }

  async describe(_plan: PlanNode): Promise<readonly ColumnField[]> {
    throw new Error("not yet");
  }

  async *batches(plan: PlanNode, _options: QueryOptions = {}): AsyncIterable<Batch> {
    const connection: DuckDBConnection = await connect(this.#instance);
    try {
      // A stream that fails half-way ends as if it were complete, so the result is materialized.
      const result = await connection.run(planSql(plan));
      for (;;) {
        const chunk = await result.fetchChunk();
        if (chunk === null || chunk.rowCount === 0) return;
        yield batchOf(chunk, plan.fields);
      }
    } finally {
      connection.closeSync();
    }
  }

  async write(_plan: PlanNode, _target: WriteTarget, _options?: QueryOptions): Promise<WrittenFiles> {
    throw new Error("not yet");
  }

  scanned(): ScanCounts {
    return { read: 0, kept: 0, rejected: 0 };
  }

  async explain(_plan: PlanNode, _run: boolean): Promise<ExplainedNode> {
    throw new Error("not yet");
  }

  sql(plan: PlanNode): string {
    return planSql(plan);
  }

  async close(): Promise<void> {
    this.#instance.closeSync();
  }
}
