/**
 * A frame as data: what is to be done, in which order, and nothing of how. Every node carries the columns of its result, which the verb
 * that made it has checked. A plan holds no functions but those of `mapPartitions`, and never changes.
 */
import type { ExpressionNode, NamedExpression, SortKey } from "../expr/node.ts";
import type { ColumnField } from "../schema/column-type.ts";

/** What becomes of a value or a line that does not fit its declared type. */
export type BadValues = "fail" | "quarantine";

/** Files of rows, local by the time an engine sees them. */
export interface FileScan {
  readonly kind: "scan";
  readonly format: "csv" | "parquet" | "jsonl";
  /** Paths and globs as they were given: local, or `s3://`, `az://`, `https://`. */
  readonly locations: readonly string[];
  /** The columns that are read, of those that the files have. */
  readonly fields: readonly ColumnField[];
  /** Columns of the result that come from folders such as `year=2024`, in addition. */
  readonly hive: readonly ColumnField[];
  /** The name of a column with the path of each row's file; null without one. */
  readonly fileColumn: string | null;
  readonly bad: BadValues;
  /** How a CSV is written; null for the other formats. */
  readonly csv: CsvFormat | null;
}

/** How a CSV is written. */
export interface CsvFormat {
  readonly delimiter: string;
  /** Empty where no character quotes. */
  readonly quote: string;
  readonly escape: string;
  readonly header: boolean;
  /** The text that stands for null besides an empty field that is not quoted. */
  readonly nullText: string;
}

/** A table of PostgreSQL, read at one moment. */
export interface TableScan {
  readonly kind: "table";
  /** A URL, or `env:NAME`; never shown. */
  readonly url: string;
  readonly table: string;
  readonly fields: readonly ColumnField[];
}

/** Rows of the program, as JSON texts by column; in order. */
export interface ValuesNode {
  readonly kind: "values";
  readonly fields: readonly ColumnField[];
  /** Values in the form of literals, one list a row. */
  readonly rows: readonly (readonly (string | number | boolean | null)[])[];
}

/** Rows for which a condition is true. */
export interface FilterNode {
  readonly kind: "filter";
  readonly input: PlanNode;
  readonly where: ExpressionNode;
  readonly fields: readonly ColumnField[];
}

/** New columns of each row: all of the result. */
export interface ProjectNode {
  readonly kind: "project";
  readonly input: PlanNode;
  readonly columns: readonly NamedExpression[];
  readonly fields: readonly ColumnField[];
}

/** A row for each group of rows with equal keys (nulls are equal); without keys, exactly one. */
export interface AggregatePlanNode {
  readonly kind: "group";
  readonly input: PlanNode;
  readonly keys: readonly NamedExpression[];
  readonly aggregates: readonly NamedExpression[];
  readonly fields: readonly ColumnField[];
}

/** How two inputs are joined. */
export type JoinKind = "inner" | "left" | "right" | "full" | "semi" | "anti" | "cross";

/** Rows of two inputs that belong together. A null key belongs to nothing. */
export interface JoinNode {
  readonly kind: "join";
  readonly left: PlanNode;
  readonly right: PlanNode;
  readonly how: JoinKind;
  readonly on: readonly { readonly left: string; readonly right: string }[];
  /** A further condition over both inputs; null without one. */
  readonly condition: ExpressionNode | null;
  /** The columns of the result: from which input, under which name. A key of a right or full join is `either`. */
  readonly columns: readonly {
    readonly name: string;
    readonly from: "left" | "right" | "either";
    readonly column: string;
    /** The name in the right input, for `either`. */
    readonly right?: string;
  }[];
  readonly fields: readonly ColumnField[];
}

/** For each row of the left the nearest row of the right whose `by` columns are equal, at or before (or after) it. */
export interface AsofNode {
  readonly kind: "asof";
  readonly left: PlanNode;
  readonly right: PlanNode;
  readonly on: { readonly left: string; readonly right: string };
  readonly by: readonly { readonly left: string; readonly right: string }[];
  readonly direction: "backward" | "forward";
  readonly columns: JoinNode["columns"];
  readonly fields: readonly ColumnField[];
}

