import type { Json } from "./contract/value.ts";

/**
 * A value that was turned into JSON once and is stored as it stands, whatever becomes of the object that it was made
 * of. Wherever a store is given a `Json` that it keeps, it takes one of these as well.
 */
export class JsonText {
  readonly text: string;

  /** `text` must be JSON as `JSON.stringify` writes it. */
  constructor(text: string) {
    this.text = text;
  }

  /** Takes a value at this moment. What JSON has no form for at the top (undefined, a function) is null. Throws what `JSON.stringify` throws. */
  static of(value: unknown): JsonText {
    if (value instanceof JsonText) return value;
    return new JsonText(value === undefined || value === null ? "null" : (JSON.stringify(value) ?? "null"));
  }

  /** A copy of the value that belongs to the caller. */
  value(): Json {
    return JSON.parse(this.text);
  }

  /** For a value that this one is part of. */
  toJSON(): Json {
    return this.value();
  }
}
