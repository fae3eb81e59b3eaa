import { deserialize } from "node:v8";
import { assertOptions, assertText, type OptionNames, quoted, shown } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import type { AnyFunction } from "../../pool/internal.ts";
import { type Columns, columnsProxy, fieldNamed } from "../expr/columns.ts";
import { type Condition, nodeOf } from "../expr/expression.ts";
import type { Frame } from "../frame/frame.ts";
import { fromRows } from "../frame/from-rows.ts";
import { type ColumnField, type FrameSchema, fieldsOf, type Row } from "../schema/column-type.ts";
import {
  added,
  type Collector,
  type Comparable,
  type Drawn,
  foremost,
  lowest,
  NO_SUM,
  type Ranked,
  sumOf,
} from "./collect.ts";
import { evaluator } from "./evaluate.ts";
import { sentFields } from "./fit.ts";
import {
  type BagRunOptions,
  type BagSourceOptions,
  malformedFrom,
  RUN_OPTIONS,
  runSettings,
  SOURCE_OPTIONS,
} from "./options.ts";
import { assertRoom, BagRun } from "./run.ts";
import { readSegments } from "./segments.ts";
import { type BagSource, type BagStep, type Plan, type SentKey, sentFunction } from "./steps.ts";
import type { BagResult } from "./tally.ts";
import { type BagWriteOptions, type WrittenBag, writeBag } from "./write.ts";

/** The key of an item: what a function makes of it, or the name of a property. */
export type KeyOf<T, K> = ((item: T) => K) | (keyof T & (string | number));

/** What a property of an item, or a function, gives. */
type KeyValue<T, B> = B extends (item: T) => infer K ? K : B extends keyof T ? T[B] : never;

/** An item that `flatten` takes apart. */
type ElementOf<T> = T extends Iterable<infer E> ? E : never;

/**
 * Items that may be more than memory holds, and what is to be done with them: nothing runs before a result is asked for. A bag never
 * changes; every step gives a new one. Functions run in worker threads: pass `callable(import.meta, …)`, or an inline function that
 * uses nothing from outside but the arguments that are given behind it.
 *
 * @example
 * ```ts
 * const words = bag.of(["to be", "or not", "to be"]).flatMap((line) => line.split(" "));
 * const { value } = await words.frequencies().topk(1, ([, count]) => count);
 * console.log(value); // [ [ 'to', 2 ] ]
 * ```
 */
export class Bag<T> {
  readonly #plan: Plan;

  /** Not called by programs: use `bag.jsonl`, `bag.lines` or `bag.of`. */
  constructor(plan: Plan) {
    this.#plan = plan;
  }

  /** What is to be done, as data. */
  get plan(): Plan {
    return this.#plan;
  }

  /** What `fn` makes of each item. Further arguments are sent along with it. */
  map<R, A extends readonly unknown[]>(fn: (item: T, ...args: A) => R, ...args: A): Bag<R> {
    return this.#with({ kind: "map", fn: sentFunction(fn as AnyFunction, "map", args) });
  }

  /** The same for items that are lists, with their elements as arguments. */
  starmap<E extends readonly unknown[], R>(this: Bag<E>, fn: (...elements: E) => R): Bag<R> {
    return this.#with({ kind: "starmap", fn: sentFunction(fn as AnyFunction, "starmap") });
  }

  /** Only the items of which `fn` says something true. */
  filter<A extends readonly unknown[]>(fn: (item: T, ...args: A) => unknown, ...args: A): Bag<T> {
    return this.#with({ kind: "filter", fn: sentFunction(fn as AnyFunction, "filter", args) });
  }

  /** Only the items of which `fn` says nothing true. */
  remove<A extends readonly unknown[]>(fn: (item: T, ...args: A) => unknown, ...args: A): Bag<T> {
    return this.#with({ kind: "remove", fn: sentFunction(fn as AnyFunction, "remove", args) });
  }

  /** The elements of the lists that `fn` makes of the items. */
  flatMap<R, A extends readonly unknown[]>(fn: (item: T, ...args: A) => Iterable<R>, ...args: A): Bag<R> {
    return this.#with({ kind: "flatMap", fn: sentFunction(fn as AnyFunction, "flatMap", args) });
  }

  /** A property of each item, or an element of it by its position. An item without it fails the run, unless there is a default. */
  pluck<const K extends keyof T & (string | number), D = never>(
    name: K,
    ...otherwise: [] | [D]
  ): Bag<T[K] | D> {
    assertName(name, "pluck");
    const given = otherwise.length === 0 ? {} : { otherwise: { value: otherwise[0] } };
    return this.#with({ kind: "pluck", name, ...given });
  }