/** Rows in an order; of them, only the first `limit` where it is not null. */
export interface SortNode {
  readonly kind: "sort";
  readonly input: PlanNode;
  readonly keys: readonly SortKey[];
  readonly limit: number | null;
  readonly fields: readonly ColumnField[];
}

/** Some rows after `offset`. Without an order below, any rows. */
export interface LimitNode {
  readonly kind: "limit";
  readonly input: PlanNode;
  readonly count: number;
  readonly offset: number;
  readonly fields: readonly ColumnField[];
}

/** One row of each set of rows that are equal in the columns: the first in the order, or, where all columns count, any. */
export interface DistinctNode {
  readonly kind: "distinct";
  readonly input: PlanNode;
  /** Null: all columns. */
  readonly on: readonly string[] | null;
  readonly orderBy: readonly SortKey[];
  readonly fields: readonly ColumnField[];
}

/** All rows of the inputs; columns are matched by name. */
export interface UnionNode {
  readonly kind: "union";
  readonly inputs: readonly PlanNode[];
  readonly fields: readonly ColumnField[];
}

/** A row for each named column: its name and its value. */
export interface UnpivotNode {
  readonly kind: "unpivot";
  readonly input: PlanNode;
  readonly columns: readonly string[];
  readonly nameColumn: string;
  readonly valueColumn: string;
  readonly fields: readonly ColumnField[];
}

/** A row for each element of a list; none for an empty list or a null, unless `keepEmpty`. */
export interface ExplodeNode {
  readonly kind: "explode";
  readonly input: PlanNode;
  readonly column: string;
  readonly keepEmpty: boolean;
  readonly fields: readonly ColumnField[];
}

/** Some rows at random: each with a probability, or so many in all. The same seed draws the same rows of the same input. */
export interface SampleNode {
  readonly kind: "sample";
  readonly input: PlanNode;
  readonly fraction: number | null;
  readonly rows: number | null;
  readonly seed: number;
  readonly fields: readonly ColumnField[];
}

/** The engine's own SQL over frames that are named in it. */
export interface SqlPlanNode {
  readonly kind: "sql";
  readonly inputs: readonly { readonly name: string; readonly plan: PlanNode }[];
  readonly text: string;
  readonly fields: readonly ColumnField[];
}

/** What an engine runs. */
export type PlanNode =
  | FileScan
  | TableScan
  | ValuesNode
  | FilterNode
  | ProjectNode
  | AggregatePlanNode
  | JoinNode
  | AsofNode
  | SortNode
  | LimitNode
  | DistinctNode
  | UnionNode
  | UnpivotNode
  | ExplodeNode
  | SampleNode
  | SqlPlanNode
  | StagedNode;

/**
 * What runs outside of the engine, between two of its queries: functions in workers, a cache, a table of another server. Before the engine
 * sees the plan, it is run and replaced by a scan of the files that it has staged.
 */
export interface StagedNode {
  readonly kind: "staged";
  /** For people: `mapPartitions score`. */
  readonly name: string;
  readonly inputs: readonly PlanNode[];
  /** How it is run: see `frame/stage.ts`. */
  readonly stage: Stage;
  readonly fields: readonly ColumnField[];
}

/** What a staged node runs; only what runs it knows more of it. */
export interface Stage {
  /** Says what is run, for the hash of the plan: equal texts mean equal results. */
  readonly identity: string;
  /** Whether its rows are those of its one input, so that what is not needed of it is not needed there either. */
  readonly passesNeeds?: boolean;
}

/** The plans directly below a node. */
export function inputsOf(node: PlanNode): readonly PlanNode[] {
  switch (node.kind) {
    case "scan":
    case "table":
    case "values":
      return [];
    case "join":
    case "asof":
      return [node.left, node.right];
    case "union":
    case "staged":
      return node.inputs;
    case "sql":
      return node.inputs.map(({ plan }) => plan);
    default:
      return [node.input];
  }
}
