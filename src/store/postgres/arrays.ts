import type { Json } from "../contract.ts";
import { JsonText } from "../json-text.ts";

/** What PostgreSQL cannot keep in a text. Errors and logs may hold it; it is shown as the picture of a null. */
const NUL = /\0/g;

/** A text of people's making, as the server can store it. */
export function storable(text: string): string {
  return text.includes("\0") ? text.replace(NUL, "\u2400") : text;
}

/** JSON text of a value; null for null, so that what is not used takes no room. */
export function toText(value: Json | JsonText | undefined): string | null {
  const { text } = JsonText.of(value);
  return text === "null" ? null : text;
}

/**
 * The literal of an array of texts; null when there is none among them. `unnest` fills a null array up with nulls, so
 * a column that nobody uses costs nothing.
 */
export function texts(values: readonly (string | null | undefined)[]): string | null {
  let used = false;
  const parts = values.map((value) => {
    if (value === null || value === undefined) return "NULL";
    used = true;
    return `"${/["\\]/.test(value) ? value.replace(/["\\]/g, "\\$&") : value}"`;
  });
  return used || values.length === 0 ? `{${parts.join(",")}}` : null;
}

/** The same for numbers and truth values. */
export function scalars(values: readonly (number | boolean | null | undefined)[]): string | null {
  if (values.length > 0 && values.every((value) => value === null || value === undefined)) return null;
  return `{${values.map((value) => value ?? "NULL").join(",")}}`;
}
