import { castRule } from "../../expr/casts.ts";
import type { CastNode } from "../../expr/node.ts";
import { type ColumnType, isFloat, isInteger, type Kind } from "../../schema/column-type.ts";
import { bound } from "./bind.ts";
import { quoteText } from "./quote.ts";
import { duckdbType } from "./types.ts";

/** A cast with the meaning of `expr/casts.ts`. DuckDB's own casts round, cut off and guess, so each is told what fits. */
export function castSql({ of, checked, type }: CastNode, sql: string): string {
  const from = of.type;
  const name = duckdbType(type);
  const plain = (value: string) => `${checked ? "CAST" : "TRY_CAST"}(${value} AS ${name})`;
  if (from.kind === type.kind && from.kind !== "decimal") return sql;
  if (from.kind === "json") return fromJson(type, checked, (body) => bound([sql], [of], body));
  // DuckDB's TRY fails where the same call stands elsewhere in the query: valid is what loses as many bytes to one repair as to the other.
  if (from.kind === "bytes" && !checked)
    return bound(
      [sql],
      [of],
      (v) => `CASE WHEN decode(${v}, 'ignore') = decode(${v}, 'replace') THEN decode(${v}, 'ignore') END`,
    );
  if (type.kind === "text") return textSql(from, sql);
  if (from.kind === "text") return fromText(type, checked, (body) => bound([sql], [of], body));
  if (castRule(from, type) === "free") return type.kind === "json" ? `to_json(${sql})` : plain(sql);
  // A fraction is not dropped, and digits are not rounded away: such a value is turned into a text whose cast fails and shows it.
  const fits = wholeTest(from, type);
  // DuckDB compares a value that was cast with a constant by casting the constant back, and then keeps values that do not fit.
  if (fits === null) return `coalesce(${plain(sql)}, NULL)`;
  const refused = checked ? `CAST(CAST(v AS VARCHAR) || ' (not whole)' AS ${name})` : "NULL";
  return bound(
    [sql],
    [of],
    (v) =>
      `CASE WHEN ${fits(String(v))} THEN ${plain(String(v))} WHEN ${v} IS NOT NULL THEN ${refused.replace("v AS", `${v} AS`)} END`,
  );
}

/** Which values keep what they are; null where DuckDB's cast checks by itself. */
function wholeTest(from: ColumnType, to: ColumnType): ((value: string) => string) | null {
  if (isInteger(to.kind) && isFloat(from.kind)) return (value) => `${value} = trunc(${value})`;
  if (isInteger(to.kind) && from.kind === "decimal")
    return (from.scale ?? 0) === 0 ? null : (value) => `${value} = trunc(${value})`;
  if (to.kind === "decimal" && from.kind === "decimal" && (to.scale ?? 0) < (from.scale ?? 0))
    return (value) => `${value} = round(${value}, ${to.scale ?? 0})`;
  return null;
}

type Bind = (body: (...names: readonly string[]) => string) => string;

/** The text of a value: the same as its value has in JavaScript. */
export function textSql({ kind }: ColumnType, sql: string): string {
  if (kind === "text") return sql;
  if (kind === "bytes") return `decode(${sql})`;
  if (kind === "timestamp") return `replace(CAST(${sql} AS VARCHAR), ' ', 'T')`;
  if (kind === "timestamptz") return `replace(replace(CAST(${sql} AS VARCHAR), ' ', 'T'), '+00', 'Z')`;
  return `CAST(${sql} AS VARCHAR)`;
}

const SPACE = "[ \\t\\n\\r\\f\\v]*";
const DAY = "[0-9]{4,6}-[0-9]{2}-[0-9]{2}";
const CLOCK = "[0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]{1,6})?)?";
const OFFSET = "(Z|[+-][0-9]{2}(:?[0-9]{2})?)";
const FLOAT = "[+-]?(([0-9]+(\\.[0-9]*)?|\\.[0-9]+)([eE][+-]?[0-9]+)?|Infinity)|NaN";

const PATTERNS: Partial<Readonly<Record<Kind, string>>> = {
  bool: "true|false",
  float32: FLOAT,
  float64: FLOAT,
  date: DAY,
  time: CLOCK,
  timestamp: `${DAY}([T ]${CLOCK})?`,
  timestamptz: `${DAY}([T ]${CLOCK}${OFFSET}?)?`,
  uuid: "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
};

