import { assertOptions, type OptionNames, quoted, shown } from "../../arguments.ts";
import { type Duration, finiteMilliseconds } from "../../durations.ts";
import { PawlError } from "../../errors.ts";
import { suggest } from "../../near-names.ts";
import { own } from "../../own.ts";
import {
  bool,
  ColumnType,
  int64,
  isFloat,
  isInteger,
  isNumber,
  text,
  typeText,
} from "../schema/column-type.ts";
import { assertArgument, assertComparable, nameOf } from "./arguments.ts";
import { assertCast } from "./casts.ts";
import {
  AGGREGATES,
  type AggregateDescription,
  type AggregateName,
  type ArgumentKind,
  type CallSettings,
  FUNCTIONS,
  type FunctionDescription,
  type FunctionName,
} from "./functions.ts";
import { literal, literalLike, literalOf, operandOf } from "./literal.ts";
import {
  type AggregateNode,
  type ExpressionNode,
  hasWindow,
  isAggregate,
  type RangeOffset,
  type RankingNode,
  type SortKey,
  type TimeOffset,
  type WindowNode,
} from "./node.ts";
import { groupNumber, literalPattern, portablePattern, replacementParts } from "./regexp.ts";
import type {
  AnyType,
  Count,
  EpochUnit,
  Expression,
  ExpressionLike,
  ExpressionOf,
  Literal,
  NeverNull,
  NumberFormat,
  OrderLike,
  RangeEnd,
  RowOrder,
  StepUnit,
  TimeSpan,
  TimeUnit,
  TypeOf,
  WindowOptions,
  WithNull,
} from "./typed.ts";
import { Order } from "./typed.ts";

export type {
  AnyType,
  Condition,
  Expression,
  ExpressionLike,
  ExpressionOf,
  Form,
  OrderLike,
  RowOrder,
  TimeSpan,
  TimeUnit,
  TypeOf,
  WindowOptions,
  WithNull,
} from "./typed.ts";
export { Order } from "./typed.ts";

/** One or several keys of an order. Throws PawlError("data.argument") for what is none. */
export function sortKeys(order: OrderLike | readonly OrderLike[], what: string): readonly SortKey[] {
  return (Array.isArray(order) ? order : [order]).map((key: unknown) => {
    const by = key instanceof Order ? key.key : key instanceof BuiltExpression ? key.asc().key : null;
    if (by === null)
      throw new PawlError(
        "data.argument",
        `${what} needs columns such as c.amount.desc(), not ${shown(key)}.`,
      );
    assertArgument(by.by, "ordered", what);
    return by;
  });
}

/**
 * The one class behind all expressions: the interfaces of `typed.ts` show of it what fits the type, and it checks again at run time, for
 * programs in JavaScript. Methods that only call the function of their name are made from the table of functions below.
 */
export class BuiltExpression implements Expression {
  readonly node: ExpressionNode;

  constructor(node: ExpressionNode) {
    this.node = node;
  }

  asc(): Order {
    return new Order({ by: this.node, descending: false });
  }
  desc(): Order {
    return new Order({ by: this.node, descending: true });
  }

  eq(other: unknown): BuiltExpression {
    return call("eq", [this, other]);
  }
  and(other: unknown): BuiltExpression {
    return call("and", [this, other]);
  }
  isNotNull(): BuiltExpression {
    return call("isNotNull", [this]);
  }
  in(values: readonly unknown[]): BuiltExpression {
    return call("in", [this, ...listOf(values, "in")]);
  }
  notIn(values: readonly unknown[]): BuiltExpression {
    return call("notIn", [this, ...listOf(values, "notIn")]);
  }
  fillNull(other: unknown): BuiltExpression {
    return call("coalesce", [this, other], {}, "fillNull");
  }
  map(values: object, ...otherwise: readonly unknown[]): BuiltExpression {
    const pairs = pairsOf(values, "map");
    const [, sample] = pairs[0] as readonly [unknown, unknown];
    const type = literal(sample).type;
    const last =
      otherwise.length === 0 || otherwise[0] === null
        ? literalOf(null, type.nullable(), "map()")
        : literalOf(otherwise[0], type, "map()");
    const nodes = pairs.flatMap(([key, value]) => [
      literalLike(keyOf(key, this.node), this.node.type, "map"),
      literalOf(value, type, "map()"),
    ]);
    const built = callNode("map", [this.node, ...nodes, last], {});
    return retyped(built, last.value === null);
  }
  replaceValues(values: object): BuiltExpression {
    const nodes = pairsOf(values, "replaceValues").flatMap(([key, value]) => [
      literalLike(keyOf(key, this.node), this.node.type, "replaceValues"),
      literalOf(value, this.node.type.notNull(), "replaceValues()"),
    ]);
    return callNode("replaceValues", [this.node, ...nodes], {});
  }
  cut(edges: readonly number[], labels?: readonly string[]): BuiltExpression {
    return call("cut", [this], cutOptions(edges, labels));
  }
  hash(...others: readonly unknown[]): BuiltExpression {
    const nodes = [this.node, ...others.map(nodeOf)];
    for (const node of nodes)
      if (isFloat(node.type.kind) || ["list", "struct", "json", "bytes"].includes(node.type.kind))
        throw new PawlError(
          "data.types",
          `hash() needs values that have one text, and ${nameOf(node)} is ${typeText(node.type)}.`,
        );
    return callNode("hash", nodes, {});
  }
  cast(to: ColumnType): BuiltExpression {
    return cast(this.node, to, true);
  }
  tryCast(to: ColumnType): BuiltExpression {
    return cast(this.node, to, false);
  }

