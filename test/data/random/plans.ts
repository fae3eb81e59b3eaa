import type { SortKey } from "../../../src/data/expr/node.ts";
import type { JoinKind, JoinNode, PlanNode } from "../../../src/data/plan/node.ts";
import { type ColumnField, text } from "../../../src/data/schema/column-type.ts";
import {
  columnNode,
  exact,
  freshNames,
  INEXACT,
  isInexact,
  randomAggregate,
  randomColumns,
  randomCondition,
} from "./expressions.ts";
import { randomTable, type TableChoices } from "./tables.ts";
import { Tape } from "./tape.ts";

/** A plan of a few steps over small tables. */
export function randomPlan(tables: readonly TableChoices[], steps: readonly (readonly number[])[]): PlanNode {
  const [first, ...others] = tables.map(randomTable);
  if (first === undefined) throw new Error("a plan needs a table");
  let plan: PlanNode = first;
  for (const choices of steps) plan = step(new Tape(choices), plan, others);
  return plan;
}

const VERBS = [
  "filter",
  "project",
  "group",
  "join",
  "sort",
  "distinct",
  "union",
  "top",
  "unpivot",
  "firsts",
  "slice",
  "asof",
] as const;

function step(tape: Tape, input: PlanNode, others: readonly PlanNode[]): PlanNode {
  const { fields } = input;
  const columns = exact(fields).map((field) => columnNode(field));
  if (columns.length === 0) return input;
  switch (tape.pick(VERBS)) {
    case "filter":
      return { kind: "filter", input, where: randomCondition(tape, columns), fields };
    case "project": {
      const made = randomColumns(tape, fields);
      return {
        kind: "project",
        input,
        columns: made,
        fields: made.map(({ name, expression }) => ({ name, type: expression.type })),
      };
    }
    case "group": {
      const keys =
        tape.below(4) === 3
          ? []
          : tape.some(exact(fields)).map((field) => ({ name: field.name, expression: columnNode(field) }));
      const names = freshNames(fields, 2);
      const aggregates = Array.from({ length: 1 + tape.below(2) }, (_, index) => {
        const node = randomAggregate(tape, columns);
        // Without keys there is one row also where there was none.
        const type = keys.length === 0 && node.function !== "count" ? node.type.nullable() : node.type;
        const expression = { ...node, type };
        return { name: `${isInexact(node) ? INEXACT : ""}${names[index]}`, expression };
      });
      return {
        kind: "group",
        input,
        keys,
        aggregates,
        fields: [...keys, ...aggregates].map(({ name, expression }) => ({ name, type: expression.type })),
      };
    }
    case "join":
      return others.length === 0 ? input : randomJoin(tape, input, tape.pick(others));
    case "sort":
      return { kind: "sort", input, keys: sortKeys(tape, fields), limit: null, fields };
    case "top":
      // Which rows are first is told by all columns, or by chance.
      if (exact(fields).length < fields.length) return input;
      return { kind: "sort", input, keys: sortKeys(tape, fields), limit: tape.below(5), fields };
    case "distinct":
      if (exact(fields).length < fields.length) return input;
      return { kind: "distinct", input, on: null, orderBy: [], fields };
    case "union":
      return { kind: "union", inputs: [input, input], fields };
    case "firsts": {
      if (exact(fields).length < fields.length) return input;
      const on = tape.some(fields).map(({ name }) => name);
      return { kind: "distinct", input, on, orderBy: sortKeys(tape, fields), fields };
    }
    case "slice": {
      if (exact(fields).length < fields.length) return input;
      const sorted: PlanNode = { kind: "sort", input, keys: sortKeys(tape, fields), limit: null, fields };
      return { kind: "limit", input: sorted, count: tape.below(4), offset: tape.below(3), fields };
    }
    case "asof":
      return others.length === 0 ? input : randomAsof(tape, input, tape.pick(others));
    case "unpivot": {
      const kind = tape.pick(columns).type.kind;
      const chosen = exact(fields).filter(({ type }) => type.kind === kind && type.kind !== "decimal");
      const [one] = chosen;
      if (one === undefined) return input;
      const [nameColumn = "k", valueColumn = "v"] = freshNames(fields, 2);
      const kept = fields.filter((field) => !chosen.includes(field));
      const isNullable = chosen.some(({ type }) => type.isNullable);
      const value = isNullable ? one.type.nullable() : one.type;
      return {
        kind: "unpivot",
        input,
        columns: chosen.map(({ name }) => name),
        nameColumn,
        valueColumn,
        fields: [...kept, { name: nameColumn, type: text() }, { name: valueColumn, type: value }],
      };
    }
  }
}

