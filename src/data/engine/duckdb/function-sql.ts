import type { FunctionName } from "../../expr/functions.ts";
import type { CallNode, ExpressionNode } from "../../expr/node.ts";
import { type ColumnType, isFloat, isInteger } from "../../schema/column-type.ts";
import { bound } from "./bind.ts";
import { textSql } from "./cast-sql.ts";
import { quoteText } from "./quote.ts";
import { duckdbType } from "./types.ts";

type Translate = (args: readonly string[], node: CallNode) => string;

const infix =
  (operator: string): Translate =>
  (args) =>
    `(${args.join(` ${operator} `)})`;
const named =
  (name: string): Translate =>
  (args) =>
    `${name}(${args.join(", ")})`;
/** A function that is asked for a 64-bit number and gives a small one. */
const small =
  (name: string, after = ""): Translate =>
  ([one]) =>
    `CAST(${name}(${one})${after} AS INTEGER)`;
/** A function of floating-point numbers. */
const floating =
  (name: string): Translate =>
  (args) =>
    `${name}(${args.map(double).join(", ")})`;

const NAN = "CAST('NaN' AS DOUBLE)";

function double(sql: string): string {
  return `CAST(${sql} AS DOUBLE)`;
}

/** SQL that needs the arguments of a call more than once. */
function withArgs(
  args: readonly string[],
  node: CallNode,
  body: (...names: readonly string[]) => string,
): string {
  return bound(args, node.arguments, body);
}

/** A function of floating-point numbers that DuckDB refuses for some of them, which are NaN. */
const unless =
  (test: (value: string) => string, name: string, otherwise = ""): Translate =>
  ([one = ""], node) =>
    withArgs(
      [double(one)],
      node,
      (v = "") =>
        `CASE WHEN ${test(v)} THEN ${name}(${v})${otherwise.replaceAll("$", () => v)} WHEN ${v} IS NOT NULL THEN ${NAN} END`,
    );

const logarithm = (name: string) =>
  unless((v) => `${v} > 0`, name, " WHEN $ = 0 THEN CAST('-Infinity' AS DOUBLE)");

/** The digits of whole numbers as decimals. */
const DIGITS: Readonly<Record<string, number>> = {
  int8: 3,
  uint8: 3,
  int16: 5,
  uint16: 5,
  int32: 10,
  uint32: 10,
  int64: 19,
  uint64: 20,
};

/** An operand in the type in which the result is computed: whole numbers as 64 bits, so that they overflow as such. */
function operand(sql: string, type: ColumnType, result: ColumnType): string {
  if (result.kind !== "decimal") return `CAST(${sql} AS ${duckdbType(result)})`;
  return isInteger(type.kind) ? `CAST(${sql} AS DECIMAL(${DIGITS[type.kind] ?? 19}, 0))` : sql;
}

function operands(
  args: readonly string[],
  node: CallNode,
  result: ColumnType = node.type,
): readonly string[] {
  return args.map((arg, index) => operand(arg, (node.arguments[index] as ExpressionNode).type, result));
}

const arithmetic =
  (operator: string): Translate =>
  (args, node) => {
    const sql = `(${operands(args, node).join(` ${operator} `)})`;
    return node.type.kind === "decimal" ? `CAST(${sql} AS ${duckdbType(node.type)})` : sql;
  };

/** A function of one number that keeps its kind. */
const keeping =
  (name: string): Translate =>
  (args, node) =>
    `CAST(${name}(${operands(args, node).join(", ")}) AS ${duckdbType(node.type)})`;

/** The same where whole numbers are what they are already. */
const wholes =
  (name: string): Translate =>
  (args, node) =>
    isInteger((node.arguments[0] as ExpressionNode).type.kind)
      ? operands(args, node).join("")
      : keeping(name)(args, node);

const inResult =
  (name: string): Translate =>
  (args, node) =>
    `${name}(${args.map((arg) => (node.type.kind === "decimal" ? `CAST(${arg} AS ${duckdbType(node.type)})` : arg)).join(", ")})`;

const bits =
  (operator: string): Translate =>
  (args) =>
    operator === "xor"
      ? `xor(${args.map((arg) => `CAST(${arg} AS BIGINT)`).join(", ")})`
      : `(${args.map((arg) => `CAST(${arg} AS BIGINT)`).join(` ${operator} `)})`;

function option(node: CallNode, name: string): string {
  return String(new Map(Object.entries(node.options ?? {})).get(name) ?? "");
}

function quotedOption(node: CallNode, name: string): string {
  return quoteText(option(node, name));
}