  add(other: unknown): BuiltExpression {
    return isDay(this.node)
      ? call("addTime", [this], spanOptions(other, this.node, "add"))
      : call("add", [this, other]);
  }
  round(digits = 0): BuiltExpression {
    return call("round", [this], { digits: whole(digits, "round", "a number of digits", -18, 18) });
  }
  trunc(unit?: TimeUnit): BuiltExpression {
    if (!isDay(this.node)) return call("trunc", [this]);
    const units = this.node.type.kind === "date" ? TIME_UNITS.slice(0, 5) : TIME_UNITS;
    return call("truncTime", [this], { unit: oneOf(unit, units, "trunc", "unit") });
  }
  format(format: NumberFormat | string): BuiltExpression {
    if (isNumber(this.node.type.kind)) {
      assertOptions(format as NumberFormat, NUMBER_FORMAT, "format()");
      const { digits, thousands = false } = format as NumberFormat;
      return call("formatNumber", [this], {
        digits: whole(digits, "format", "a number of digits", 0, 20),
        thousands: thousands === true,
      });
    }
    return call("formatTime", [this], { pattern: timePattern(format, "format", this.node) }, "format");
  }

  trim(characters?: string): BuiltExpression {
    return call("trim", [this], trimOptions(characters, "trim"));
  }
  trimStart(characters?: string): BuiltExpression {
    return call("trimStart", [this], trimOptions(characters, "trimStart"));
  }
  trimEnd(characters?: string): BuiltExpression {
    return call("trimEnd", [this], trimOptions(characters, "trimEnd"));
  }
  slice(start: number, end?: number): BuiltExpression {
    const options = {
      start: whole(start, "slice", "a start"),
      ...(end === undefined ? {} : { end: whole(end, "slice", "an end") }),
    };
    return call(this.#isList() ? "listSlice" : "slice", [this], options, "slice");
  }
  length(): BuiltExpression {
    return call(this.#isList() ? "listLength" : "length", [this], {}, "length");
  }
  contains(part: unknown): BuiltExpression {
    if (!this.#isList()) return call("contains", [this, part]);
    const element = this.node.type.of ?? text();
    const node = part instanceof BuiltExpression ? part.node : literalLike(part, element, "contains");
    if (part instanceof BuiltExpression) assertComparable(element, nameOf(this.node), node, "contains");
    return callNode("listContains", [this.node, node], {});
  }
  like(pattern: string): BuiltExpression {
    if (typeof pattern !== "string" || /(?<!\\)(?:\\\\)*\\$/.test(pattern))
      throw new PawlError("data.argument", `like() needs a pattern such as "a%", not ${quoted(pattern)}.`);
    return call("like", [this], { pattern });
  }
  matches(pattern: string | RegExp): BuiltExpression {
    return call("matches", [this], { pattern: portablePattern(pattern, "matches").text });
  }
  extract(pattern: string | RegExp, group: number | string = 0): BuiltExpression {
    const read = portablePattern(pattern, "extract");
    return call("extract", [this], { pattern: read.text, group: groupNumber(group, read, "extract") });
  }
  extractAll(pattern: string | RegExp, group: number | string = 0): BuiltExpression {
    const read = portablePattern(pattern, "extractAll");
    return call("extractAll", [this], { pattern: read.text, group: groupNumber(group, read, "extractAll") });
  }
  replace(pattern: string | RegExp, replacement: string): BuiltExpression {
    return call("replace", [this], replaceOptions(pattern, replacement, "replace"));
  }
  replaceAll(pattern: string | RegExp, replacement: string): BuiltExpression {
    return call("replaceAll", [this], replaceOptions(pattern, replacement, "replaceAll"));
  }
  split(separator: string | RegExp): BuiltExpression {
    return call(
      "split",
      [this],
      typeof separator === "string"
        ? { text: wellFormed(separator, "split") }
        : { pattern: portablePattern(separator, "split").text },
    );
  }
  padStart(length: number, fill = " "): BuiltExpression {
    return call("padStart", [this], padOptions(length, fill, "padStart"));
  }
  padEnd(length: number, fill = " "): BuiltExpression {
    return call("padEnd", [this], padOptions(length, fill, "padEnd"));
  }
  repeat(times: number): BuiltExpression {
    return call("repeat", [this], { times: whole(times, "repeat", "a number of times", 0, 1_000_000) });
  }
  parseDate(pattern: string): BuiltExpression {
    return call("parseDate", [this], { pattern: timePattern(pattern, "parseDate", null) });
  }
  tryParseDate(pattern: string): BuiltExpression {
    return call("tryParseDate", [this], { pattern: timePattern(pattern, "tryParseDate", null) });
  }
  parseTimestamp(pattern: string): BuiltExpression {
    return call("parseTimestamp", [this], { pattern: timePattern(pattern, "parseTimestamp", null) });
  }
  tryParseTimestamp(pattern: string): BuiltExpression {
    return call("tryParseTimestamp", [this], { pattern: timePattern(pattern, "tryParseTimestamp", null) });
  }

  diff(earlier: unknown, unit: TimeUnit): BuiltExpression {
    const units = this.node.type.kind === "date" ? TIME_UNITS.slice(0, 5) : TIME_UNITS;
    return call("diff", [this, earlier], { unit: oneOf(unit, units, "diff", "unit") });
  }
  toTimeZone(zone: string): BuiltExpression {
    return call("toTimeZone", [this], { zone: timeZone(zone, "toTimeZone") });
  }
  fromTimeZone(zone: string): BuiltExpression {
    return call("fromTimeZone", [this], { zone: timeZone(zone, "fromTimeZone") });
  }
  epoch(unit: EpochUnit): BuiltExpression {
    return call("epoch", [this], { unit: oneOf(unit, EPOCH_UNITS, "epoch", "unit") });
  }
  fromEpoch(unit: EpochUnit): BuiltExpression {
    return call("fromEpoch", [this], { unit: oneOf(unit, EPOCH_UNITS, "fromEpoch", "unit") });
  }
  timeBucket(size: Duration, origin: string | Date = "1970-01-01"): BuiltExpression {
    const { type } = this.node;
    assertArgument(this.node, "day", "timeBucket()");
    const microseconds = Math.round(finiteMilliseconds(size, "The size of timeBucket()") * 1000);
    if (microseconds < 1 || (type.kind === "date" && microseconds % DAY_MICROSECONDS !== 0))
      throw new PawlError(
        "data.argument",
        `timeBucket() needs a duration${type.kind === "date" ? " of whole days" : " that is not zero"}, not ${quoted(size)}.`,
      );
    const from = literalOf(origin, type.notNull(), "The origin of timeBucket()").value;
    return call("timeBucket", [this], { microseconds, origin: String(from) });
  }

  stepsTo(last: unknown, size: Duration | StepUnit): BuiltExpression {
    const { type } = this.node;
    assertArgument(this.node, "day", "stepsTo()");
    const months = typeof size === "string" ? STEP_MONTHS.get(size) : undefined;
    if (months !== undefined) return call("stepsTo", [this, last], { months });
    const microseconds = Math.round(finiteMilliseconds(size as Duration, "The size of stepsTo()") * 1000);
    if (microseconds < 1 || (type.kind === "date" && microseconds % DAY_MICROSECONDS !== 0))
      throw new PawlError(
        "data.argument",
        `stepsTo() needs a duration${type.kind === "date" ? " of whole days" : " that is not zero"}, not ${quoted(size)}.`,
      );
    return call("stepsTo", [this, last], { microseconds });
  }

  get(index: number): BuiltExpression {
    return call("listGet", [this], { index: whole(index, "get", "a position") }, "get");
  }
  sort(): BuiltExpression {
    return call("listSort", [this], {}, "sort");
  }
  distinct(): BuiltExpression {
    return call("listDistinct", [this], {}, "distinct");
  }
  join(separator: string): BuiltExpression {
    return call("listJoin", [this], { separator: wellFormed(separator, "join") }, "join");
  }
  field(name: string): BuiltExpression {
    assertArgument(this.node, "struct", "field()");
    const names = (this.node.type.fields ?? []).map((field) => field.name);
    if (!names.includes(name))
      throw new PawlError(
        "data.column",
        `${capital(nameOf(this.node))} has no field ${quoted(name)}: ${suggest(String(name), names, `there are ${names.join(", ")}.`)}`,
      );
    const built = call("field", [this], { name });
    return retyped(built, FUNCTIONS.field.result([this.node.type], { name }).isNullable);
  }
  at(...path: readonly (string | number)[]): BuiltExpression {
    for (const step of path)
      if (typeof step !== "string" || step.includes("\0")) whole(step, "at", "names and positions from 0", 0);
    return call("at", [this], { path });
  }

  count(): BuiltAggregate {
    return aggregate("count", [this.node]);
  }
  quantile(part: number): BuiltAggregate {
    return aggregate("quantile", [this.node], { options: { part: fraction(part, "quantile") } });
  }
  approxQuantile(part: number): BuiltAggregate {
    return aggregate("approxQuantile", [this.node], { options: { part: fraction(part, "approxQuantile") } });
  }
  first(order: RowOrder): BuiltAggregate {
    return aggregate("first", [this.node], { orderBy: rowOrder(order, "first", true) });
  }
  last(order: RowOrder): BuiltAggregate {
    return aggregate("last", [this.node], { orderBy: rowOrder(order, "last", true) });
  }
  list(order?: RowOrder): BuiltAggregate {
    return aggregate("list", [this.node], { orderBy: rowOrder(order, "list", false) });
  }
  lag(rows = 1, ...otherwise: readonly unknown[]): BuiltRanking {
    return this.#shifted("lag", rows, otherwise);
  }
  lead(rows = 1, ...otherwise: readonly unknown[]): BuiltRanking {
    return this.#shifted("lead", rows, otherwise);
  }

  #isList(): boolean {
    return this.node.type.kind === "list";
  }

  #shifted(name: "lag" | "lead", rows: number, otherwise: readonly unknown[]): BuiltRanking {
    const offset = literalOf(whole(rows, name, "a number of rows", 0), int64(), `${name}()`);
    const [given = null] = otherwise;
    if (given === null)
      return new BuiltRanking({
        kind: "ranking",
        function: name,
        arguments: [this.node, offset],
        type: this.node.type.nullable(),
      });
    const other = argumentOf(given, "same", this.node, name);
    const isNullable = this.node.type.isNullable || other.type.isNullable;
    return new BuiltRanking({
      kind: "ranking",
      function: name,
      arguments: [this.node, offset, other],
      type: isNullable ? this.node.type.nullable() : this.node.type.notNull(),
    });
  }
}

/** Methods that do nothing but call the function of their name. */
type PlainMethod = Exclude<FunctionName, keyof BuiltExpression>;

// The methods of these functions are defined above, or they are no methods.
const OTHERS: ReadonlySet<string> = new Set<PlainMethod>([
  "coalesce",
  "greatest",
  "least",
  "formatNumber",
  "formatTime",
  "truncTime",
  "addTime",
  "listLength",
  "listGet",
  "listContains",
  "listSlice",
  "listSort",
  "listDistinct",
  "listJoin",
]);

for (const name of Object.keys(FUNCTIONS) as FunctionName[])
  if (!OTHERS.has(name) && !Object.hasOwn(BuiltExpression.prototype, name))
    define(name, function plain(this: BuiltExpression, ...others: readonly unknown[]) {
      return call(name, [this, ...others]);
    });

for (const name of Object.keys(AGGREGATES) as AggregateName[])
  if (!Object.hasOwn(BuiltExpression.prototype, name))
    define(name, function plain(this: BuiltExpression, ...others: readonly unknown[]) {
      return aggregateOf(name, [this, ...others]);
    });

function define(
  name: string,
  value: (this: BuiltExpression, ...others: readonly unknown[]) => BuiltExpression,
): void {
  Object.defineProperty(BuiltExpression.prototype, name, { value, writable: true, configurable: true });
}

function retyped({ node }: BuiltExpression, isNullable: boolean): BuiltExpression {
  const type = isNullable ? node.type.nullable() : node.type.notNull();
  return new BuiltExpression({ ...node, type } as ExpressionNode);
}

/** A value in one place of a call, as a node of the kind that is wanted there. */
function argumentOf(
  value: unknown,
  kind: ArgumentKind,
  first: ExpressionNode | null,
  name: string,
): ExpressionNode {
  if (value instanceof BuiltExpression) return checked(value.node, kind, first, name);
  if (first === null) return checked(literal(value), kind, null, name);
  switch (kind) {
    case "like":
      return literalLike(value, first.type, name);
    case "same":
      return literalOf(value, first.type.notNull(), `${name}()`);
    case "operand":
      return operandOf(value, first.type, name);
    case "integer":
      return literalOf(value, int64(), `${name}()`);
    case "text":
      return literalOf(value, text(), `${name}()`);
    case "bool":
      return literalOf(value, bool(), `${name}()`);
    default:
      return checked(literal(value), kind, first, name);
  }
}

function checked(
  node: ExpressionNode,
  kind: ArgumentKind,
  first: ExpressionNode | null,
  name: string,
): ExpressionNode {
  if (first === null || (kind !== "like" && kind !== "same")) return assertArgument(node, kind, `${name}()`);
  if (kind === "like") assertComparable(first.type, nameOf(first), node, name);
  else if (node.type.kind !== first.type.kind)
    throw new PawlError(
      "data.types",
      `${name}() needs values of one type, and ${nameOf(first)} is ${typeText(first.type)}, ${nameOf(node)} ${typeText(node.type)}: cast one of them.`,
    );
  return node;
}

/** A call of a function of one row's values. `shownName` is what the method is called where it is not the function's name. */
export function call(
  name: FunctionName,
  values: readonly unknown[],
  options: CallSettings = {},
  shownName: string = name,
): BuiltExpression {
  const { takes, rest }: FunctionDescription = FUNCTIONS[name];
  if (values.length < takes.length || (rest === undefined && values.length > takes.length))
    throw new PawlError(
      "data.argument",
      `${shownName}() takes ${takes.length - 1} ${takes.length === 2 ? "value" : "values"}, not ${values.length - 1}.`,
    );
  const nodes: ExpressionNode[] = [];
  for (const [index, value] of values.entries())
    nodes.push(argumentOf(value, takes[index] ?? rest ?? "any", nodes[0] ?? null, shownName));
  if (takes[0] === "any" && takes[1] === "like" && nodes[0]?.type.kind === "json")
    throw new PawlError(
      "data.types",
      `${shownName}() cannot compare JSON: cast ${nameOf(nodes[0])} to a type.`,
    );
  return callNode(name, nodes, options);
}

/** A call whose arguments have been checked. */
function callNode(
  name: FunctionName,
  nodes: readonly ExpressionNode[],
  options: CallSettings,
): BuiltExpression {
  const { result, nullability = "any" }: FunctionDescription = FUNCTIONS[name];
  const argumentTypes = nodes.map((node) => node.type);
  const type = result(argumentTypes, options).notNull();
  const isAny = argumentTypes.some((each) => each.isNullable);
  const isNullable =
    nullability === "always" ||
    (nullability === "any" && isAny) ||
    (nullability === "divisor" && (isAny || !isNotZero(nodes[1]))) ||
    (nullability === "all" && argumentTypes.every((each) => each.isNullable));
  return new BuiltExpression({
    kind: "call",
    function: name,
    arguments: nodes,
    ...(Object.keys(options).length === 0 ? {} : { options }),
    type: isNullable ? type.nullable() : type,
  });
}

/** A literal other than zero never divides by zero, so that it makes nothing null. */
function isNotZero(node: ExpressionNode | undefined): boolean {
  return node?.kind === "literal" && Number(node.value) !== 0;
}

function aggregateOf(name: AggregateName, values: readonly unknown[]): BuiltAggregate {
  const { takes }: AggregateDescription = AGGREGATES[name];
  if (values.length !== takes.length)
    throw new PawlError(
      "data.argument",
      `${name}() takes ${takes.length - 1} values, not ${values.length - 1}.`,
    );
  const nodes: ExpressionNode[] = [];
  for (const [index, value] of values.entries())
    nodes.push(argumentOf(value, takes[index] ?? "any", nodes[0] ?? null, name));
  return aggregate(name, nodes);
}

/** An aggregate of expressions. */
export function aggregate(
  name: AggregateName,
  nodes: readonly ExpressionNode[],
  settings: { readonly orderBy?: readonly SortKey[]; readonly options?: CallSettings } = {},
): BuiltAggregate {
  const { result, nullability = "empty", takes }: AggregateDescription = AGGREGATES[name];
  const { orderBy = [], options } = settings;
  for (const [index, node] of nodes.entries()) assertArgument(node, takes[index] ?? "any", `${name}()`);
  for (const node of [...nodes, ...orderBy.map(({ by }) => by)]) assertOfRows(node, name);
  if (name === "countDistinct" && nodes[0]?.type.kind === "json")
    throw new PawlError(
      "data.types",
      `countDistinct() cannot compare JSON: cast ${nameOf(nodes[0])} to a type.`,
    );
  const argumentTypes = nodes.map((node) => node.type);
  const type = result(argumentTypes);
  const isNullable =
    nullability === "always" || (nullability === "empty" && argumentTypes.some((each) => each.isNullable));
  return new BuiltAggregate({
    kind: "aggregate",
    function: name,
    arguments: nodes,
    orderBy,
    where: null,
    ...(options === undefined ? {} : { options }),
    type: isNullable ? type.nullable() : type.notNull(),
  });
}

/** Throws PawlError("data.aggregate") for what has one value for many rows already, or looks at the rows around. */
function assertOfRows(node: ExpressionNode, name: string): void {
  if (isAggregate(node))
    throw new PawlError(
      "data.aggregate",
      `${name}() takes values of rows, and ${nameOf(node)} is an aggregate already: aggregate in two steps, groupBy().agg() twice.`,
    );
  if (hasWindow(node))
    throw new PawlError(
      "data.aggregate",
      `${name}() takes values of rows, and ${nameOf(node)} looks at other rows: make it a column with with() first.`,
    );
}

/** An aggregate, which may be asked for over a window. */
export class BuiltAggregate extends BuiltExpression {
  override readonly node: AggregateNode;

