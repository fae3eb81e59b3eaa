import type { Json } from "../contract.ts";
import { JsonText } from "../json-text.ts";

/** JSON text of a value; what JSON cannot express at the top (undefined, a function) is null. */
export function toText(value: Json | JsonText | undefined): string {
  return JsonText.of(value).text;
}

export function fromText(text: string): Json {
  return text === "null" ? null : (JSON.parse(text) as Json);
}