  /** The elements of items that are lists. */
  flatten(): Bag<ElementOf<T>> {
    return this.#with({ kind: "flatten" });
  }

  /**
   * What `fn` makes of many items at once, such as one request for all of them; it may be async. Calls of one worker run one after the
   * other.
   *
   * @param options.items items of a call, at most; 10,000 without it
   */
  mapPartitions<R>(
    fn: (items: T[]) => Iterable<R> | Promise<Iterable<R>>,
    options: { readonly items?: number } = {},
  ): Bag<R> {
    assertOptions(options, { items: true }, "mapPartitions");
    const items = countFrom(options.items ?? 10_000, "The option items of mapPartitions", 1);
    return this.#with({ kind: "mapPartitions", fn: sentFunction(fn as AnyFunction, "mapPartitions"), items });
  }

  /** A running result: `fn` takes the one before and an item. Items are worked on in order, so that one worker is busy at a time. */
  accumulate<R>(fn: (before: R, item: T) => R, initial: R): Bag<R> {
    return this.#with({ kind: "accumulate", fn: sentFunction(fn as AnyFunction, "accumulate"), initial });
  }

  /** Each item with a probability. The same seed draws the same items of the same files. */
  sample(fraction: number, options: { readonly seed?: number } = {}): Bag<T> {
    assertOptions(options, { seed: true }, "sample");
    if (!(fraction >= 0 && fraction <= 1))
      throw new PawlError(
        "bag.fraction",
        `The fraction of sample must be from 0 to 1, not ${shown(fraction)}.`,
      );
    return this.#with({ kind: "sample", fraction, seed: seedFrom(options.seed) });
  }