  constructor(node: AggregateNode) {
    super(node);
    this.node = node;
  }

  where(condition: unknown): BuiltAggregate {
    const where = argumentOf(condition, "bool", null, "where");
    assertOfRows(where, "where");
    const both = this.node.where === null ? where : callNode("and", [this.node.where, where], {}).node;
    return new BuiltAggregate({ ...this.node, where: both, type: withoutRows(this.node) });
  }

  over(window: WindowOptions): BuiltExpression {
    if ((this.node.function !== "first" && this.node.function !== "last") || window?.order === undefined)
      return windowOf(this.node, window);
    throw new PawlError(
      "data.argument",
      `${this.node.function}() has its order already: leave the order out of over().`,
    );
  }
}

/** The type of an aggregate where there are no rows. */
function withoutRows(node: AggregateNode): ColumnType {
  const { nullability = "empty" }: AggregateDescription = AGGREGATES[node.function];
  return nullability === "never" ? node.type : node.type.nullable();
}

/** A function of a row's position, which has a value only over a window. */
export class BuiltRanking {
  readonly #node: RankingNode;

  constructor(node: RankingNode) {
    this.#node = node;
  }

  over(window: WindowOptions): BuiltExpression {
    if (window?.order === undefined || (Array.isArray(window.order) && window.order.length === 0))
      throw new PawlError(
        "data.argument",
        `${this.#node.function}() needs an order: over({ order: c.time }).`,
      );
    if (window.rows !== undefined || window.range !== undefined)
      throw new PawlError(
        "data.argument",
        `${this.#node.function}() looks at the whole partition: leave out rows and range.`,
      );
    return windowOf(this.#node, window);
  }
}

const WINDOW: OptionNames<WindowOptions> = { by: true, order: true, rows: true, range: true };

function windowOf(of: AggregateNode | RankingNode, window: WindowOptions): BuiltExpression {
  assertOptions(window, WINDOW, "over()");
  const { by = [], order = [], rows, range } = window;
  const partitionBy = (Array.isArray(by) ? by : [by]).map((each: unknown) =>
    argumentOf(each, "any", null, "over"),
  );
  const given = sortKeys(order, "The order of a window");
  // The order of first and last is the window's: they take its first or last row.
  const isOrdered = of.kind === "aggregate" && (of.function === "first" || of.function === "last");
  const orderBy = isOrdered ? of.orderBy : given;
  for (const node of [...partitionBy, ...orderBy.map((key) => key.by)]) assertOfRows(node, "over");
  if (rows !== undefined && range !== undefined)
    throw new PawlError("data.argument", "A window has rows or a range, not both.");
  if (rows !== undefined) assertRows(rows);
  const ends = range === undefined ? undefined : rangeOf(range, orderBy);
  const mayBeEmpty = ends !== undefined || (rows !== undefined && !holdsRow(rows));
  const type = mayBeEmpty && of.kind === "aggregate" ? withoutRows(of) : of.type;
  const frame: Partial<Pick<WindowNode, "rows" | "range">> =
    ends !== undefined
      ? { range: ends }
      : rows !== undefined
        ? { rows }
        : isOrdered
          ? { rows: [null, null] }
          : {};
  return new BuiltExpression({
    kind: "window",
    of: isOrdered ? { ...of, orderBy: [] } : of,
    partitionBy,
    orderBy,
    ...frame,
    type,
  });
}

function assertRows(rows: readonly unknown[]): void {
  const isEnd = (end: unknown) => end === null || Number.isSafeInteger(end);
  const [from, to] = rows;
  if (
    Array.isArray(rows) &&
    rows.length === 2 &&
    isEnd(from) &&
    isEnd(to) &&
    !(from !== null && to !== null && Number(from) > Number(to))
  )
    return;
  throw new PawlError(
    "data.argument",
    `The rows of a window are [from, to], whole numbers or null, the smaller one first, not ${shown(rows)}.`,
  );
}

function holdsRow([from, to]: readonly [number | null, number | null]): boolean {
  return (from ?? 0) <= 0 && (to ?? 0) >= 0;
}

/** The ends of a range in the terms of the one key that it needs. */
function rangeOf(
  range: readonly unknown[],
  orderBy: readonly SortKey[],
): readonly [RangeOffset | null, RangeOffset | null] {
  const [key] = orderBy;
  if (!Array.isArray(range) || range.length !== 2)
    throw new PawlError("data.argument", `The range of a window is [from, to], not ${shown(range)}.`);
  if (orderBy.length !== 1 || key === undefined)
    throw new PawlError("data.argument", "The range of a window needs an order by exactly one key.");
  const isTime = isDay(key.by);
  if (!isTime && !isNumber(key.by.type.kind))
    throw new PawlError(
      "data.types",
      `The range of a window needs an order by a number or a time, and ${nameOf(key.by)} is ${typeText(key.by.type)}.`,
    );
  const end = (given: RangeEnd): RangeOffset | null => {
    if (given === null) return null;
    if (typeof given === "number") {
      if (Number.isFinite(given) && (!isTime || given === 0)) return given;
    } else if (isTime) return timeOffset(given, key.by, "The range of a window");
    throw new PawlError(
      "data.argument",
      `The range of a window by ${nameOf(key.by)} needs ${isTime ? "spans of time such as { days: -7 }" : "numbers"}, not ${shown(given)}.`,
    );
  };
  return [end(range[0] as RangeEnd), end(range[1] as RangeEnd)];
}

function cast(of: ExpressionNode, to: ColumnType, isChecked: boolean): BuiltExpression {
  if (!(to instanceof ColumnType))
    throw new PawlError("data.argument", `cast() needs a type such as int32(), not ${shown(to)}.`);
  assertCast(of.type, to, nameOf(of));
  // Engines give a list or struct with nulls in place of what does not fit, which would be half a value.
  if (!isChecked && of.type.kind === "json" && (to.kind === "list" || to.kind === "struct"))
    throw new PawlError(
      "data.cast",
      `tryCast() cannot tell whether ${nameOf(of)} fits a ${to.kind}: use cast(), which fails where it does not.`,
    );
  const isNullable = !isChecked || of.type.isNullable || (of.type.kind === "json" && to.kind !== "json");
  return new BuiltExpression({
    kind: "cast",
    of,
    checked: isChecked,
    type: isNullable ? to.nullable() : to.notNull(),
  });
}

/** The node of an expression, or of a literal in its place. */
export function nodeOf(value: unknown): ExpressionNode {
  return value instanceof BuiltExpression ? value.node : literal(value);
}

function isDay({ type: { kind } }: ExpressionNode): boolean {
  return kind === "date" || kind === "timestamp" || kind === "timestamptz";
}

function capital(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
}

function listOf(values: unknown, name: string): readonly unknown[] {
  if (Array.isArray(values)) return values;
  throw new PawlError("data.argument", `${name}() needs an array of values, not ${shown(values)}.`);
}

/** The keys and values of an object or a Map. */
function pairsOf(values: unknown, name: string): readonly (readonly [unknown, unknown])[] {
  const pairs =
    values instanceof Map
      ? [...(values as ReadonlyMap<unknown, unknown>)]
      : typeof values === "object" && values !== null && !Array.isArray(values)
        ? Object.entries(values)
        : [];
  if (pairs.length > 0) return pairs;
  throw new PawlError(
    "data.argument",
    `${name}() needs an object or a Map with at least one value, not ${shown(values)}.`,
  );
}

/** A key of an object is a text: beside numbers and truth it is read as one. */
function keyOf(key: unknown, { type: { kind } }: ExpressionNode): unknown {
  if (typeof key !== "string") return key;
  if (isInteger(kind) && /^-?\d+$/.test(key)) return BigInt(key);
  if (isFloat(kind) && key.trim() !== "" && !Number.isNaN(Number(key))) return Number(key);
  return kind === "bool" && (key === "true" || key === "false") ? key === "true" : key;
}

function whole(
  value: unknown,
  name: string,
  what: string,
  low = Number.MIN_SAFE_INTEGER,
  high = Number.MAX_SAFE_INTEGER,
): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= low && value <= high)
    return value === 0 ? 0 : value;
  const bounds =
    low === Number.MIN_SAFE_INTEGER
      ? ""
      : high === Number.MAX_SAFE_INTEGER
        ? ` from ${low}`
        : ` from ${low} to ${high}`;
  throw new PawlError(
    "data.argument",
    `${name}() needs ${what}, a whole number${bounds}, not ${quoted(value)}.`,
  );
}

