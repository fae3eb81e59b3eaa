import { assertOptions, type OptionNames, quoted, shown } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import { suggest } from "../../near-names.ts";
import { columnsProxy, fieldNamed } from "../expr/columns.ts";
import type { AsofNode, JoinKind, JoinNode, PlanNode } from "../plan/node.ts";
import { type ColumnField, isNumber, type Kind, typeText } from "../schema/column-type.ts";
import { conditionOf, isCallback, namesOf } from "./verbs.ts";

/** How two frames are joined. */
export interface JoinOptions<H extends string = string, X extends string | undefined = string | undefined> {
  /**
   * `inner`: rows that have a partner. `left`, `right`, `full`: also the rows of that input, or of both, that have none, with nulls in the
   * place of the partner's columns. `semi`: rows of the left that have a partner, once each. `anti`: rows of the left that have none.
   * @default "inner"
   */
  readonly how?: H;
  /**
   * What is put behind a name of the right that the left has too.
   * @default such names do not compile
   */
  readonly suffix?: X;
}

/** How the nearest rows of another frame are found. */
export interface AsofOptions<C extends string = string, X extends string | undefined = string | undefined> {
  /** Columns that must be equal: a name or names that both have. @default none */
  readonly by?: C | readonly C[];
  /** `backward`: the last row at or before. `forward`: the first row at or after. @default "backward" */
  readonly direction?: "backward" | "forward";
  /** What is put behind a name of the right that the left has too. @default such names do not compile */
  readonly suffix?: X;
}

const NAMES: OptionNames<JoinOptions> = { how: true, suffix: true };
const ASOF_NAMES: OptionNames<AsofOptions> = { by: true, direction: true, suffix: true };
const KINDS = ["inner", "left", "right", "full", "semi", "anti"] as const;

interface Pair {
  readonly left: string;
  readonly right: string;
}

/** The plan of a join on names, pairs of names, or a condition over both inputs. */
export function joinPlan(left: PlanNode, right: PlanNode, on: unknown, options: JoinOptions): JoinNode {
  assertOptions(options, NAMES, "join");
  const { how = "inner", suffix } = options;
  const kind = KINDS.find((each) => each === how);
  if (kind === undefined)
    throw new PawlError(
      "data.argument",
      `join() cannot be ${quoted(how)}: ${suggest(String(how), KINDS, `choose one of ${KINDS.join(", ")}.`)}`,
    );
  if (isCallback(on)) {
    const condition = conditionOf(
      on(columnsProxy(left.fields, "left"), columnsProxy(right.fields, "right")),
      "join()",
    );
    return joined(left, right, kind, [], condition, suffix);
  }
  const pairs = pairsOf(on, left.fields, right.fields, "join()");
  if (pairs.length === 0)
    throw new PawlError(
      "data.argument",
      "join() needs at least one column to join on: see cross() for all pairs.",
    );
  if (kind === "full")
    for (const pair of pairs) {
      const [a, b] = [fieldNamed(pair.left, left.fields).type, fieldNamed(pair.right, right.fields).type];
      if (typeText(a.notNull()) !== typeText(b.notNull()))
        throw new PawlError(
          "data.types",
          `A full join needs keys of one type, and ${quoted(pair.left)} is ${typeText(a)} and ${typeText(b)}: cast one of them.`,
        );
    }
  return joined(left, right, kind, pairs, null, suffix);
}

/** The plan of all pairs of rows. */
export function crossPlan(
  left: PlanNode,
  right: PlanNode,
  options: { readonly suffix?: string | undefined },
): JoinNode {
  assertOptions(options, { suffix: true }, "cross");
  return joined(left, right, "cross", [], null, options.suffix);
}

function joined(
  left: PlanNode,
  right: PlanNode,
  how: JoinKind,
  on: readonly Pair[],
  condition: JoinNode["condition"],
  suffix: string | undefined,
): JoinNode {
  const { columns, fields } = resultOf(left, right, how, on, suffix);
  return { kind: "join", left, right, how, on, condition, columns, fields };
}

