/** A row as JSON: whole numbers have all their digits, bytes are `\\x` and hexadecimal digits, and what JSON has no number for is null. */
export function rowJson(row: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(row, (_, value: unknown) => {
    if (typeof value === "bigint") return rawJson(value.toString());
    return value instanceof Uint8Array ? `\\x${Buffer.from(value).toString("hex")}` : value;
  });
}

/** Digits as a number of JSON. TypeScript does not know `JSON.rawJSON` yet. */
export const rawJson = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON;