function fraction(value: unknown, name: string): number {
  if (typeof value === "number" && value >= 0 && value <= 1) return value;
  throw new PawlError("data.argument", `${name}() needs a part from 0 to 1, not ${quoted(value)}.`);
}

function oneOf<T extends string>(value: unknown, values: readonly T[], name: string, what: string): T {
  const found = values.find((each) => each === value);
  if (found !== undefined) return found;
  throw new PawlError(
    "data.argument",
    `${name}() has no ${what} ${quoted(value)}: ${suggest(String(value), values, `there are ${values.join(", ")}.`)}`,
  );
}

const TIME_UNITS: readonly TimeUnit[] = [
  "year",
  "quarter",
  "month",
  "week",
  "day",
  "hour",
  "minute",
  "second",
  "millisecond",
];
const EPOCH_UNITS: readonly EpochUnit[] = ["second", "millisecond", "microsecond"];
const NUMBER_FORMAT: OptionNames<NumberFormat> = { digits: true, thousands: true };
const DAY_MICROSECONDS = 86_400_000_000;

const STEP_MONTHS: ReadonlyMap<string, number> = new Map<StepUnit, number>([
  ["month", 1],
  ["quarter", 3],
  ["year", 12],
]);

const SPAN: OptionNames<TimeSpan> = {
  years: true,
  months: true,
  weeks: true,
  days: true,
  hours: true,
  minutes: true,
  seconds: true,
  milliseconds: true,
  microseconds: true,
};

