import { assertOptions, quoted } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import { type AnyFunction, referenceTo } from "../../pool/internal.ts";
import type { GraphFormat } from "../graph/description.ts";
import { drawGraph } from "../graph/draw.ts";
import { takeArguments } from "./arguments.ts";
import { DelayedCall } from "./call.ts";
import { type ComputeOptions, computeCalls } from "./compute.ts";
import { planFor } from "./plan.ts";

declare const kindOfResult: unique symbol;

/**
 * A call that is made when its result is asked for, by `compute` or as an argument of another delayed call.
 *
 * @example
 * ```ts
 * const square = delayed((x: number) => x * x, { name: "square" });
 * const sum = delayed((a: number, b: number) => a + b, { name: "sum" });
 * const nine: Delayed<number> = square(3);
 * console.log(await sum(nine, nine).compute()); // 18
 * ```
 */
export interface Delayed<out T> {
  /** For the compiler alone: what `compute` gives. */
  readonly [kindOfResult]: T;
  /** Of the function, or as it was given to `delayed`. */
  readonly name: string;
  /**
   * Makes this call and those it needs, each once: in workers, as many at once as can be made. A result is let go of when no
   * call needs it any more. Computed again, all calls are made again.
   *
   * @throws DelayedError `delayed.failed` with what a function threw as its cause; PawlError `delayed.option`, `argument.option`,
   * `argument.size`, `argument.duration`, `pool.option` for an option that cannot be; TransientError `delayed.spill` where results that wait
   * cannot be written to files; `pool.closed`; the reason of an aborted `signal`
   */
  compute(options?: ComputeOptions): Promise<T>;
  /**
   * Draws the calls that this one needs, by name: as a picture, or in the language of Graphviz or Mermaid. Nothing is computed.
   *
   * @throws PawlError `graph.format` for another format, `graph.size` for a picture of more than 1,000 calls
   * @example
   * ```ts
   * const square = delayed((x: number) => x * x, { name: "square" });
   * console.log(square(square(2)).graph("dot"));
   * ```
   */
  graph(format: GraphFormat): string;
}

/** One less, for the compiler. */
type Less = readonly [never, 0, 1, 2, 3];

/**
 * What a delayed call takes in the place of a `T`: one, a delayed one, or an array or object with delayed values in it. The compiler looks
 * four levels deep, since types such as that of JSON have no end.
 */
export type Delayable<T, Levels extends number = 4> =
  | T
  | Delayed<T>
  | (Levels extends 0
      ? never
      : T extends object
        ? { readonly [K in keyof T]: Delayable<T[K], Less[Levels]> }
        : never);

/** How a function is delayed. */
export interface DelayedOptions<A extends readonly unknown[]> {
  /**
   * What its calls are called in errors and in pictures.
   * @default the name of the function, or the beginning of its text
   */
  readonly name?: string;
  /**
   * The key of a call, made from its arguments: calls with the same key are one call, which the first of them is.
   * @default each call is one of its own, whatever its arguments
   */
  readonly key?: (...args: { [K in keyof A]: Delayable<A[K]> }) => string;
}

/**
 * Makes a function one whose calls are delayed: a call gives a `Delayed`, which other such calls take as an argument, also inside
 * arrays and plain objects. So programs of plain functions become graphs, whose calls run side by side on all cores.
 *
 * The function is one that a pool takes: a `callable` of a module, or an inline one that uses nothing from outside. Arguments are
 * copied at the call, as sending them to a worker would: what becomes of them later changes nothing. Large ones that many
 * calls share are better `put` once, so that each is sent a ref.
 *
 * @throws PawlError `pool.captured` and the like for a function that cannot reach a worker, `argument.option`, `delayed.option`; each call
 * `delayed.argument` for an argument that cannot be sent to one, `delayed.key` for a key that is not a text
 * @example
 * ```ts
 * const parse = delayed((text: string) => text.split(",").map(Number), { name: "parse" });
 * const total = delayed((lists: number[][]) => lists.flat().reduce((a, b) => a + b, 0), { name: "total" });
 * console.log(await total([parse("1,2"), parse("3,4")]).compute()); // 10
 * ```
 */
export function delayed<A extends readonly unknown[], R>(
  fn: (...args: A) => R,
  options: DelayedOptions<A> = {},
): (...args: { [K in keyof A]: Delayable<A[K]> }) => Delayed<Awaited<R>> {
  assertOptions(options, { name: true, key: true }, "delayed");
  referenceTo(fn as AnyFunction, "delayed");
  const { name = nameOf(fn), key } = options;
  if (typeof name !== "string") refuse("name", "a text", name);
  if (key !== undefined && typeof key !== "function") refuse("key", "a function", key);
  const make = (args: readonly unknown[]) =>
    new DelayedResult(name, fn as AnyFunction, takeArguments(name, args)) as unknown as Delayed<Awaited<R>>;
  if (key === undefined) return (...args) => make(args);
  const known = new Map<string, Delayed<Awaited<R>>>();
  return (...args) => {
    const text: unknown = key(...args);
    if (typeof text !== "string") {
      const sentence = `The key of the delayed ${name} must be a text, not ${quoted(text)}.`;
      throw new PawlError("delayed.key", sentence);
    }
    const made = known.get(text) ?? make(args);
    known.set(text, made);
    return made;
  };
}

/** Characters of the text of a function without a name that stand for it. */
const SHOWN_TEXT = 40;

function nameOf(fn: unknown): string {
  if (typeof fn !== "function") return "";
  // A class may have a static member of that name.
  if (typeof fn.name === "string" && fn.name !== "") return fn.name;
  const text = Function.prototype.toString.call(fn).replace(/\s+/g, " ");
  return text.length > SHOWN_TEXT ? `${text.slice(0, SHOWN_TEXT).toWellFormed()}…` : text;
}

function refuse(option: string, wanted: string, given: unknown): never {
  throw new PawlError(
    "delayed.option",
    `The option ${option} of delayed must be ${wanted}, not ${quoted(given)}.`,
  );
}

/** A delayed call with the methods that users see. */
class DelayedResult extends DelayedCall {
  async compute(options: ComputeOptions = {}): Promise<unknown> {
    const [result] = await computeCalls([this], options);
    return result;
  }

  graph(format: GraphFormat): string {
    const { calls, users } = planFor([this]);
    const nodes = calls.map(({ name }, number) => ({
      id: String(number),
      label: name,
      kind: "plain" as const,
    }));
    const edges = users.flatMap((all, from) => all.map((to) => ({ from: String(from), to: String(to) })));
    return drawGraph({ nodes, edges }, format);
  }
}
