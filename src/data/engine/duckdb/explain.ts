import { basename } from "node:path";
import { plural } from "../../../count-text.ts";
import { own } from "../../../own.ts";
import type { FileScan, PlanNode } from "../../plan/node.ts";
import { nodesOf } from "../../plan/walk.ts";
import type { ExplainedNode } from "../contract.ts";

/** A step as DuckDB writes it down: before a run with a name, after it with a type and figures. */
interface Step {
  readonly name?: string;
  readonly operator_type?: string;
  readonly operator_cardinality?: number;
  readonly operator_timing?: number;
  readonly result_set_size?: number;
  readonly extra_info?: Readonly<Record<string, unknown>>;
  readonly children?: readonly Step[];
}

/**
 * Steps that hold what must fit into memory, and those that spill what does not; scans, filters and the like hold nothing. What is not
 * named is taken to hold, so that nothing is promised that is not known.
 */
const MEMORY: Readonly<Record<string, ExplainedNode["memory"]>> = {
  ASOF_JOIN: "spills",
  BLOCKWISE_NL_JOIN: "holds",
  COLUMN_DATA_SCAN: "streams",
  CROSS_PRODUCT: "holds",
  DELIM_SCAN: "streams",
  DUMMY_SCAN: "streams",
  EMPTY_RESULT: "streams",
  FILTER: "streams",
  HASH_GROUP_BY: "spills",
  HASH_JOIN: "spills",
  IE_JOIN: "spills",
  INOUT_FUNCTION: "streams",
  LIMIT: "streams",
  LIMIT_PERCENT: "holds",
  NESTED_LOOP_JOIN: "holds",
  ORDER_BY: "spills",
  // It has at most a few thousand groups.
  PERFECT_HASH_GROUP_BY: "streams",
  PARTITIONED_AGGREGATE: "spills",
  PIECEWISE_MERGE_JOIN: "spills",
  PROJECTION: "streams",
  READ_CSV: "streams",
  READ_JSON: "streams",
  READ_NDJSON: "streams",
  READ_PARQUET: "streams",
  SAMPLE: "holds",
  RESERVOIR_SAMPLE: "holds",
  STREAMING_SAMPLE: "streams",
  SEQ_SCAN: "streams",
  STREAMING_LIMIT: "streams",
  STREAMING_WINDOW: "streams",
  TABLE_SCAN: "streams",
  TOP_N: "holds",
  UNGROUPED_AGGREGATE: "streams",
  UNION: "streams",
  UNNEST: "streams",
  WINDOW: "spills",
};

/** Aggregates that keep the values of each group, which no engine spills. */
const KEEPS_VALUES =
  /\b(median|quantile\w*|mode|list|array_agg|string_agg|group_concat|histogram|mad|arg_m\w+_n)\(/i;

const FORMATS: Readonly<Record<string, string>> = {
  READ_CSV: "CSV",
  READ_CSV_AUTO: "CSV",
  READ_PARQUET: "Parquet",
  PARQUET_SCAN: "Parquet",
  READ_JSON: "JSONL",
  READ_NDJSON: "JSONL",
};

const FORMAT_OF_SCAN = { csv: "CSV", parquet: "Parquet", jsonl: "JSONL" } as const;

/** Expressions of an engine-made projection that are shown. */
const MOST_SHOWN = 4;

/** The steps of DuckDB's plan, from the JSON that `EXPLAIN (FORMAT json)` or `EXPLAIN (ANALYZE, FORMAT json)` gives. */
export function explainedSteps(json: string, plan: PlanNode): ExplainedNode {
  const parsed = JSON.parse(json) as Step | readonly Step[];
  const root = (Array.isArray(parsed) ? parsed[0] : parsed) as Step;
  const scans = nodesOf(plan).filter((node): node is FileScan => node.kind === "scan");
  return new Steps(scans).of(withoutFrame(root));
}

/** After a run the steps stand below the query and the EXPLAIN itself. */
function withoutFrame(root: Step): Step {
  let step = root;
  for (;;) {
    const [child] = step.children ?? [];
    if (child === undefined || !["", "EXPLAIN_ANALYZE", "RESULT_COLLECTOR"].includes(nameOf(step)))
      return step;
    step = child;
  }
}

class Steps {
  readonly #scans: readonly FileScan[];
  /** What is worked out once for several steps, by the number that DuckDB gives it. */
  readonly #kept = new Map<string, ExplainedNode>();

  constructor(scans: readonly FileScan[]) {
    this.#scans = scans;
  }

  of(step: Step): ExplainedNode {
    const name = nameOf(step);
    const { children = [] } = step;
    if (name === "CTE" && children.length === 2) {
      const [kept, rest] = children as readonly [Step, Step];
      const node = {
        ...figuresOf(kept),
        label: "keep for several uses",
        memory: "spills",
        inputs: [this.of(kept)],
      } as const;
      this.#kept.set(textOf(step, "Table Index"), { ...node, seconds: null });
      return this.of(rest);
    }
    const kept = name === "CTE_SCAN" ? this.#kept.get(textOf(step, "CTE Index")) : undefined;
    if (kept !== undefined) return kept;
    const inputs = children.map((child) => this.of(child));
    const [input] = inputs;
    if (name === "PROJECTION" && input !== undefined && computedIn(step).length === 0) return input;
    return { ...figuresOf(step), label: this.#label(step, name), memory: memoryOf(step, name), inputs };
  }

  #label(step: Step, name: string): string {
    const format = own(FORMATS, textOf(step, "Function") || name);
    if (format !== undefined || name === "SEQ_SCAN" || name === "TABLE_SCAN")
      return this.#scanLabel(step, format ?? "rows");
    const columns = listOf(step.children?.[0], "Projections");
    const named = (key: string) =>
      listOf(step, key)
        .map((each) => readable(each, columns))
        .join(", ");
    switch (name) {
      case "PROJECTION":
        return `columns ${someOf(computedIn(step))}`;
      case "FILTER":
        return `filter ${unwrapped(named("Expression"))}`;
      case "HASH_GROUP_BY":
      case "PERFECT_HASH_GROUP_BY":
      case "PARTITIONED_AGGREGATE": {
        const aggregates = named("Aggregates");
        return aggregates === ""
          ? `distinct ${named("Groups")}`
          : `group by ${named("Groups")}: ${aggregates}`;
      }
      case "UNGROUPED_AGGREGATE":
        return `aggregate ${named("Aggregates")}`;
      case "ORDER_BY":
        return `sort by ${named("Order By")}`;
      case "TOP_N":
        return `first ${named("Top")} by ${named("Order By")}`;
      case "WINDOW":
      case "STREAMING_WINDOW":
        return `window ${someOf(listOf(step, "Projections").map((each) => readable(each, columns)))}`;
      case "COLUMN_DATA_SCAN":
        return "read rows of the program";
      case "LIMIT":
      case "STREAMING_LIMIT":
        return "limit";
      case "UNNEST":
        return "explode";
      case "CROSS_PRODUCT":
        return "cross join";
      default: {
        if (!name.endsWith("JOIN")) return name.toLowerCase().replaceAll("_", " ");
        const kind = textOf(step, "Join Type").toLowerCase();
        const how = name === "ASOF_JOIN" ? "asof " : "";
        const on = unwrapped(named("Conditions"));
        return `${kind} ${how}join${on === "" ? "" : ` on ${on}`}`.trim();
      }
    }
  }

  #scanLabel(step: Step, format: string): string {
    const filters = listOf(step, "Filters").map((each) => readable(each, []));
    const where = filters.length === 0 ? "" : ` where ${filters.join(" and ")}`;
    return `read ${format}${this.#filesOf(step, format)}${where}`;
  }

  /** The files of a scan: after a run DuckDB names them, and before it the plan does where only one scan can be meant. */
  #filesOf(step: Step, format: string): string {
    const read = textOf(step, "Filename(s)");
    const meant = this.#scans.filter((scan) => FORMAT_OF_SCAN[scan.format] === format);
    const [scan] = meant;
    const paths =
      meant.length === 1 && scan !== undefined ? scan.locations : read === "" ? [] : read.split(", ");
    const [first] = paths;
    if (first === undefined) return "";
    const more = paths.length > 1 ? ` and ${plural(paths.length - 1, "more file")}` : "";
    return ` ${basename(first)}${more}`;
  }
}