function listOption(node: CallNode, name: string): readonly (string | number)[] {
  const value = new Map(Object.entries(node.options ?? {})).get(name);
  return Array.isArray(value) ? (value as readonly (string | number)[]) : [];
}

function roundSql([one = ""]: readonly string[], node: CallNode): string {
  const { type } = node.arguments[0] as ExpressionNode;
  const digits = Number(option(node, "digits"));
  const result = duckdbType(node.type);
  // Before the point, DuckDB rounds what is not finite to zero.
  if (isFloat(type.kind))
    return digits >= 0
      ? `round(${double(one)}, ${digits})`
      : withArgs(
          [double(one)],
          node,
          (v = "") => `CASE WHEN isfinite(${v}) THEN round(${v}, ${digits}) ELSE ${v} END`,
        );
  // DuckDB wraps whole numbers that round up beyond their type, and decimals may need a digit more.
  if (isInteger(type.kind))
    return digits >= 0
      ? `CAST(${one} AS ${result})`
      : `CAST(round(CAST(${one} AS HUGEINT), ${digits}) AS ${result})`;
  const { precision = 38, scale = 0 } = type;
  return `CAST(round(CAST(${one} AS DECIMAL(${Math.min(38, precision + 1)}, ${scale})), ${digits}) AS ${result})`;
}

function formatNumberSql([one = ""]: readonly string[], node: CallNode): string {
  const { type } = node.arguments[0] as ExpressionNode;
  const digits = Number(option(node, "digits"));
  const thousands = option(node, "thousands") === "true";
  if (isFloat(type.kind))
    return withArgs(
      [double(one)],
      node,
      (v = "") =>
        `CASE WHEN isfinite(${v}) THEN format('{:${thousands ? "," : ""}.${digits}f}', ${v}) WHEN isnan(${v}) THEN 'NaN' WHEN ${v} > 0 THEN 'Infinity' WHEN ${v} < 0 THEN '-Infinity' END`,
    );
  const whole =
    type.kind === "decimal" ? (type.precision ?? 38) - (type.scale ?? 0) : (DIGITS[type.kind] ?? 20);
  const text = `CAST(CAST(${one} AS DECIMAL(${Math.min(38, whole + 1 + digits)}, ${digits})) AS VARCHAR)`;
  if (!thousands) return text;
  // RE2 cannot look ahead, so that the digits are grouped from their end.
  return bound(
    [text],
    [{ kind: "sql", parts: [], arguments: [], type: node.type }],
    (v = "") =>
      `(regexp_extract(${v}, '^-?') || ltrim(reverse(regexp_replace(reverse(regexp_extract(${v}, '[0-9]+')), '([0-9]{3})', '\\1,', 'g')), ',') || regexp_extract(${v}, '\\.[0-9]+$'))`,
  );
}

/** A slice of a text or list: from 0 and without its end here, from 1 and with its end in DuckDB. */
function sliceSql([one = ""]: readonly string[], node: CallNode): string {
  const start = Number(option(node, "start"));
  const end = option(node, "end");
  const from = start < 0 ? start : start + 1;
  return `(${one})[${from}:${end === "" ? "" : Number(end) < 0 ? Number(end) - 1 : end}]`;
}

function replacementOf(node: CallNode): string {
  return quoteText(
    listOption(node, "replacement")
      .map((part) => (typeof part === "number" ? `\\${part}` : part.replaceAll("\\", "\\\\")))
      .join(""),
  );
}

function splitSql([one = ""]: readonly string[], node: CallNode): string {
  const pattern = option(node, "pattern");
  if (pattern !== "") return `string_split_regex(${one}, ${quoteText(pattern)})`;
  if (option(node, "text") !== "") return `string_split(${one}, ${quotedOption(node, "text")})`;
  return withArgs(
    [one],
    node,
    (v = "") => `CASE WHEN ${v} = '' THEN CAST([] AS VARCHAR[]) ELSE string_split(${v}, '') END`,
  );
}

const pad =
  (name: string): Translate =>
  ([one = ""], node) =>
    withArgs(
      [one],
      node,
      (v = "") =>
        `CASE WHEN length(${v}) >= ${option(node, "length")} THEN ${v} ELSE ${name}(${v}, ${option(node, "length")}, ${quotedOption(node, "fill")}) END`,
    );

const parsed =
  (name: string, type: string): Translate =>
  ([one], node) =>
    `CAST(${name}(${one}, ${quotedOption(node, "pattern")}) AS ${type})`;

