/** The types that `create` chooses among; a column whose values disagree is text. */
export type InferredType =
  | "bigint"
  | "numeric"
  | "double precision"
  | "boolean"
  | "date"
  | "timestamp"
  | "timestamptz"
  | "uuid"
  | "jsonb"
  | "bytea"
  | "text";

const whole = /^(?:0|-?[1-9]\d{0,17})$/;
const decimal = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d{1,3})?$/;
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const day = /^(\d{4}-\d{2}-\d{2})$/;
const time = /^(\d{4}-\d{2}-\d{2})[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(Z|[+-]\d{2}(?::?\d{2})?)?$/i;

/**
 * The narrowest type that takes every value as it is. A number with a leading zero or a plus is a text, because as
 * a number it would lose them; so is a column without any value.
 */
export function inferType(values: Iterable<unknown>): InferredType {
  let type: InferredType | null = null;
  for (const value of values) {
    if (value === null || value === undefined) continue;
    const one = typeOf(value);
    type = type === null ? one : widen(type, one);
    if (type === "text") return type;
  }
  return type ?? "text";
}

function typeOf(value: unknown): InferredType {
  switch (typeof value) {
    case "string":
      return typeOfText(value);
    case "bigint":
      return "bigint";
    case "boolean":
      return "boolean";
    case "number":
      return Number.isSafeInteger(value) ? "bigint" : "double precision";
    case "object":
      if (value instanceof Date) return "timestamptz";
      return value instanceof Uint8Array ? "bytea" : "jsonb";
    default:
      return "text";
  }
}

function typeOfText(text: string): InferredType {
  if (whole.test(text)) return "bigint";
  if (decimal.test(text)) return "numeric";
  if (/^(?:true|false)$/i.test(text)) return "boolean";
  if (uuid.test(text)) return "uuid";
  const date = day.exec(text)?.[1];
  if (date !== undefined) return isDay(date) ? "date" : "text";
  const stamp = time.exec(text);
  if (stamp === null || !isDay(stamp[1] ?? "")) return "text";
  return stamp[2] === undefined ? "timestamp" : "timestamptz";
}

function isDay(text: string): boolean {
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text) && !text.startsWith("0000");
}

function widen(a: InferredType, b: InferredType): InferredType {
  if (a === b) return a;
  const both = new Set([a, b]);
  const numbers = new Set<InferredType>(["bigint", "numeric", "double precision"]);
  if (numbers.has(a) && numbers.has(b)) return both.has("double precision") ? "double precision" : "numeric";
  return both.has("date") && both.has("timestamp") ? "timestamp" : "text";
}