function nameOf(step: Step): string {
  const name = (step.operator_type ?? step.name ?? "").trim();
  return name === "INVALID" ? "" : name;
}

function memoryOf(step: Step, name: string): ExplainedNode["memory"] {
  const keeps = [...listOf(step, "Aggregates"), ...(name === "WINDOW" ? listOf(step, "Projections") : [])];
  if (keeps.some((each) => KEEPS_VALUES.test(each))) return "holds";
  return own(MEMORY, name) ?? "holds";
}

function figuresOf(step: Step): Pick<ExplainedNode, "estimatedRows" | "rows" | "bytes" | "seconds"> {
  const estimated = Number(textOf(step, "Estimated Cardinality") || Number.NaN);
  return {
    estimatedRows: Number.isFinite(estimated) ? estimated : null,
    rows: step.operator_cardinality ?? null,
    // A union counts its rows and not their bytes.
    bytes:
      step.result_set_size === 0 && step.operator_cardinality !== 0 ? null : (step.result_set_size ?? null),
    seconds: step.operator_timing ?? null,
  };
}

/** The expressions of a projection that compute something; the others only hand columns on, or pack them for a sort. */
function computedIn(step: Step): readonly string[] {
  const columns = listOf(step.children?.[0], "Projections");
  return listOf(step, "Projections")
    .filter((each) => /[(]/.test(each) && !/^(__internal_|create_sort_key\()/.test(each))
    .map((each) => unwrapped(readable(each, columns)));
}

function listOf(step: Step | undefined, key: string): readonly string[] {
  const value = own((step?.extra_info ?? {}) as Record<string, unknown>, key);
  if (Array.isArray(value)) return value.map(String);
  return typeof value === "string" && value !== "" ? [value] : [];
}

function textOf(step: Step, key: string): string {
  return listOf(step, key).join(", ");
}

/** With the names of columns in the place of their numbers, and without the short names of tables that our SQL gives. */
function readable(expression: string, columns: readonly string[]): string {
  return expression
    .replace(/#(\d+)/g, (number, at) => columns[Number(at)] ?? number)
    .replace(/(^|[\s(,])[tlr]\.(?=["\w])/g, "$1")
    .replaceAll("count_star()", "count(*)")
    .replaceAll(" NULLS LAST", "")
    .replace(/ ASC\b/g, "")
    .replace(/ DESC\b/g, " desc")
    .replace(/\s+/g, " ");
}

/** Without a pair of brackets around the whole of it. */
function unwrapped(expression: string): string {
  const inner = /^\((.*)\)$/s.exec(expression)?.[1];
  if (inner === undefined) return expression;
  let depth = 0;
  for (const character of inner) {
    if (character === "(") depth++;
    else if (character === ")" && --depth < 0) return expression;
  }
  return inner;
}

function someOf(expressions: readonly string[]): string {
  const shown = expressions.slice(0, MOST_SHOWN).join(", ");
  return expressions.length > MOST_SHOWN ? `${shown} and ${expressions.length - MOST_SHOWN} more` : shown;
}