/** The columns of the result, and their types. A key stands in it once, under the left's name. */
function resultOf(
  left: PlanNode,
  right: PlanNode,
  how: JoinKind,
  on: readonly Pair[],
  suffix: string | undefined,
): { columns: JoinNode["columns"]; fields: readonly ColumnField[] } {
  const columns: { name: string; from: "left" | "right" | "either"; column: string; right?: string }[] = [];
  const fields: ColumnField[] = [];
  const partners = new Map(on.map((pair) => [pair.left, pair.right]));
  const isOuterLeft = how === "right" || how === "full";
  const isOuterRight = how === "left" || how === "full";
  for (const { name, type } of left.fields) {
    const partner = partners.get(name);
    if (partner !== undefined && isOuterLeft) {
      const other = fieldNamed(partner, right.fields).type;
      const isNullable = how === "right" ? other.isNullable : type.isNullable || other.isNullable;
      columns.push(
        how === "right"
          ? { name, from: "right", column: partner }
          : { name, from: "either", column: name, right: partner },
      );
      fields.push({ name, type: isNullable ? type.nullable() : type.notNull() });
    } else {
      columns.push({ name, from: "left", column: name });
      fields.push({ name, type: isOuterLeft ? type.nullable() : type });
    }
  }
  if (how === "semi" || how === "anti") return { columns, fields };
  const taken = new Set(left.fields.map(({ name }) => name));
  const keys = new Set(on.map((pair) => pair.right));
  const clashes: string[] = [];
  for (const { name, type } of right.fields) {
    if (keys.has(name)) continue;
    if (taken.has(name) && suffix === undefined) clashes.push(name);
    const given = taken.has(name) && suffix !== undefined ? `${name}${suffix}` : name;
    columns.push({ name: given, from: "right", column: name });
    fields.push({ name: given, type: isOuterRight ? type.nullable() : type });
  }
  if (clashes.length > 0)
    throw new PawlError(
      "data.column",
      `Both inputs of the join have ${clashes.length === 1 ? "a column" : "columns"} ${clashes.slice(0, 5).map(quoted).join(", ")}${clashes.length > 5 ? ` and ${clashes.length - 5} more` : ""}: give { suffix: "_right" }, or rename() them.`,
    );
  const names = new Set<string>();
  for (const { name } of fields) {
    if (names.has(name))
      throw new PawlError("data.column", `The join has two columns ${quoted(name)}: give another suffix.`);
    names.add(name);
  }
  return { columns, fields };
}

/** Pairs of columns that are compared: of one name, of names, or of an object from the left's to the right's. */
function pairsOf(
  on: unknown,
  left: readonly ColumnField[],
  right: readonly ColumnField[],
  verb: string,
): readonly Pair[] {
  let pairs: readonly Pair[];
  if (typeof on === "string" || Array.isArray(on))
    pairs = namesOf(Array.isArray(on) ? [on] : [on], left, verb).map((name) => ({ left: name, right: name }));
  else if (typeof on === "object" && on !== null)
    pairs = Object.entries(on).map(([name, other]: [string, unknown]) => {
      if (typeof other === "string") return { left: name, right: other };
      throw new PawlError(
        "data.argument",
        `${verb} pairs ${quoted(name)} with the name of a column, not ${shown(other)}.`,
      );
    });
  else
    throw new PawlError(
      "data.argument",
      `${verb} needs the columns to join on: a name, names, { left: "right" } or a condition, not ${shown(on)}.`,
    );
  for (const pair of pairs) {
    const a = fieldNamed(pair.left, left);
    const b = fieldNamed(pair.right, right);
    if (family(a.type.kind) !== family(b.type.kind))
      throw new PawlError(
        "data.types",
        `${verb} compares ${quoted(a.name)}, which is ${typeText(a.type)}, with ${quoted(b.name)}, which is ${typeText(b.type)}: cast one of them.`,
      );
  }
  return pairs;
}

function family(kind: Kind): string {
  if (isNumber(kind)) return "number";
  return kind === "uuid" ? "text" : kind;
}

/** The plan of a join with the nearest row. */
export function asofPlan(left: PlanNode, right: PlanNode, on: unknown, options: AsofOptions): AsofNode {
  assertOptions(options, ASOF_NAMES, "asof");
  const { by = [], direction = "backward", suffix } = options;
  if (direction !== "backward" && direction !== "forward")
    throw new PawlError(
      "data.argument",
      `The direction of asof() is "backward" or "forward", not ${quoted(direction)}.`,
    );
  const [pair, ...more] = pairsOf(on, left.fields, right.fields, "asof()");
  if (pair === undefined || more.length > 0)
    throw new PawlError("data.argument", "asof() needs one column whose nearest value is looked for.");
  const equal = pairsOf(by, left.fields, right.fields, "asof()");
  const { columns, fields } = resultOf(left, right, "left", equal, suffix);
  return { kind: "asof", left, right, on: pair, by: equal, direction, columns, fields };
}