/** Of the right only the column that is compared, since which of several rows with an equal one is taken is open. */
function randomAsof(tape: Tape, left: PlanNode, right: PlanNode): PlanNode {
  const kinds = new Set(["int32", "int64", "date", "timestamp"]);
  const pairs = exact(left.fields)
    .filter(({ type }) => kinds.has(type.kind))
    .flatMap((l) =>
      right.fields.filter((r) => r.type.kind === l.type.kind).map((r) => ({ left: l, right: r })),
    );
  if (pairs.length === 0) return left;
  const pair = tape.pick(pairs);
  const by = exact(left.fields).flatMap((l) =>
    right.fields
      .filter((r) => r !== pair.right && l !== pair.left && r.type.kind === l.type.kind)
      .map((r) => ({ left: l.name, right: r.name })),
  );
  const [name = "n"] = freshNames(left.fields, 1);
  return {
    kind: "asof",
    left,
    right,
    on: { left: pair.left.name, right: pair.right.name },
    by: by.length > 0 && tape.below(2) === 1 ? [tape.pick(by)] : [],
    direction: tape.below(2) === 1 ? "forward" : "backward",
    columns: [
      ...left.fields.map((field) => ({ name: field.name, from: "left" as const, column: field.name })),
      { name, from: "right", column: pair.right.name },
    ],
    fields: [...left.fields, { name, type: pair.right.type.nullable() }],
  };
}

function sortKeys(tape: Tape, fields: readonly ColumnField[]): SortKey[] {
  return exact(fields).map((field) => ({ by: columnNode(field), descending: tape.below(2) === 1 }));
}

const HOWS: readonly JoinKind[] = ["inner", "left", "right", "full", "semi", "anti", "cross"];

function randomJoin(tape: Tape, left: PlanNode, right: PlanNode): PlanNode {
  const how = tape.pick(HOWS);
  const pairs = exact(left.fields).flatMap((l) =>
    right.fields.filter((r) => r.type.kind === l.type.kind).map((r) => ({ left: l, right: r })),
  );
  const pair = how === "cross" || pairs.length === 0 ? undefined : tape.pick(pairs);
  if (pair === undefined && how !== "cross") return left;
  const narrow = how === "semi" || how === "anti";
  const columns: JoinNode["columns"][number][] = [];
  const fields: ColumnField[] = [];
  const optional = (field: ColumnField, is: boolean) => (is ? field.type.nullable() : field.type);
  for (const field of left.fields) {
    const isKey = field.name === pair?.left.name && (how === "right" || how === "full");
    if (isKey && pair !== undefined) {
      columns.push({ name: field.name, from: "either", column: field.name, right: pair.right.name });
      fields.push({
        name: field.name,
        type: field.type.isNullable || pair.right.type.isNullable ? field.type.nullable() : field.type,
      });
    } else {
      columns.push({ name: field.name, from: "left", column: field.name });
      fields.push({ name: field.name, type: optional(field, how === "right" || how === "full") });
    }
  }
  if (!narrow) {
    const names = freshNames(left.fields, right.fields.length);
    for (const [index, field] of right.fields.entries()) {
      const name = names[index] as string;
      columns.push({ name, from: "right", column: field.name });
      fields.push({ name, type: optional(field, how === "left" || how === "full") });
    }
  }
  const condition =
    !narrow && how === "inner" && tape.oneIn(3)
      ? randomCondition(
          tape,
          [
            ...exact(left.fields).map((field) => columnNode(field, "left")),
            ...right.fields.map((field) => columnNode(field, "right")),
          ],
          1,
        )
      : null;
  const on = pair === undefined ? [] : [{ left: pair.left.name, right: pair.right.name }];
  return { kind: "join", left, right, how, on, condition, columns, fields };
}
