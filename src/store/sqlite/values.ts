import type { Json } from "../contract.ts";
import { fromJson, JsonText } from "../json-text.ts";

/** JSON text of a value; what JSON cannot express at the top (undefined, a function) is null. */
export function toText(value: Json | JsonText | undefined): string {
  return JsonText.of(value).text;
}

export function fromText(text: string, what = "A value"): Json {
  return fromJson(text, what);
}
