import type { AnyFunction } from "../callable/callable.ts";
import { referenceTo } from "../callable/reference.ts";
import { checkMapOptions, checkOptions, limitFrom, type MapOptions } from "../options.ts";
import { batchSize, Cost, speedUp } from "./cost.ts";
import { type Stopper, SubmittedWork } from "./submit.ts";
import type { Call } from "./work.ts";

/** What a call decided, and by which figures. */
export interface FunctionExplanation {
  readonly function: string;
  /** Items that ran in the caller's thread, and in workers. */
  readonly inline: number;
  readonly parallel: number;
  readonly itemMs: number | null;
  readonly transportMs: number | null;
  readonly chunk: number;
  readonly workers: number;
  /** Expected of workers over one thread. */
  readonly speedUp: number | null;
  readonly why: string;
}

type FunctionKey = AnyFunction | string;

/** A function with options, and its calls that were submitted. */
interface Known {
  readonly call: Call;
  readonly submitted: SubmittedWork;
}

/** Where the items of a function ran. */
export interface Account {
  /** Of the function. */
  readonly name: string;
  inline: number;
  parallel: number;
  why: string;
}

let calls = 0;

const CALL_OPTIONS = ["timeout", "crashRetries", "chunkSize"];
const MAP_OPTIONS = [...CALL_OPTIONS, "signal", "errors"];

/** What a pool knows of the functions it was given: how they reach a worker, what they cost, where their items ran. */
export class FunctionRegistry {
  readonly #stopper: Stopper;
  readonly #known = new Map<FunctionKey, Map<string, Known>>();
  /** Those without options, which most calls are: all else need not be asked again for each. */
  readonly #plain = new WeakMap<AnyFunction, Known>();
  readonly #plainSpread = new WeakMap<AnyFunction, Known>();
  readonly #costs = new Map<FunctionKey, Cost>();
  readonly #accounts = new Map<FunctionKey, Account>();

  constructor(stopper: Stopper) {
    this.#stopper = stopper;
  }

  /** The function as `method` of the pool calls it with these options. Throws a PawlError when it cannot reach a worker. */
  find(fn: AnyFunction, method: string, options: MapOptions): Known {
    const spread = method === "submit" || method === "starmap";
    checkOptions(options, `pool.${method}`, method === "submit" ? CALL_OPTIONS : MAP_OPTIONS);
    const plain = isPlain(options) ? (spread ? this.#plainSpread : this.#plain) : null;
    const seen = plain?.get(fn);
    if (seen !== undefined) return seen;
    const known = this.#knownWith(fn, method, spread, options);
    plain?.set(fn, known);
    return known;
  }

  #knownWith(fn: AnyFunction, method: string, spread: boolean, options: MapOptions): Known {
    checkMapOptions(options);
    const { timeout, crashRetries = 0, chunkSize = null } = options;
    const limit = limitFrom(timeout);
    const key = `${spread} ${limit?.soft} ${limit?.hard} ${crashRetries} ${chunkSize}`;
    const reference = referenceTo(fn, `pool.${method}`);
    const functionKey = keyOf(fn);
    const ofFunction = this.#known.get(functionKey) ?? new Map<string, Known>();
    this.#known.set(functionKey, ofFunction);
    const known = ofFunction.get(key);
    if (known !== undefined) return known;
    const call: Call = {
      number: ++calls,
      reference,
      name: fn.name,
      spread,
      limit,
      crashRetries,
      chunkSize,
      cost: this.#costOf(functionKey),
    };
    const made = { call, submitted: new SubmittedWork(call, this.#stopper) };
    ofFunction.set(key, made);
    return made;
  }

  account(fn: AnyFunction): Account {
    const key = keyOf(fn);
    const known = this.#accounts.get(key);
    if (known !== undefined) return known;
    const account = { name: fn.name, inline: 0, parallel: 0, why: "it was submitted" };
    this.#accounts.set(key, account);
    return account;
  }

  /** What was decided for each function so far, and why. */
  explain(workers: number): FunctionExplanation[] {
    return [...this.#accounts].map(([key, { name, inline, parallel, why }]) => {
      const cost = this.#costs.get(key) ?? new Cost();
      return {
        function: name === "" ? "(anonymous)" : name,
        inline,
        parallel,
        itemMs: cost.itemMs,
        transportMs: cost.transportMs,
        chunk: batchSize(cost, null, Number.POSITIVE_INFINITY, workers),
        workers,
        speedUp: speedUp(cost, workers),
        why,
      };
    });
  }

  #costOf(key: FunctionKey): Cost {
    const known = this.#costs.get(key);
    if (known !== undefined) return known;
    const cost = new Cost();
    this.#costs.set(key, cost);
    return cost;
  }
}

/** Whether they say nothing of how the function is called. */
function isPlain({ timeout, crashRetries, chunkSize, signal }: MapOptions): boolean {
  return (
    timeout === undefined && crashRetries === undefined && chunkSize === undefined && signal === undefined
  );
}

/** Functions made anew for each call, of one text, are one function to a pool. */
function keyOf(fn: AnyFunction): FunctionKey {
  const reference = referenceTo(fn, "a pool");
  return reference.kind === "inline" ? reference.source : fn;
}