function spanOptions(span: unknown, node: ExpressionNode, name: string): CallSettings {
  const { months, days, microseconds } = timeOffset(span, node, `${name}()`);
  return { months, days, microseconds };
}

function timeOffset(span: unknown, { type: { kind } }: ExpressionNode, what: string): TimeOffset {
  assertOptions(span as TimeSpan, SPAN, what);
  const given = span as TimeSpan;
  const part = (name: keyof TimeSpan) =>
    whole(own(given as Readonly<Record<string, unknown>>, name) ?? 0, what.replace("()", ""), name);
  const microseconds =
    ((part("hours") * 60 + part("minutes")) * 60 + part("seconds")) * 1_000_000 +
    part("milliseconds") * 1000 +
    part("microseconds");
  const offset = {
    months: part("years") * 12 + part("months"),
    days: part("weeks") * 7 + part("days"),
    microseconds,
  };
  for (const each of Object.values(offset))
    whole(each, what.replace("()", ""), "a span of time", -(2 ** 52), 2 ** 52);
  if (kind === "date" && microseconds !== 0)
    throw new PawlError(
      "data.argument",
      `${what} of a date takes no hours or less: cast it to timestamp() first.`,
    );
  return offset;
}

/** White space of JavaScript. */
const WHITE_SPACE =
  "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff";

