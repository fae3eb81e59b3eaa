import { quoted } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import { type ColumnType, isFloat, isInteger, isNumber, type Kind, typeText } from "../schema/column-type.ts";
import type { ArgumentKind } from "./functions.ts";
import type { ExpressionNode } from "./node.ts";

const DAYS: ReadonlySet<Kind> = new Set(["date", "timestamp", "timestamptz"]);
const CLOCKS: ReadonlySet<Kind> = new Set(["time", "timestamp", "timestamptz"]);
const MOMENTS: ReadonlySet<Kind> = new Set(["timestamp", "timestamptz"]);
const UNORDERED: ReadonlySet<Kind> = new Set(["json", "struct", "list"]);

/** What a place of a call takes, and how a sentence names it. */
const TESTS: Readonly<Record<ArgumentKind, readonly [wanted: string, test: (type: ColumnType) => boolean]>> =
  {
    any: ["a value", () => true],
    ordered: ["values that have an order", ({ kind }) => !UNORDERED.has(kind)],
    like: ["a value", () => true],
    same: ["a value", () => true],
    operand: ["a number", ({ kind }) => isNumber(kind)],
    number: ["a number", ({ kind }) => isNumber(kind)],
    integer: ["a whole number", ({ kind }) => isInteger(kind)],
    float: ["a floating-point number", ({ kind }) => isFloat(kind)],
    text: ["a text", ({ kind }) => kind === "text"],
    bool: ["a condition", ({ kind }) => kind === "bool"],
    day: ["a date or timestamp", ({ kind }) => DAYS.has(kind)],
    clock: ["a time or timestamp", ({ kind }) => CLOCKS.has(kind)],
    moment: ["a timestamp", ({ kind }) => MOMENTS.has(kind)],
    timestamp: ["a timestamp without a zone", ({ kind }) => kind === "timestamp"],
    timestamptz: ["a timestamptz", ({ kind }) => kind === "timestamptz"],
    list: ["a list", ({ kind }) => kind === "list"],
    texts: ["a list of texts", ({ kind, of }) => kind === "list" && of?.kind === "text"],
    numbers: [
      "a list of numbers",
      ({ kind, of }) => kind === "list" && of !== undefined && isNumber(of.kind),
    ],
    json: ["JSON", ({ kind }) => kind === "json"],
    struct: ["a struct", ({ kind }) => kind === "struct"],
  };

/** The node, if it is what a place of a call takes. Throws PawlError("data.types"). `what` begins the sentence. */
export function assertArgument(node: ExpressionNode, kind: ArgumentKind, what: string): ExpressionNode {
  const [wanted, test] = TESTS[kind];
  if (test(node.type)) return node;
  throw new PawlError(
    "data.types",
    `${what} needs ${wanted}, and ${nameOf(node)} is ${typeText(node.type)}.`,
  );
}

/** Throws PawlError("data.types") where values of two types are never equal, or mean different things. */
export function assertComparable(
  type: ColumnType,
  typeName: string,
  other: ExpressionNode,
  name: string,
): void {
  if (isComparable(type, other.type)) return;
  throw new PawlError(
    "data.types",
    `${name}() compares ${typeName}, which is ${typeText(type)}, with ${nameOf(other)}, which is ${typeText(other.type)}: cast one of them.`,
  );
}

function isComparable(left: ColumnType, right: ColumnType): boolean {
  if (isNumber(left.kind)) return isNumber(right.kind);
  if (left.kind === "list" || left.kind === "struct")
    return typeText(withoutNulls(left)) === typeText(withoutNulls(right));
  return left.kind === right.kind;
}

/** A type in which nothing may be null, for comparing what values are. */
function withoutNulls(type: ColumnType): ColumnType {
  const { of, fields } = type;
  return Object.assign(Object.create(Object.getPrototypeOf(type) as object) as ColumnType, type, {
    isNullable: false,
    ...(of === undefined ? {} : { of: withoutNulls(of) }),
    ...(fields === undefined
      ? {}
      : { fields: fields.map((field) => ({ name: field.name, type: withoutNulls(field.type) })) }),
  });
}

/** What a sentence calls an expression. */
export function nameOf(node: ExpressionNode): string {
  if (node.kind === "column") return `the column ${quoted(node.name)}`;
  if (node.kind === "literal") return quoted(node.value);
  if (node.kind === "window") return `the result of ${node.of.function}().over()`;
  return `the result of ${node.kind === "call" || node.kind === "aggregate" ? `${node.function}()` : node.kind}`;
}
