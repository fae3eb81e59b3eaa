import { type AnyFunction, type FunctionReference, referenceTo } from "../../pool/internal.ts";
import type { ExpressionNode } from "../expr/node.ts";

import type { SentField } from "./fit.ts";

/** A function of the user's on its way to the workers, with what it is given behind the item. */
export interface SentFunction {
  readonly reference: FunctionReference;
  /** The method that it was given to, for messages: `map`. */
  readonly method: string;
  readonly args: readonly unknown[];
}

/** The key of an item: what a function makes of it, a property of it, or the item itself. */
export type SentKey =
  | { readonly kind: "function"; readonly fn: SentFunction }
  | { readonly kind: "name"; readonly name: string | number; readonly method: string }
  | { readonly kind: "item" };

/** What becomes of one item, whatever the others are. Plain data, which reaches the workers. */
export type ItemStep =
  | { readonly kind: "map" | "starmap" | "filter" | "remove" | "flatMap"; readonly fn: SentFunction }
  | {
      readonly kind: "pluck";
      readonly name: string | number;
      readonly otherwise?: { readonly value: unknown };
    }
  | { readonly kind: "flatten" }
  | { readonly kind: "where"; readonly condition: ExpressionNode }
  | { readonly kind: "select"; readonly names: readonly string[] }
  | { readonly kind: "fit"; readonly fields: readonly SentField[] }
  | { readonly kind: "sample"; readonly fraction: number; readonly seed: number }
  | { readonly kind: "mapPartitions"; readonly fn: SentFunction; readonly items: number }
  /** Its state goes from one part to the next, so that parts run one after the other. */
  | { readonly kind: "accumulate"; readonly fn: SentFunction; readonly initial: unknown };

/** What needs items from everywhere: they are brought together by their keys, or by their positions. */
export type Exchange =
  | { readonly kind: "distinct"; readonly by: SentKey }
  | { readonly kind: "frequencies" }
  | { readonly kind: "groupBy"; readonly by: SentKey }
  | {
      readonly kind: "foldBy";
      readonly by: SentKey;
      readonly fn: SentFunction;
      readonly initial: unknown;
      readonly combine: SentFunction;
    }
  | { readonly kind: "join"; readonly by: SentKey; readonly other: Plan; readonly otherBy: SentKey }
  | { readonly kind: "zip"; readonly other: Plan };

export type BagStep = ItemStep | Exchange;

/** Where items come from. */
export type BagSource =
  | {
      readonly kind: "lines" | "jsonl";
      readonly paths: readonly string[];
      readonly malformed: Malformed;
      readonly includePath: boolean;
      /** The columns of a schema; null without one. */
      readonly fields: readonly SentField[] | null;
    }
  /** The lines that a quarantine file holds. */
  | {
      readonly kind: "replay";
      readonly path: string;
      readonly malformed: Malformed;
      readonly includePath: boolean;
      readonly fields: readonly SentField[] | null;
    }
  | { readonly kind: "items"; readonly items: Iterable<unknown> | AsyncIterable<unknown> };

/** What becomes of a malformed line. */
export type Malformed = "fail" | "drop" | { readonly quarantine: string };

/** A bag that was described and not yet run. */
export interface Plan {
  readonly source: BagSource;
  readonly steps: readonly BagStep[];
}

/** Throws the PawlError that says why a function cannot reach a worker, before anything runs. */
export function sentFunction(fn: AnyFunction, method: string, args: readonly unknown[] = []): SentFunction {
  return { reference: referenceTo(fn, `the ${method} of a bag`), method, args };
}

export function isExchange(step: BagStep): step is Exchange {
  switch (step.kind) {
    case "distinct":
    case "frequencies":
    case "groupBy":
    case "foldBy":
    case "join":
    case "zip":
      return true;
    default:
      return false;
  }
}