function trimOptions(characters: unknown, name: string): CallSettings {
  return { characters: characters === undefined ? WHITE_SPACE : wellFormed(characters, name) };
}

function padOptions(length: unknown, fill: unknown, name: string): CallSettings {
  const text = wellFormed(fill, name);
  if (text === "")
    throw new PawlError("data.argument", `${name}() needs a text to fill with that is not empty.`);
  return { length: whole(length, name, "a length", 0, 1_000_000), fill: text };
}

function replaceOptions(pattern: unknown, replacement: unknown, name: string): CallSettings {
  const to = wellFormed(replacement, name);
  if (typeof pattern === "string") {
    if (pattern === "")
      throw new PawlError(
        "data.argument",
        `${name}() needs a text or a regular expression that is not empty.`,
      );
    return { text: wellFormed(pattern, name), pattern: literalPattern(pattern), replacement: [to] };
  }
  const read = portablePattern(pattern, name);
  return { pattern: read.text, replacement: replacementParts(to, read, name) };
}

function wellFormed(value: unknown, name: string): string {
  if (typeof value === "string" && value.isWellFormed()) return value;
  throw new PawlError("data.argument", `${name}() needs a text, not ${quoted(value)}.`);
}

/** What may stand after a percent sign in a pattern for dates, and of which kinds of values. */
const DATE_PARTS = "YmdjGVuaAbBy";
const CLOCK_PARTS = "HIpMSf";

