import pg from "pg";
import type { Column } from "./catalog.ts";

/** PostgreSQL's text for a JavaScript value, before any escaping; null for null. */
export function toText(value: unknown, column: Column | null): string | null {
  switch (typeof value) {
    case "string":
      return whole(value);
    case "number":
    case "bigint":
    case "boolean":
      return String(value);
    case "object":
      return value === null ? null : objectText(value, column);
    default:
      throw new TypeError(`a ${typeof value} cannot be stored`);
  }
}

/** Half of a character, as `slice` leaves of an emoji, would arrive as another one: UTF-8 has no form for it. */
export function whole(text: string): string {
  if (!text.isWellFormed()) throw new TypeError("a text with half of a character cannot be stored");
  return text;
}

function objectText(value: object, column: Column | null): string | null {
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw new RangeError("an invalid Date cannot be stored");
    return column?.isJson ? JSON.stringify(value) : dateText(value);
  }
  if (value instanceof Uint8Array) {
    return `\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex")}`;
  }
  if (Array.isArray(value) && column?.isArray) return whole(arrayText(value, column));
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "bigint" ? json.rawJSON(`${inner}`) : inner,
  );
}

/** Any value as JSON, with bytes as PostgreSQL writes them, and as text what JSON has no number for. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner === "bigint") return json.rawJSON(`${inner}`);
    if (typeof inner === "number" && !Number.isFinite(inner)) return String(inner);
    return inner instanceof Uint8Array ? `\\x${Buffer.from(inner).toString("hex")}` : inner;
  });
}

/** Node 24 has it, TypeScript's library not yet. */
const json = JSON as unknown as { rawJSON(text: string): unknown };

/** In UTC. PostgreSQL knows no years with a sign. */
function dateText(date: Date): string {
  const iso = date.toISOString();
  if (iso.startsWith("+")) return iso.slice(1).replace(/^0/, "");
  if (!iso.startsWith("-")) return iso;
  const year = 1 - Number(iso.slice(0, 7));
  return `${String(year).padStart(4, "0")}${iso.slice(7)} BC`;
}

/** An array literal: `{1,NULL,"with \"quotes\""}`. */
function arrayText(values: readonly unknown[], column: Column): string {
  const parts = values.map((value) => {
    if (value === null || value === undefined) return "NULL";
    if (Array.isArray(value)) return arrayText(value, column);
    const text = toText(value, null) ?? "NULL";
    return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
  });
  return `{${parts.join(",")}}`;
}

const bool = 16;
const bytea = 17;
const numbers = new Set([21, 23, 26, 700, 701]);
const jsonTypes = new Set([114, 3802]);
/** Arrays of bool, bytes, whole numbers and texts: the driver takes these apart without losing anything. */
const arrays = new Set([1000, 1001, 1005, 1007, 1009, 1015, 1016, 2951]);

/**
 * JavaScript values for what a transform sees. What JavaScript cannot hold exactly stays the text that PostgreSQL writes
 * (`bigint`, `numeric`, dates and times …), so that a value that a transform hands on is the value that was read.
 */
export const exactTypes = {
  getTypeParser(oid: number): (text: string) => unknown {
    if (numbers.has(oid)) return Number;
    if (oid === bool) return (text) => text === "t";
    if (jsonTypes.has(oid)) return JSON.parse;
    if (oid === bytea || arrays.has(oid)) return pg.types.getTypeParser(oid, "text");
    return (text) => text;
  },
} as pg.CustomTypesConfig;

/** A row as it is kept in quarantine, with bytes as PostgreSQL writes them. */
export function rowJson(row: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(row, (_, value: unknown) => {
    const bytes = value as { type?: unknown; data?: unknown } | null;
    if (typeof bytes !== "object" || bytes === null || bytes.type !== "Buffer" || !Array.isArray(bytes.data))
      return value;
    return `\\x${Buffer.from(bytes.data).toString("hex")}`;
  });
}