function addTimeSql([one = ""]: readonly string[], node: CallNode): string {
  const parts = [
    ["months", "to_months"],
    ["days", "to_days"],
    ["microseconds", "to_microseconds"],
  ] as const;
  const steps = parts
    .filter(([name]) => Number(option(node, name)) !== 0)
    .map(([name, make]) => ` + ${make}(${option(node, name)})`);
  return `CAST((${one}${steps.join("")}) AS ${duckdbType(node.type)})`;
}

const EPOCH: ReadonlyMap<string, number> = new Map([
  ["second", 1_000_000],
  ["millisecond", 1000],
  ["microsecond", 1],
]);

function epochSql([one = ""]: readonly string[], node: CallNode): string {
  const unit = option(node, "unit");
  const factor = EPOCH.get(unit) ?? 1;
  const isDate = node.arguments[0]?.type.kind === "date";
  // Cut to the unit first, so that the division is exact for times before 1970 too.
  return factor === 1 || isDate
    ? `(epoch_us(${one}) // ${factor})`
    : `(epoch_us(date_trunc('${unit}', ${one})) // ${factor})`;
}

function timeBucketSql([one = ""]: readonly string[], node: CallNode): string {
  const type = duckdbType(node.type);
  const wide = node.type.kind === "date" ? "TIMESTAMP" : type;
  return `CAST(time_bucket(to_microseconds(${option(node, "microseconds")}), CAST(${one} AS ${wide}), CAST(${quotedOption(node, "origin")} AS ${wide})) AS ${type})`;
}

/** More elements than this are a mistake in the size of a step, and would take all of the memory. */
const MOST_STEPS = 10_000_000;

function stepsToSql(args: readonly string[], node: CallNode): string {
  const element = node.type.of as ColumnType;
  const wide = element.kind === "date" ? "TIMESTAMP" : duckdbType(element);
  const months = node.options?.months;
  const size =
    months === undefined ? Number(option(node, "microseconds")) : Number(months) * 28 * 86_400_000_000;
  // A month after another is counted from the first, so that the last days of months come back after a short one.
  const steps = (first: string, last: string) =>
    months === undefined
      ? `generate_series(${first}, ${last}, to_microseconds(${option(node, "microseconds")}))`
      : `list_filter(list_transform(range(0, date_diff('month', ${first}, ${last}) // ${months} + 1), lambda i: ${first} + to_months(CAST(i * ${months} AS INTEGER))), lambda x: x <= ${last})`;
  return withArgs(
    args.map((arg) => `CAST(${arg} AS ${wide})`),
    node,
    (first = "", last = "") =>
      `CASE WHEN (epoch_us(${last}) - epoch_us(${first})) // ${size} > ${MOST_STEPS} THEN error('stepsTo() would make more than ten million steps: take longer ones') ELSE CAST(${steps(first, last)} AS ${duckdbType(node.type)}) END`,
  );
}

/** What stands at a path, by a JSON pointer. */
function atSql([one = ""]: readonly string[], node: CallNode): string {
  const path = listOption(node, "path")
    .map((step) => `/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`)
    .join("");
  return withArgs([one], node, (v = "") => {
    const type = path === "" ? `json_type(${v})` : `json_type(${v}, ${quoteText(path)})`;
    const value = path === "" ? v : `json_extract(${v}, ${quoteText(path)})`;
    return `CASE WHEN ${type} <> 'NULL' THEN ${value} END`;
  });
}

function cutSql([one = ""]: readonly string[], node: CallNode): string {
  const [first = "0", ...edges] = listOption(node, "edges").map((edge) => `CAST('${edge}' AS DOUBLE)`);
  const labels = listOption(node, "labels").map((label) => quoteText(String(label)));
  return withArgs([double(one)], node, (v = "") => {
    const branches = edges.map((edge, index) => `WHEN ${v} < ${edge} THEN ${labels[index]}`).join(" ");
    return `CASE WHEN isnan(${v}) OR ${v} < ${first} THEN NULL ${branches} END`;
  });
}

function mapSql([one = "", ...others]: readonly string[], node: CallNode): string {
  const isMap = node.function === "map";
  // Keys and values are literals, so that only what is looked up may need a name.
  return bound([one], [node.arguments[0] as ExpressionNode], (v = "") => {
    const pairs = isMap ? others.slice(0, -1) : others;
    const branches = pairs
      .filter((_, index) => index % 2 === 0)
      .map((key, index) => `WHEN ${key} THEN ${pairs[index * 2 + 1]}`);
    return `CASE ${v} ${branches.join(" ")} ELSE ${isMap ? others.at(-1) : v} END`;
  });
}