function timePattern(pattern: unknown, name: string, node: ExpressionNode | null): string {
  const given = wellFormed(pattern, name);
  const allowed = node?.type.kind === "date" ? `${DATE_PARTS}%` : `${DATE_PARTS}${CLOCK_PARTS}%`;
  for (const [part] of given.matchAll(/%(?:[\s\S]|$)/gu))
    if (part.length < 2 || !allowed.includes(part.slice(1)))
      throw new PawlError(
        "data.argument",
        `${name}() has no ${quoted(part)} in its patterns: there are ${[...allowed].map((each) => `%${each}`).join(" ")}.`,
      );
  return given;
}

function timeZone(zone: unknown, name: string): string {
  const given = wellFormed(zone, name);
  const zones = Intl.supportedValuesOf("timeZone");
  if (given === "UTC" || zones.includes(given)) return given;
  throw new PawlError(
    "data.argument",
    `${name}() has no zone ${quoted(given)}: ${suggest(given, zones, 'write one such as "Europe/Berlin" or "UTC".')}`,
  );
}

function cutOptions(edges: unknown, labels: unknown): CallSettings {
  const numbers = Array.isArray(edges) ? (edges as readonly unknown[]) : [];
  const isGrowing = numbers.every(
    (edge, index) =>
      typeof edge === "number" && !Number.isNaN(edge) && (index === 0 || edge > Number(numbers[index - 1])),
  );
  if (numbers.length < 2 || !isGrowing)
    throw new PawlError(
      "data.argument",
      `cut() needs two edges or more, each larger than the one before, not ${shown(edges)}.`,
    );
  const texts =
    labels ?? numbers.slice(1).map((edge, index) => `[${String(numbers[index])}, ${String(edge)})`);
  if (
    !Array.isArray(texts) ||
    texts.length !== numbers.length - 1 ||
    !texts.every((label) => typeof label === "string" && label.isWellFormed())
  )
    throw new PawlError(
      "data.argument",
      `cut() needs ${numbers.length - 1} labels for ${numbers.length} edges, all texts, not ${shown(labels)}.`,
    );
  // Infinite edges are no JSON.
  return { edges: numbers.map(String), labels: texts as readonly string[] };
}