  /** One of each set of equal items, or of items with equal keys: the first. Equal are those whose values are. */
  distinct<const B extends KeyOf<T, unknown>>(by?: B): Bag<T> {
    return this.#with({
      kind: "distinct",
      by: by === undefined ? { kind: "item" } : sentKey(by, "distinct"),
    });
  }

  /** Each item that there is, with how often there is an equal one. */
  frequencies(): Bag<[T, number]> {
    return this.#with({ kind: "frequencies" });
  }

  /** The items with equal keys, in order. Those of one key must fit into memory: where they need not be together, use `foldBy`. */
  groupBy<const B extends KeyOf<T, unknown>>(by: B): Bag<[KeyValue<T, B>, T[]]> {
    return this.#with({ kind: "groupBy", by: sentKey(by, "groupBy") });
  }

  /**
   * The items of each key folded into one value. `fn` takes the value so far and an item, `combine` two values. Many values of a key may begin
   * with `initial`, so it must change nothing, as 0 does for a sum.
   */
  foldBy<const B extends KeyOf<T, unknown>, V>(
    by: B,
    fn: (value: V, item: T) => V,
    initial: V,
    combine: (one: V, other: V) => V,
  ): Bag<[KeyValue<T, B>, V]> {
    return this.#with({
      kind: "foldBy",
      by: sentKey(by, "foldBy"),
      fn: sentFunction(fn as AnyFunction, "foldBy"),
      initial: structuredClone(initial),
      combine: sentFunction(combine as AnyFunction, "foldBy"),
    });
  }

  /** Pairs of an item and each item of another bag with an equal key. */
  join<O, const B extends KeyOf<T, unknown>, const C extends KeyOf<O, unknown>>(
    other: Bag<O>,
    by: B,
    otherBy: C,
  ): Bag<[T, O]> {
    assertBag(other, "join");
    return this.#with({
      kind: "join",
      other: other.plan,
      by: sentKey(by, "join"),
      otherBy: sentKey(otherBy, "join"),
    });
  }

  /** Pairs of items of two bags in the same place. Both need as many. */
  zip<O>(other: Bag<O>): Bag<[T, O]> {
    assertBag(other, "zip");
    return this.#with({ kind: "zip", other: other.plan });
  }

  /** How many items there are. */
  async count(options: BagRunOptions = {}): Promise<BagResult<number>> {
    return await this.#result({ kind: "count" }, options, async (parts) => {
      let count = 0;
      for await (const part of parts) if (part.kind === "count") count += part.count;
      return count;
    });
  }

  /** All items in memory, in order; refused where they are more than it has room for. */
  async collect(options: BagRunOptions = {}): Promise<BagResult<T[]>> {
    return await this.#items({ kind: "items" }, Number.POSITIVE_INFINITY, options, "All items");
  }

  /** The first items in order. What comes after them is not read. */
  async take(count: number, options: BagRunOptions = {}): Promise<BagResult<T[]>> {
    countFrom(count, "The count of take", 0);
    return await this.#items({ kind: "take", count }, count, options, "The items of take");
  }

  /** So many items at random, each with the same chance; in no order. */
  async takeSample(
    count: number,
    options: BagRunOptions & { readonly seed?: number } = {},
  ): Promise<BagResult<T[]>> {
    countFrom(count, "The count of takeSample", 0);
    const { seed, ...run } = options;
    return await this.#result({ kind: "draw", count, seed: seedFrom(seed) }, run, async (parts) => {
      let held: readonly Drawn[] = [];
      for await (const part of parts)
        if (part.kind === "drawn") held = lowest([...held, ...part.drawn], count);
      return held.map(([, item]) => item as T);
    });
  }

  /** The items one after the other, in order, as they are asked for. Leaving the loop stops the run. */
  async *items(options: BagRunOptions = {}): AsyncGenerator<T, void, undefined> {
    assertOptions(options, RUN_OPTIONS, "items");
    await using run = new BagRun(runSettings(options));
    for await (const part of run.collected(this.#plan, { kind: "items" }))
      if (part.kind === "items")
        for (const block of readSegments(part.segments)) yield* block as readonly T[];
    await run.finish();
  }

  /** The sum of numbers, exact to the last digit that a sum can have; null of nothing. */
  async sum(this: Bag<number>, options?: BagRunOptions): Promise<BagResult<number | null>>;
  async sum(this: Bag<bigint>, options?: BagRunOptions): Promise<BagResult<bigint | null>>;
  async sum(options: BagRunOptions = {}): Promise<BagResult<number | bigint | null>> {
    return await this.#summed(options, sumOf);
  }

  /** The mean of numbers; null of nothing. */
  async mean(this: Bag<number>, options: BagRunOptions = {}): Promise<BagResult<number | null>> {
    return await this.#summed(options, (sum) => {
      const total = sumOf(sum);
      return total === null ? null : Number(total) / sum.count;
    });
  }

  /** The least of numbers or texts, or the item for which `by` gives the least; null of nothing. Of equal ones, the first. */
  async min(by?: KeyOf<T, Comparable>, options: BagRunOptions = {}): Promise<BagResult<T | null>> {
    return first(await this.#ranked(1, by, true, options, "min"));
  }

  /** The greatest, in the same way. */
  async max(by?: KeyOf<T, Comparable>, options: BagRunOptions = {}): Promise<BagResult<T | null>> {
    return first(await this.#ranked(1, by, false, options, "max"));
  }

  /** The greatest items, or those for which `by` gives the most, from the greatest on. Of equal ones, the first. */
  async topk(count: number, by?: KeyOf<T, Comparable>, options: BagRunOptions = {}): Promise<BagResult<T[]>> {
    countFrom(count, "The count of topk", 0);
    return await this.#ranked(count, by, false, options, "topk");
  }

  /** Whether an item is true, or `fn` says so of one. What comes after the first is not read. */
  async any(fn?: (item: T) => unknown, options: BagRunOptions = {}): Promise<BagResult<boolean>> {
    return await this.#found("any", fn, options);
  }

  /** Whether all items are true, or `fn` says so of them. What comes after the first that is not, is not read. */
  async all(fn?: (item: T) => unknown, options: BagRunOptions = {}): Promise<BagResult<boolean>> {
    return await this.#found("all", fn, options);
  }

  /**
   * All items folded into one value, in order. `fn` takes the value so far and an item. Each part of the input begins with `initial`, so it must
   * change nothing, as 0 does for a sum; `combine` makes one value of two, of parts that follow each other.
   */
  async fold<V>(
    fn: (value: V, item: T) => V,
    initial: V,
    combine: (one: V, other: V) => V,
    options: BagRunOptions = {},
  ): Promise<BagResult<V>> {
    const sent = sentFunction(combine as AnyFunction, "fold");
    const collector: Collector = { kind: "fold", fn: sentFunction(fn as AnyFunction, "fold"), initial };
    return await this.#result(collector, options, async (parts, run) => {
      const states: unknown[] = [];
      for await (const part of parts) {
        if (part.kind !== "folded" || part.empty) continue;
        states.push(part.value);
        // In between, so that the states of very many parts take no memory.
        if (states.length >= 256) states.splice(0, states.length, await run.fold(sent, states));
      }
      return (states.length === 0 ? initial : await run.fold(sent, states)) as V;
    });
  }

  /**
   * Writes each item as a line of JSON: into a file, or, where the path ends in `/`, into files of a new folder, which is faster. Nothing is there
   * before all is. `.gz` and `.zst` at the end of a file's name compress it.
   */
  async writeJsonl(path: string, options: BagWriteOptions = {}): Promise<WrittenBag> {
    return await writeBag(this.#plan, "jsonl", path, options);
  }

  /** Writes each item, which is a text, as a line, in the same way. */
  async writeLines(this: Bag<string>, path: string, options: BagWriteOptions = {}): Promise<WrittenBag> {
    return await writeBag(this.plan, "lines", path, options);
  }

  /**
   * A frame of the items, which have to fit the schema: what is missing is null, what is not in the schema is left out. The run is made now, and
   * its rows are kept on disk where they are many.
   *
   * @throws PawlError `data.schema`; `bag.schema` for an item that does not fit, and what else a run throws
   * @example
   * ```ts
   * import { int32, text } from "pawl/data";
   *
   * const lengths = bag.of(["a", "bb"]).map((word) => ({ word, length: word.length }));
   * const frame = await lengths.toFrame({ word: text(), length: int32() });
   * console.log(await frame.count()); // 2
   * ```
   */
  async toFrame<const S extends FrameSchema>(schema: S, options: BagRunOptions = {}): Promise<Frame<S>> {
    const fields = sentFields(fieldsOf(schema, "toFrame()"));
    const rows = this.#with<Row<S>>({ kind: "fit", fields }).items(options);
    return (await fromRows(schema, rows as never)) as unknown as Frame<S>;
  }

  async #summed<R>(options: BagRunOptions, of: (sum: typeof NO_SUM) => R): Promise<BagResult<R>> {
    return await this.#result({ kind: "sum" }, options, async (parts) => {
      let sum = NO_SUM;
      for await (const part of parts) if (part.kind === "sum") sum = added(sum, part.sum);
      return of(sum);
    });
  }

  async #ranked(
    count: number,
    by: KeyOf<T, Comparable> | undefined,
    least: boolean,
    options: BagRunOptions,
    method: string,
  ): Promise<BagResult<T[]>> {
    const key: SentKey = by === undefined ? { kind: "item" } : sentKey(by, method);
    return await this.#result({ kind: "top", count, by: key, least, method }, options, async (parts) => {
      let held: readonly Ranked[] = [];
      for await (const part of parts)
        if (part.kind === "top") held = foremost([...held, ...part.top], count, least);
      return held.map(([, item]) => item as T);
    });
  }

  async #found(
    kind: "any" | "all",
    fn: ((item: T) => unknown) | undefined,
    options: BagRunOptions,
  ): Promise<BagResult<boolean>> {
    const sent = fn === undefined ? null : sentFunction(fn as AnyFunction, kind);
    return await this.#result({ kind, fn: sent }, options, async (parts) => {
      for await (const part of parts) if (part.kind === "found" && part.found) return kind === "any";
      return kind === "all";
    });
  }

  async #items(
    collector: Collector,
    most: number,
    options: BagRunOptions,
    what: string,
  ): Promise<BagResult<T[]>> {
    return await this.#result(collector, options, async (parts, run) => {
      const items: T[] = [];
      let bytes = 0;
      for await (const part of parts) {
        if (part.kind !== "items") continue;
        for (const segment of part.segments) {
          bytes += segment.bytes;
          assertRoom(
            bytes,
            run.settings,
            what,
            "ask for fewer, write them to files, or go through them with items()",
          );
          const block =
            segment.at instanceof Uint8Array
              ? (deserialize(segment.at) as T[])
              : [...readSegments([segment])].flat();
          for (const item of block) if (items.length < most) items.push(item as T);
        }
        if (items.length >= most) break;
      }
      return items;
    });
  }

  async #result<R>(
    collector: Collector,
    options: BagRunOptions,
    reduce: (parts: ReturnType<BagRun["collected"]>, run: BagRun) => Promise<R>,
  ): Promise<BagResult<R>> {
    assertOptions(options, RUN_OPTIONS, "a run of a bag");
    await using run = new BagRun(runSettings(options));
    const value = await reduce(run.collected(this.#plan, collector), run);
    const counts = await run.finish();
    return { value, ...counts, complete: run.complete };
  }

  #with<R>(step: BagStep): Bag<R> {
    return new Bag({ source: this.#plan.source, steps: [...this.#plan.steps, step] });
  }
}

/**
 * A bag of rows with declared columns: beside functions it takes expressions, which know the columns and their types. Once a function has made
 * something else of the rows, it is a plain bag.
 *
 * @example
 * ```ts
 * import { text } from "pawl/data";
 *
 * const logs = bag.jsonl("logs/*.jsonl", { schema: { level: text(), message: text() } });
 * const messages = logs.where((row) => row.level.eq("ERROR")).pluck("message").frequencies();
 * ```
 */
export class RowBag<S extends FrameSchema> extends Bag<Row<S>> {
  readonly #fields: readonly ColumnField[];

  /** Not called by programs: use `bag.jsonl` with a schema. */
  constructor(plan: Plan, fields: readonly ColumnField[]) {
    super(plan);
    this.#fields = fields;
  }

  /**
   * Only the rows for which a condition is true; where it is null, a row is left out.
   *
   * @throws PawlError `data.column`, `data.types`, and `bag.expression` for what bags do not evaluate
   */
  where(condition: (row: Columns<S>) => Condition): RowBag<S> {
    const node = nodeOf(condition(columnsProxy<S>(this.#fields)));
    if (node.type.kind !== "bool")
      throw new PawlError("data.types", `where() needs a condition, not a value of ${node.type.kind}.`);
    evaluator(node);
    // Types of columns are classes, which do not reach a worker as such.
    const plain = JSON.parse(JSON.stringify(node)) as typeof node;
    return this.#and({ kind: "where", condition: plain }, this.#fields);
  }

  /** Only these columns. */
  select<const C extends keyof S & string>(...names: readonly C[]): RowBag<Pick<S, C>> {
    const fields = names.map((name) => fieldNamed(name, this.#fields));
    return this.#and({ kind: "select", names: [...names] }, fields);
  }

  #and<R extends FrameSchema>(step: BagStep, fields: readonly ColumnField[]): RowBag<R> {
    const { source, steps } = this.plan;
    return new RowBag<R>({ source, steps: [...steps, step] }, fields);
  }
}

/** Where bags begin. */
export const bag = {
  /**
   * The values of files with a JSON value on each line, by paths and globs; `.gz` and `.zst` are unpacked. `T` says what the values are
   * and is not checked.
   *
   * @example
   * ```ts
   * import { writeFileSync } from "node:fs";
   *
   * writeFileSync("app.jsonl", '{"level":"ERROR","message":"no disk"}\n{"level":"INFO","message":"hello"}\n{"level":');
   * const logs = bag.jsonl<{ level: string; message: string }>("app.jsonl", { malformed: "drop" });
   * const { value, malformed } = await logs.filter((r) => r.level === "ERROR").pluck("message").collect();
   * console.log(value, malformed); // [ 'no disk' ] 1
   * ```
   * @throws PawlError `argument.option`, `bag.malformed-option`; results: `bag.missing`, `bag.malformed`, `bag.changed` and others
   */
  jsonl,

  /**
   * The lines of files as texts, without their line ends.
   *
   * @throws as `jsonl`
   */
  lines,

  /**
   * The malformed lines that a quarantine file holds, once their `text` is fixed there: as `jsonl` gives them.
   *
   * @throws as `jsonl`
   */
  replay,

  /**
   * Items of the program, which go to the workers a few at a time. An array is taken as it is now.
   *
   * @throws PawlError `bag.not-iterable`
   */
  of<T>(items: Iterable<T> | AsyncIterable<T>): Bag<T> {
    const given = Object(items) as object;
    if (typeof items === "string" || !(Symbol.iterator in given || Symbol.asyncIterator in given))
      throw new PawlError(
        "bag.not-iterable",
        `bag.of takes a list or another iterable, not ${shown(items)}.`,
      );
    return new Bag({
      source: { kind: "items", items: Array.isArray(items) ? [...items] : items },
      steps: [],
    });
  },
};

/** With a schema, each value is an object that has its columns. */
export interface SchemaOption<S extends FrameSchema> {
  /**
   * The columns that the values of lines must have. What is missing is null, what is not in the schema is left out, and a line with a value that
   * does not fit is malformed.
   * @default values may be anything
   */
  readonly schema: S;
}

/** Without one, values are what their lines hold. */
interface NoSchema {
  readonly schema?: undefined;
}

function jsonl<const S extends FrameSchema>(
  paths: string | readonly string[],
  options: BagSourceOptions & SchemaOption<S> & { readonly includePath?: false },
): RowBag<S>;
function jsonl<T = unknown>(
  paths: string | readonly string[],
  options: BagSourceOptions & NoSchema & { readonly includePath: true },
): Bag<[item: T, path: string]>;
function jsonl<T = unknown>(
  paths: string | readonly string[],
  options?: BagSourceOptions & NoSchema & { readonly includePath?: false },
): Bag<T>;
function jsonl(
  paths: string | readonly string[],
  options: BagSourceOptions & { readonly schema?: FrameSchema | undefined } = {},
): Bag<unknown> {
  return begun("jsonl", "jsonl", paths, options);
}

function replay<const S extends FrameSchema>(
  path: string,
  options: BagSourceOptions & SchemaOption<S> & { readonly includePath?: false },
): RowBag<S>;
function replay<T = unknown>(
  path: string,
  options: BagSourceOptions & NoSchema & { readonly includePath: true },
): Bag<[item: T, path: string]>;
function replay<T = unknown>(
  path: string,
  options?: BagSourceOptions & NoSchema & { readonly includePath?: false },
): Bag<T>;
function replay(
  path: string,
  options: BagSourceOptions & { readonly schema?: FrameSchema | undefined } = {},
): Bag<unknown> {
  return begun("replay", "replay", path, options);
}

function lines(
  paths: string | readonly string[],
  options: BagSourceOptions & { readonly includePath: true },
): Bag<[line: string, path: string]>;
function lines(
  paths: string | readonly string[],
  options?: BagSourceOptions & { readonly includePath?: false },
): Bag<string>;
function lines(paths: string | readonly string[], options: BagSourceOptions = {}): Bag<unknown> {
  return begun("lines", "lines", paths, options);
}

/** A bag of lines, checked at the call. */
function begun(
  kind: "lines" | "jsonl" | "replay",
  method: string,
  paths: string | readonly string[],
  options: BagSourceOptions & { readonly schema?: FrameSchema | undefined },
): Bag<unknown> {
  const what = `bag.${method}`;
  const names = kind === "lines" ? SOURCE_OPTIONS : { ...SOURCE_OPTIONS, schema: true };
  assertOptions(options, names as OptionNames<BagSourceOptions & { schema?: FrameSchema | undefined }>, what);
  const given = typeof paths === "string" ? [paths] : paths;
  if (!Array.isArray(given) || given.length === 0)
    throw new PawlError("bag.no-match", `${what} was given no path: name at least one file.`);
  for (const path of given) assertText(path, `A path of ${what}`);
  const { schema, includePath = false } = options;
  const columns = schema === undefined ? null : fieldsOf(schema, what);
  const lines = {
    malformed: malformedFrom(options.malformed, what),
    includePath,
    fields: columns === null ? null : sentFields(columns),
  };
  const source: BagSource =
    kind === "replay"
      ? { kind, path: given[0] as string, ...lines }
      : { kind, paths: [...given] as string[], ...lines };
  const plan = { source, steps: [] };
  return columns === null || includePath ? new Bag(plan) : new RowBag(plan, columns);
}

function sentKey(by: unknown, method: string): SentKey {
  if (typeof by === "function") return { kind: "function", fn: sentFunction(by as AnyFunction, method) };
  assertName(by, method);
  return { kind: "name", name: by, method };
}

function assertName(name: unknown, method: string): asserts name is string | number {
  if (typeof name === "string" || typeof name === "number") return;
  throw new PawlError(
    "bag.name",
    `${method} takes the name of a property, or a position, not ${shown(name)}.`,
  );
}

function assertBag(other: unknown, method: string): void {
  if (other instanceof Bag) return;
  throw new PawlError(
    "bag.not-bag",
    `${method} takes another bag, not ${shown(other)}: make one with bag.of.`,
  );
}

function countFrom(count: number, what: string, least: number): number {
  if (Number.isSafeInteger(count) && count >= least) return count;
  throw new PawlError(
    "bag.count",
    `${what} must be a whole number, at least ${least}, not ${quoted(count)}.`,
  );
}

/** Without a seed, the draw is another one each time. */
function seedFrom(seed: number | undefined): number {
  if (seed === undefined) return Math.floor(Math.random() * 2 ** 32);
  if (Number.isSafeInteger(seed)) return seed;
  throw new PawlError("bag.seed", `A seed must be a whole number, not ${quoted(seed)}.`);
}

function first<T>(result: BagResult<T[]>): BagResult<T | null> {
  return { ...result, value: result.value[0] ?? null };
}
