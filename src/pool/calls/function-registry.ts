import type { AnyFunction } from "../callable/callable.ts";
import { type FunctionReference, referenceTo } from "../callable/reference.ts";
import { checkMapOptions, checkOptions, limitFrom, type MapOptions } from "../options.ts";
import { Cost, chunkSizeFor, speedUp } from "./cost.ts";
import { type Stopper, SubmittedWork } from "./submit.ts";
import type { Call } from "./work-queue.ts";

/** What a pool decided for one function, and by which figures. */
export interface FunctionExplanation {
  /** Its name, or "(anonymous)". */
  readonly function: string;
  /** Items that ran in the caller's thread. */
  readonly inline: number;
  /** Items that ran in workers, or were given to them. */
  readonly parallel: number;
  /** Milliseconds that an item takes to run; null before the first. */
  readonly itemMs: number | null;
  /** Milliseconds that the caller's thread needs to send an item and to receive its result; null while nothing was sent. */
  readonly transportMs: number | null;
  /** Items that a worker would be sent together. */
  readonly chunkSize: number;
  /** Workers that the pool may have. */
  readonly workers: number;
  /** How many times as fast workers are expected to be as one thread; null while nothing is measured. */
  readonly speedUp: number | null;
  /** Why its items run where they do, in words. */
  readonly why: string;
}

type FunctionKey = AnyFunction | string;

/** Where the items of a function ran. */
export interface FunctionAccount {
  /** Of the function. */
  readonly name: string;
  inline: number;
  parallel: number;
  why: string;
}

/** A function with options, and its calls that were submitted. */
interface KnownCall {
  readonly call: Call;
  readonly submitted: SubmittedWork;
  readonly account: FunctionAccount;
}

/** What is known of a function, whatever it is called with. */
interface KnownFunction {
  readonly cost: Cost;
  readonly account: FunctionAccount;
  /** By their options, as text. */
  readonly calls: Map<string, KnownCall>;
}

let calls = 0;

const CALL_OPTIONS = ["timeout", "crashRetries", "chunkSize"];
const MAP_OPTIONS = [...CALL_OPTIONS, "signal", "errors"];

/** What a pool knows of the functions it was given: how they reach a worker, what they cost, where their items ran. */
export class FunctionRegistry {
  readonly #stopper: Stopper;
  readonly #functions = new Map<FunctionKey, KnownFunction>();
  /** Those without options, which most calls are: all else need not be asked again for each. */
  readonly #plain = new WeakMap<AnyFunction, KnownCall>();
  readonly #plainSpread = new WeakMap<AnyFunction, KnownCall>();

  constructor(stopper: Stopper) {
    this.#stopper = stopper;
  }

  /** The function as `method` of the pool calls it with these options. Throws a PawlError when it cannot reach a worker. */
  find(fn: AnyFunction, method: string, options: MapOptions): KnownCall {
    const spread = method === "submit" || method === "starmap";
    checkOptions(options, `pool.${method}`, method === "submit" ? CALL_OPTIONS : MAP_OPTIONS);
    const plain = isPlain(options) ? (spread ? this.#plainSpread : this.#plain) : null;
    const seen = plain?.get(fn);
    if (seen !== undefined) return seen;
    const known = this.#findWith(fn, method, spread, options);
    plain?.set(fn, known);
    return known;
  }

  /** What was decided for each function so far, and why. */
  explain(workers: number): FunctionExplanation[] {
    return [...this.#functions.values()].map(({ cost, account: { name, inline, parallel, why } }) => ({
      function: name === "" ? "(anonymous)" : name,
      inline,
      parallel,
      itemMs: cost.itemMs,
      transportMs: cost.transportMs,
      chunkSize: chunkSizeFor(cost, null, Number.POSITIVE_INFINITY, workers),
      workers,
      speedUp: speedUp(cost, workers),
      why,
    }));
  }

  #findWith(fn: AnyFunction, method: string, spread: boolean, options: MapOptions): KnownCall {
    checkMapOptions(options);
    const { timeout, crashRetries = 0, chunkSize = null } = options;
    const limit = limitFrom(timeout);
    const key = `${spread} ${limit?.soft} ${limit?.hard} ${crashRetries} ${chunkSize}`;
    const reference = referenceTo(fn, `pool.${method}`);
    const { cost, account, calls: known } = this.#functionOf(fn, reference);
    const found = known.get(key);
    if (found !== undefined) return found;
    const call: Call = {
      number: ++calls,
      reference,
      name: fn.name,
      spread,
      limit,
      crashRetries,
      chunkSize,
      cost,
    };
    const made = { call, submitted: new SubmittedWork(call, this.#stopper), account };
    known.set(key, made);
    return made;
  }

  /** Functions that are made again for each call, of one text, are one function to a pool. */
  #functionOf(fn: AnyFunction, reference: FunctionReference): KnownFunction {
    const key: FunctionKey = reference.kind === "inline" ? reference.source : fn;
    const known = this.#functions.get(key);
    if (known !== undefined) return known;
    const account = {
      name: fn.name,
      inline: 0,
      parallel: 0,
      why: "its calls were over before there was anything to decide",
    };
    const made = { cost: new Cost(), account, calls: new Map<string, KnownCall>() };
    this.#functions.set(key, made);
    return made;
  }
}

/** Whether they say nothing of how the function is called. */
function isPlain({ timeout, crashRetries, chunkSize, signal }: MapOptions): boolean {
  return (
    timeout === undefined && crashRetries === undefined && chunkSize === undefined && signal === undefined
  );
}