function rowOrder(order: unknown, name: string, isNeeded: boolean): readonly SortKey[] {
  if (order === undefined && !isNeeded) return [];
  if (typeof order !== "object" || order === null || (order as Partial<RowOrder>).order === undefined)
    throw new PawlError("data.argument", `${name}() needs an order: ${name}({ order: c.time }).`);
  assertOptions(order as RowOrder, { order: true }, `${name}()`);
  const keys = sortKeys((order as RowOrder).order, `The order of ${name}()`);
  if (keys.length === 0)
    throw new PawlError("data.argument", `${name}() needs an order: ${name}({ order: c.time }).`);
  return keys;
}

/**
 * The number of rows of a group, as a number.
 *
 * @example
 * ```ts
 * const sales = fromRows({ user: text(), amount: float64() }, [{ user: "ada", amount: 12 }]);
 * const perUser = sales.groupBy("user").agg(() => ({ transactions: count() }));
 * ```
 */
export function count(): NeverNull<Count> {
  return aggregate("count", []) as unknown as NeverNull<Count>;
}

/**
 * A value of the program as an expression: on its own a number is a float64, a bigint an int64, a Date a timestamptz; with a type, it is
 * of exactly that type.
 *
 * @throws PawlError `data.literal` for a value that does not fit its type.
 */
export function lit<const V extends ExpressionLike>(value: V): ExpressionOf<TypeOf<V>>;
export function lit<T extends AnyType>(value: null, type: T): ExpressionOf<WithNull<T, true>>;
export function lit<T extends AnyType>(value: Literal<T>, type: T): ExpressionOf<WithNull<T, false>>;
export function lit(value: unknown, type?: ColumnType): unknown {
  if (type === undefined) return new BuiltExpression(nodeOf(value));
  if (!(type instanceof ColumnType))
    throw new PawlError("data.argument", `lit() needs a type such as int32(), not ${shown(type)}.`);
  return new BuiltExpression(literalOf(value, value === null ? type.nullable() : type, "lit()"));
}