function hashSql(args: readonly string[], node: CallNode): string {
  const texts = args.map((arg, index) => textSql((node.arguments[index] as ExpressionNode).type, arg));
  const whole =
    texts.length === 1
      ? `coalesce(${texts[0]}, '-')`
      : `(${texts.map((text, index) => bound([text], [hashed(node.arguments[index])], (v = "") => `CASE WHEN ${v} IS NULL THEN '-' ELSE length(${v}) || ':' || ${v} END`)).join(" || ")})`;
  return `CAST('0x' || substr(md5(${whole}), 1, 15) AS BIGINT)`;
}

/** A text that is made of a column is not the column itself. */
function hashed(node: ExpressionNode | undefined): ExpressionNode {
  return node?.type.kind === "text"
    ? node
    : { kind: "sql", parts: [], arguments: [], type: (node as ExpressionNode).type };
}

/** How each function is said in DuckDB's SQL, with the meaning that `expr/functions.ts` gives it. */
export const FUNCTION_SQL: Readonly<Record<FunctionName, Translate>> = {
  eq: infix("="),
  ne: infix("<>"),
  lt: infix("<"),
  le: infix("<="),
  gt: infix(">"),
  ge: infix(">="),
  between: ([one, low, high]) => `(${one} BETWEEN ${low} AND ${high})`,
  eqNull: infix("IS NOT DISTINCT FROM"),
  in: ([first, ...others]) => (others.length === 0 ? "false" : `(${first} IN (${others.join(", ")}))`),
  notIn: ([first, ...others]) => (others.length === 0 ? "true" : `(${first} NOT IN (${others.join(", ")}))`),
  and: infix("AND"),
  or: infix("OR"),
  not: ([one]) => `(NOT ${one})`,
  isNull: ([one]) => `(${one} IS NULL)`,
  isNotNull: ([one]) => `(${one} IS NOT NULL)`,
  coalesce: inResult("coalesce"),
  nullIf: (args, node) => `CAST(nullif(${args.join(", ")}) AS ${duckdbType(node.type)})`,
  map: mapSql,
  replaceValues: mapSql,
  cut: cutSql,
  hash: hashSql,
  greatest: inResult("greatest"),
  least: inResult("least"),
  add: arithmetic("+"),
  sub: arithmetic("-"),
  mul: arithmetic("*"),
  div: ([a = "", b = ""]) => `(${double(a)} / nullif(${double(b)}, 0))`,
  intDiv: ([a, b]) => `(CAST(${a} AS BIGINT) // CAST(${b} AS BIGINT))`,
  mod: (args, node) => {
    const [a, b] = operands(args, node);
    return `CAST((${a} % nullif(${b}, 0)) AS ${duckdbType(node.type)})`;
  },
  neg: keeping("-"),
  abs: keeping("abs"),
  sign: small("sign"),
  round: roundSql,
  floor: wholes("floor"),
  ceil: wholes("ceil"),
  trunc: wholes("trunc"),
  sqrt: unless((v) => `${v} >= 0`, "sqrt"),
  cbrt: floating("cbrt"),
  exp: floating("exp"),
  ln: logarithm("ln"),
  log10: logarithm("log10"),
  log2: logarithm("log2"),
  pow: floating("pow"),
  sin: unless((v) => `isfinite(${v})`, "sin"),
  cos: unless((v) => `isfinite(${v})`, "cos"),
  tan: unless((v) => `isfinite(${v})`, "tan"),
  asin: unless((v) => `${v} BETWEEN -1 AND 1`, "asin"),
  acos: unless((v) => `${v} BETWEEN -1 AND 1`, "acos"),
  atan: floating("atan"),
  atan2: floating("atan2"),
  sinh: floating("sinh"),
  cosh: floating("cosh"),
  tanh: floating("tanh"),
  isNaN: floating("isnan"),
  isFinite: floating("isfinite"),
  clip: (args, node) =>
    withArgs(
      args.map((arg) => `CAST(${arg} AS ${duckdbType(node.type)})`),
      node,
      (v = "", low = "", high = "") =>
        `CASE WHEN ${v} IS NOT NULL AND ${low} IS NOT NULL AND ${high} IS NOT NULL THEN least(greatest(${v}, ${low}), ${high}) END`,
    ),
  bitAnd: bits("&"),
  bitOr: bits("|"),
  bitXor: bits("xor"),
  formatNumber: formatNumberSql,
  lower: named("lower"),
  upper: named("upper"),
  trim: ([one], node) => `trim(${one}, ${quotedOption(node, "characters")})`,
  trimStart: ([one], node) => `ltrim(${one}, ${quotedOption(node, "characters")})`,
  trimEnd: ([one], node) => `rtrim(${one}, ${quotedOption(node, "characters")})`,
  slice: sliceSql,
  length: small("length"),
  contains: named("contains"),
  startsWith: named("starts_with"),
  endsWith: named("ends_with"),
  indexOf: (args) => `CAST(instr(${args.join(", ")}) - 1 AS INTEGER)`,
  like: ([one], node) => `(${one} LIKE ${quotedOption(node, "pattern")} ESCAPE '\\')`,
  matches: ([one], node) => `regexp_matches(${one}, ${quotedOption(node, "pattern")})`,
  extract: (args, node) =>
    withArgs(args, node, (v) => {
      const pattern = quotedOption(node, "pattern");
      return `CASE WHEN regexp_matches(${v}, ${pattern}) THEN regexp_extract(${v}, ${pattern}, ${option(node, "group")}) END`;
    }),
  extractAll: ([one], node) =>
    `regexp_extract_all(${one}, ${quotedOption(node, "pattern")}, ${option(node, "group")})`,
  replace: ([one], node) =>
    `regexp_replace(${one}, ${quotedOption(node, "pattern")}, ${replacementOf(node)})`,
  replaceAll: ([one], node) =>
    option(node, "text") === ""
      ? `regexp_replace(${one}, ${quotedOption(node, "pattern")}, ${replacementOf(node)}, 'g')`
      : `replace(${one}, ${quotedOption(node, "text")}, ${quoteText(listOption(node, "replacement").join(""))})`,
  split: splitSql,
  concat: infix("||"),
  padStart: pad("lpad"),
  padEnd: pad("rpad"),
  repeat: ([one], node) => `repeat(${one}, ${option(node, "times")})`,
  reverse: ([one]) => `array_to_string(list_reverse(string_split(${one}, '')), '')`,
  parseDate: parsed("strptime", "DATE"),
  tryParseDate: parsed("try_strptime", "DATE"),
  parseTimestamp: parsed("strptime", "TIMESTAMP"),
  tryParseTimestamp: parsed("try_strptime", "TIMESTAMP"),
  year: small("year"),
  quarter: small("quarter"),
  month: small("month"),
  week: small("week"),
  weekYear: small("isoyear"),
  day: small("day"),
  weekday: small("isodow"),
  dayOfYear: small("dayofyear"),
  hour: small("hour"),
  minute: small("minute"),
  second: small("second"),
  millisecond: small("millisecond", " % 1000"),
  microsecond: small("microsecond", " % 1000000"),
  date: ([one]) => `CAST(${one} AS DATE)`,
  time: ([one], node) =>
    node.arguments[0]?.type.kind === "timestamptz"
      ? `CAST((${one} AT TIME ZONE 'UTC') AS TIME)`
      : `CAST(${one} AS TIME)`,
  truncTime: ([one], node) =>
    `CAST(date_trunc('${option(node, "unit")}', ${one}) AS ${duckdbType(node.type)})`,
  addTime: addTimeSql,
  diff: ([later, earlier], node) => `date_sub('${option(node, "unit")}', ${earlier}, ${later})`,
  formatTime: ([one], node) => `strftime(${one}, ${quotedOption(node, "pattern")})`,
  toTimeZone: ([one], node) => `(${one} AT TIME ZONE ${quotedOption(node, "zone")})`,
  fromTimeZone: ([one], node) => `(${one} AT TIME ZONE ${quotedOption(node, "zone")})`,
  epoch: epochSql,
  fromEpoch: ([one], node) =>
    `make_timestamptz(CAST(${one} AS BIGINT) * ${EPOCH.get(option(node, "unit")) ?? 1})`,
  timeBucket: timeBucketSql,
  stepsTo: stepsToSql,
  listLength: small("len"),
  listGet: ([one], node) => {
    const index = Number(option(node, "index"));
    return `(${one})[${index < 0 ? index : index + 1}]`;
  },
  listContains: named("list_contains"),
  listSlice: sliceSql,
  listSort: ([one]) => `list_sort(${one}, 'ASC', 'NULLS LAST')`,
  listDistinct: ([one]) => `list_sort(list_distinct(${one}))`,
  listSum: ([one], node) => `CAST(list_sum(${one}) AS ${duckdbType(node.type)})`,
  listMean: ([one]) => `CAST(list_avg(${one}) AS DOUBLE)`,
  listMin: named("list_min"),
  listMax: named("list_max"),
  listJoin: ([one], node) => `array_to_string(${one}, ${quotedOption(node, "separator")})`,
  field: ([one], node) => `struct_extract(${one}, ${quotedOption(node, "name")})`,
  at: atSql,
};
