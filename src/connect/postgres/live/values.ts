import pg from "pg";

const bool = 16;
const bytea = 17;
const numbers = new Set([21, 23, 26, 700, 701]);
const json = new Set([114, 3802]);
/** Arrays of bool, bytes, whole numbers and texts: the driver takes these apart without losing anything. */
const arrays = new Set([1000, 1001, 1005, 1007, 1009, 1015, 1016, 2951]);

/**
 * JavaScript values for what a step sees. What JavaScript cannot hold exactly stays the text that PostgreSQL writes
 * (`bigint`, `numeric`, dates and times …), so that a value that a step hands on is the value that was read.
 */
export const exactTypes = {
  getTypeParser(oid: number): (text: string) => unknown {
    if (numbers.has(oid)) return Number;
    if (oid === bool) return (text) => text === "t";
    if (json.has(oid)) return JSON.parse;
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
