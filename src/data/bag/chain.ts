import { quoted } from "../../arguments.ts";
import { errorReason } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import { suggest } from "../../near-names.ts";
import { own, setOwn } from "../../own.ts";
import { resolveReference } from "../../pool/internal.ts";
import { evaluator } from "./evaluate.ts";
import { RowFit, unfitItem } from "./fit.ts";
import { drawn } from "./key.ts";
import type { ItemStep, SentFunction, SentKey } from "./steps.ts";

/** Takes an item to the next step. */
export type Push = (item: unknown) => void;

/** What the steps of one part share. */
export class PartState {
  /** The file of the part, as its place among the bag's files: with the offset of a line it names the line. */
  file = 0;
  /** The offset of the line that is being worked on, or the position of the item. Asked for only where it is needed. */
  offset: () => number = () => 0;
  /** Items of this line that reached a step which draws. */
  drawnOfLine = 0;
  /** Items that reached the end, or the first step that holds items back. */
  arrived = 0;
  /** More items are of no use: the result has what it needs. */
  enough = false;
  /** What must be awaited before the next item: a function of mapPartitions that returned a promise. */
  waiting: Promise<void> | null = null;
  /** What `accumulate` has by now, one for each such step. */
  readonly states: unknown[];

  constructor(states: readonly unknown[] = []) {
    this.states = [...states];
  }

  /** Waits for what steps wait for. */
  async settle(): Promise<void> {
    while (this.waiting !== null) {
      const { waiting } = this;
      await waiting;
      if (this.waiting === waiting) this.waiting = null;
    }
  }
}

/** The steps of a part, composed. */
export interface Chain {
  readonly push: Push;
  /** After the last item: gives on what was held back. */
  readonly end: () => Promise<void>;
}

type Call = (...values: unknown[]) => unknown;

/** Finds a function again in this worker; what it throws becomes a `bag.function` that names the method. */
export async function received({ reference, method, args }: SentFunction): Promise<Call> {
  const fn = (await resolveReference(reference)) as unknown as Call;
  return (...values) => {
    try {
      return fn(...values, ...args);
    } catch (error) {
      throw failed(method, error);
    }
  };
}

/** The same for a function of one item, which is called most often and returns no promise. */
export async function receivedOne({
  reference,
  method,
  args,
}: SentFunction): Promise<(item: unknown) => unknown> {
  const fn = (await resolveReference(reference)) as unknown as Call;
  const [first, ...others] = args;
  const checked = (result: unknown) => (isThenable(result) ? refusePromise(method) : result);
  if (args.length === 0)
    return (item) => {
      try {
        return checked(fn(item));
      } catch (error) {
        throw failed(method, error);
      }
    };
  return (item) => {
    try {
      return checked(fn(item, first, ...others));
    } catch (error) {
      throw failed(method, error);
    }
  };
}

/** The key of an item as a function. */
export async function keyOf(key: SentKey): Promise<(item: unknown) => unknown> {
  if (key.kind === "item") return (item) => item;
  if (key.kind === "function") return await receivedOne(key.fn);
  return plucked(key.name, key.method);
}

function plucked(name: string | number, method: string, otherwise?: { readonly value: unknown }) {
  const key = String(name);
  return (item: unknown): unknown => {
    if (typeof item === "object" && item !== null) {
      const value = own(item as Record<string, unknown>, key);
      if (value !== undefined || Object.hasOwn(item, key)) return value;
    }
    if (otherwise !== undefined) return otherwise.value;
    throw new PawlError(
      "bag.property",
      `${lack(item, name)}, which ${method}(${JSON.stringify(name)}) takes${advice(method)}.`,
    );
  };
}

function lack(item: unknown, name: string | number): string {
  if (typeof item !== "object" || item === null)
    return `The item is ${quoted(item)} and has no property ${JSON.stringify(name)}`;
  if (Array.isArray(item))
    return `The item is a list of ${item.length} and has nothing at ${JSON.stringify(name)}`;
  const names = Object.keys(item);
  const few = names.slice(0, 20).map((each) => JSON.stringify(each));
  const near = typeof name === "string" ? suggest(name, names.slice(0, 1_000), "") : "";
  const has = names.length === 0 ? "nothing" : `${few.join(", ")}${names.length > few.length ? ", …" : ""}`;
  return `The item has no property ${JSON.stringify(name)} (${near || `it has ${has}`})`;
}

function advice(method: string): string {
  return method === "pluck" ? ": give a default as the second argument, or filter such items out before" : "";
}

