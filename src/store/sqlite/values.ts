import type { Json } from "../contract.ts";

/** JSON text of a value; what JSON cannot express at the top (undefined, a function) is null. */
export function toText(value: Json | undefined): string {
  return JSON.stringify(value ?? null) ?? "null";
}

export function fromText(text: string): Json {
  return text === "null" ? null : (JSON.parse(text) as Json);
}