function patternOf({ kind, scale = 0 }: ColumnType): string | null {
  if (isInteger(kind)) return "[+-]?[0-9]+";
  if (kind === "decimal")
    return scale === 0
      ? "[+-]?[0-9]+(\\.0*)?"
      : `[+-]?([0-9]+(\\.[0-9]{0,${scale}}0*)?|\\.[0-9]{1,${scale}}0*)`;
  return PATTERNS[kind] ?? null;
}

/** Only texts that are written in one way are read: DuckDB's casts would also take `1_000`, `0x1F`, `t` and round `1.6`. */
function fromText(type: ColumnType, checked: boolean, bind: Bind): string {
  const name = duckdbType(type);
  const cast = checked ? "CAST" : "TRY_CAST";
  if (type.kind === "bytes") return bind((v) => `encode(${v})`);
  // DuckDB's JSON also has NaN, Infinity, comments and commas before brackets: what stands outside of its texts tells.
  if (type.kind === "json")
    return bind(
      (v = "") =>
        `CASE WHEN regexp_matches(regexp_replace(${v}, '"([^"\\\\]|\\\\.)*"|true|false|null', '', 'g'), '[A-DF-Za-df-z/]|,\\s*[\\]}]') THEN ${checked ? `CAST(${v} || ' (not json)' AS JSON)` : "NULL"} ELSE ${cast}(${v} AS JSON) END`,
    );
  const pattern = patternOf(type);
  if (pattern === null) return bind((v) => `${cast}(${v} AS ${name})`);
  const test = quoteText(`${SPACE}(${pattern})${SPACE}`);
  const refused = (v: string) =>
    checked ? ` WHEN ${v} IS NOT NULL THEN CAST(${v} || ' (not ${type.kind})' AS ${name})` : "";
  return bind(
    (v = "") => `CASE WHEN regexp_full_match(${v}, ${test}) THEN ${cast}(${v} AS ${name})${refused(v)} END`,
  );
}

/** JSON has four kinds of single values; a value of another kind does not fit, and a JSON null is null. */
function fromJson(type: ColumnType, checked: boolean, bind: Bind): string {
  const name = duckdbType(type);
  const { kind } = type;
  const cast = checked ? "CAST" : "TRY_CAST";
  if (kind === "list" || kind === "struct")
    return bind((v) => `${cast}(nullif(CAST(${v} AS VARCHAR), 'null')::JSON AS ${name})`);
  const refused = (v: string) =>
    checked && kind !== "text" ? `CAST(CAST(${v} AS VARCHAR) || ' (not ${kind})' AS ${name})` : "NULL";
  const isNumber = isInteger(kind) || isFloat(kind) || kind === "decimal";
  const text = (v: string) => `json_extract_string(${v}, '$')`;
  if (kind === "bool")
    return bind(
      (v = "") =>
        `CASE json_type(${v}) WHEN 'BOOLEAN' THEN CAST(${text(v)} AS BOOLEAN) WHEN 'NULL' THEN NULL ELSE ${refused(v)} END`,
    );
  if (isNumber) {
    const number = (v: string) =>
      isFloat(kind)
        ? `${cast}(${text(v)} AS ${name})`
        : `CASE WHEN regexp_full_match(${text(v)}, ${quoteText(patternOf(type) ?? "")}) THEN ${cast}(${text(v)} AS ${name}) ELSE ${refused(v)} END`;
    // A decimal may be a text, so that it keeps its digits.
    const texts = kind === "decimal" ? `, 'VARCHAR'` : "";
    return bind(
      (v = "") =>
        `CASE WHEN json_type(${v}) IN ('UBIGINT', 'BIGINT', 'HUGEINT', 'UHUGEINT', 'DOUBLE'${texts}) THEN ${number(v)} WHEN json_type(${v}) <> 'NULL' THEN ${refused(v)} END`,
    );
  }
  // A text as JSON is its own content; other JSON is its text.
  if (kind === "text") return bind((v = "") => `CASE WHEN json_type(${v}) <> 'NULL' THEN ${text(v)} END`);
  const pattern = quoteText(`(${patternOf(type) ?? ".*"})`);
  return bind(
    (v = "") =>
      `CASE WHEN json_type(${v}) = 'VARCHAR' AND regexp_full_match(${text(v)}, ${pattern}) THEN ${cast}(${text(v)} AS ${name}) WHEN json_type(${v}) <> 'NULL' THEN ${refused(v)} END`,
  );
}