/** Composes the steps, the last one first. `last` takes what comes out of them. */
export async function chainOf(steps: readonly ItemStep[], state: PartState, last: Push): Promise<Chain> {
  let next: Push = last;
  const ends: (() => Promise<void>)[] = [];
  let accumulating = state.states.length;
  for (const step of steps.toReversed()) {
    const to = next;
    switch (step.kind) {
      case "map": {
        const fn = await receivedOne(step.fn);
        next = (item) => to(fn(item));
        break;
      }
      case "starmap": {
        const fn = await received(step.fn);
        next = (item) => {
          if (!Array.isArray(item)) throw notList("starmap", item);
          const result = fn(...item);
          to(isThenable(result) ? refusePromise("starmap") : result);
        };
        break;
      }
      case "filter": {
        const fn = await receivedOne(step.fn);
        next = (item) => {
          if (fn(item)) to(item);
        };
        break;
      }
      case "remove": {
        const fn = await receivedOne(step.fn);
        next = (item) => {
          if (!fn(item)) to(item);
        };
        break;
      }
      case "flatMap": {
        const fn = await receivedOne(step.fn);
        next = (item) => each(fn(item), "flatMap", state, to);
        break;
      }
      case "where": {
        const condition = evaluator(step.condition);
        next = (item) => {
          if (condition(item as Record<string, unknown>) === true) to(item);
        };
        break;
      }
      case "select": {
        const { names } = step;
        next = (item) => {
          const row: Record<string, unknown> = {};
          for (const name of names) setOwn(row, name, own(item as Record<string, unknown>, name));
          to(row);
        };
        break;
      }
      case "fit": {
        const fit = new RowFit(step.fields);
        next = (item) => {
          let row: unknown;
          try {
            row = fit.row(item);
          } catch (error) {
            throw unfitItem(error, "toFrame");
          }
          to(row);
        };
        break;
      }
      case "flatten":
        next = (item) => each(item, "flatten", state, to);
        break;
      case "pluck": {
        const get = plucked(step.name, "pluck", step.otherwise);
        next = (item) => to(get(item));
        break;
      }
      case "sample": {
        const { fraction, seed } = step;
        next = (item) => {
          if (drawn(seed, state.file, state.offset(), state.drawnOfLine++) < fraction) to(item);
        };
        break;
      }
      case "accumulate": {
        const fn = await received(step.fn);
        const at = --accumulating;
        next = (item) => {
          state.states[at] = fn(state.states[at], item);
          if (isThenable(state.states[at])) refusePromise("accumulate");
          to(state.states[at]);
        };
        break;
      }
      case "mapPartitions": {
        const { push, end } = await partitions(step, state, to);
        next = push;
        ends.unshift(end);
        break;
      }
    }
  }
  return {
    push: next,
    end: async () => {
      for (const end of ends) await end();
    },
  };
}

/** Items are held until there are enough for a call, whose result may be a promise; calls run one after the other, in order. */
async function partitions(
  step: Extract<ItemStep, { kind: "mapPartitions" }>,
  state: PartState,
  to: Push,
): Promise<Chain> {
  const fn = await received(step.fn);
  let held: unknown[] = [];
  const give = (result: unknown) => each(result, "mapPartitions", state, to);
  const call = (items: unknown[]): Promise<void> | null => {
    const result = fn(items);
    if (!isThenable(result)) {
      give(result);
      return null;
    }
    return Promise.resolve(result).then(give, (error) => {
      throw failed("mapPartitions", error);
    });
  };
  const run = (items: unknown[]) => {
    const before = state.waiting;
    state.waiting = before === null ? call(items) : before.then(() => call(items) ?? undefined);
    // Awaited by the part before its next item.
    state.waiting?.catch(() => {});
  };
  return {
    push: (item) => {
      if (held.push(item) < step.items) return;
      const items = held;
      held = [];
      run(items);
    },
    end: async () => {
      if (held.length > 0) run(held);
      held = [];
      await state.settle();
    },
  };
}

/** Whether a step holds items back, so that what comes out later cannot be counted for the line that went in. */
export function holdsBack(step: ItemStep): boolean {
  return step.kind === "mapPartitions";
}

function each(items: unknown, method: string, state: PartState, to: Push): void {
  if (typeof items !== "object" || items === null || !(Symbol.iterator in items))
    throw notList(method, items);
  for (const item of items as Iterable<unknown>) {
    if (state.enough) return;
    to(item);
  }
}

function notList(method: string, item: unknown): PawlError {
  const [what, wanted] =
    method === "flatMap" || method === "mapPartitions"
      ? [`The function of ${method} returned`, "return a list"]
      : [
          `${method} needs items that are lists, and one is`,
          method === "flatten" ? "use flatMap to make lists of items" : "use map",
        ];
  return new PawlError("bag.not-list", `${what} ${quoted(item)}: ${wanted}.`);
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function"
  );
}

/** A promise is a value that is never false and never a number: a filter by one would keep everything. */
function refusePromise(method: string): never {
  throw new PawlError(
    "bag.promise",
    `The function of ${method} returned a promise: await in a function of mapPartitions, which may be async.`,
  );
}

function failed(method: string, error: unknown): unknown {
  // What the steps behind this one threw has its name already.
  if (error instanceof PawlError && error.code.startsWith("bag.")) return error;
  return new PawlError("bag.function", `The function of ${method} threw '${errorReason(error)}'.`, {
    cause: error,
  });
}
