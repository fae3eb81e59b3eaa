import type { Chunk, Failure, Origin } from "../../../../batch/contract.ts";
import { errorText, isOf } from "../../../../error-text.ts";
import { ItemError, PawlError } from "../../../../errors.ts";
import { own } from "../../../../own.ts";
import { jsonText, toText, whole } from "../../values.ts";
import { type CopyRows, textRows } from "./copy-rows.ts";
import type { RowLayout, RowLayouts } from "./row-layout.ts";

type Item = Readonly<Record<string, unknown>>;

/** Rows are gathered in a string of about this length before they become bytes. */
const pieceLength = 64 * 1024;
/** What COPY reads otherwise, and halves of characters, which have to be looked at. */
const special = /[\\\t\n\r\ud800-\udfff]/;

export interface EncodedItems {
  readonly groups: readonly CopyRows[];
  /** Items with a value that no column could hold. */
  readonly failures: readonly Failure[];
}

/**
 * Encodes the items of a chunk for COPY. Consecutive items with the same names form one group; a name without a
 * value (`undefined`) counts as absent, and the column of an absent name stays as it is.
 */
export async function encode(chunk: Chunk<unknown>, layouts: RowLayouts): Promise<EncodedItems> {
  const groups: CopyRows[] = [];
  const failures: Failure[] = [];
  let group: Group | null = null;
  let index = 0;
  const close = () => {
    if (group !== null && group.items > 0) groups.push(group.rows());
    group = null;
  };
  for await (const slice of chunk.slices()) {
    for (const value of slice) {
      if (value instanceof ItemError) {
        close();
        failures.push({ index: index++, reason: value.message, code: value.code });
        continue;
      }
      try {
        const item = asItem(value);
        if (!group?.add(item)) {
          close();
          const names = namesOf(item);
          group = new Group(names, layouts.of(names), { first: index, json: layouts.target.json });
          group.add(item);
        }
      } catch (error) {
        // An item that cannot be encoded ends the group, so that the items of a group stay consecutive.
        close();
        failures.push({ index, ...unstorable(error) });
      }
      index++;
    }
  }
  close();
  layouts.transformCheck.assertSomeFit(index, failures);
  return { groups, failures };
}

/** Why an item cannot be written: it has no key, names no column, is not an object, or holds a value that no column could hold. */
export function unstorable(error: unknown): Omit<Failure, "index"> {
  if (isOf(error, PawlError)) return { reason: error.message, code: error.code };
  return { reason: `The value cannot be stored: ${errorText(error)}.`, code: "encode" };
}

/** A chunk whose items have become bytes for COPY ahead of its write, so that they are not held as objects. */
export class EncodedChunk implements Chunk<Item> {
  readonly items: number;
  readonly bytes: number;
  readonly end: Chunk<Item>["end"];
  readonly encoded: EncodedItems;
  readonly #chunk: Chunk<unknown>;

  constructor(chunk: Chunk<unknown>, encoded: EncodedItems) {
    this.items = chunk.items;
    this.bytes = chunk.bytes;
    this.end = chunk.end;
    this.encoded = encoded;
    this.#chunk = chunk;
  }

  // biome-ignore lint/correctness/useYield: there is nothing left to give
  async *slices(): AsyncGenerator<readonly Item[]> {
    throw new Error("The items of an encoded chunk are gone.");
  }

  origin(index: number): Promise<Origin> {
    return this.#chunk.origin(index);
  }
}

/** Items with the same names, as they become bytes. */
class Group {
  items = 0;
  readonly #names: readonly string[];
  /** Which of the values are any JSON. */
  readonly #json: readonly boolean[];
  readonly #layout: RowLayout;
  readonly #first: number;
  readonly #pieces: Buffer[] = [];
  #text = "";

  constructor(
    names: readonly string[],
    layout: RowLayout,
    { first, json }: { readonly first: number; readonly json: ReadonlySet<string> },
  ) {
    this.#names = names;
    // A column of arrays takes a list as an array.
    this.#json = names.map((name, i) => json.has(name) && layout.fields[i]?.column?.isArray !== true);
    this.#layout = layout;
    this.#first = first;
  }

  /** False when the item has other names. */
  add(item: Item): boolean {
    const names = this.#names;
    let row = "";
    for (let i = 0; i < names.length; i++) {
      const value = own(item, names[i] as string);
      if (value === undefined) return false;
      if (i > 0) row += "\t";
      if (value !== null && this.#json[i]) {
        row += escapeText(whole(jsonText(value)));
        continue;
      }
      if (typeof value === "string") row += special.test(value) ? escapeText(whole(value)) : value;
      else if (typeof value === "number") row += value;
      else if (value === null) row += "\\N";
      else row += this.#other(value, i);
    }
    let count = 0;
    for (const name in item) if (own(item, name) !== undefined) count++;
    if (count !== names.length) return false;
    this.#text += `${row}\n`;
    this.items++;
    if (this.#text.length >= pieceLength) this.#flush();
    return true;
  }

  rows(): CopyRows {
    this.#flush();
    return textRows(this.#layout, this.#first, this.items, this.#pieces);
  }

  #other(value: unknown, index: number): string {
    const text = toText(value, this.#layout.fields[index]?.column ?? null);
    return text === null ? "\\N" : escapeText(text);
  }

  #flush(): void {
    if (this.#text !== "") this.#pieces.push(Buffer.from(this.#text));
    this.#text = "";
  }
}

/** An item as an object by column name. Errors: `postgres.item`. */
export function asItem(value: unknown): Item {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Item;
  throw new PawlError(
    "postgres.item",
    `An item for PostgreSQL must be an object with the values by column name, not ${Array.isArray(value) ? "an array" : typeof value}: let the transform return one.`,
  );
}

function namesOf(item: Item): string[] {
  return Object.keys(item).filter((name) => own(item, name) !== undefined);
}

const escapes: Readonly<Record<string, string>> = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" };

function escapeText(text: string): string {
  return text.replaceAll(/[\\\t\n\r]/g, (character) => own(escapes, character) as string);
}
