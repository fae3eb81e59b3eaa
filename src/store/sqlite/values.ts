import type { Json } from "../contract.ts";

/** JSON text of a value; what JSON cannot express at the top (undefined, a function) is null. */
export function toText(value: Json | undefined): string {
  return JSON.stringify(value ?? null) ?? "null";
}

export function fromText(text: string): Json {
  return text === "null" ? null : (JSON.parse(text) as Json);
}

/** Whole milliseconds of a duration. Throws a RangeError for one that is negative, infinite or not a number. */
export function duration(ms: number): number {
  if (!(ms >= 0 && Number.isFinite(ms))) throw new RangeError(`A duration of ${ms} ms makes no sense.`);
  return Math.ceil(ms);
}
