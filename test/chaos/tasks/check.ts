import type { Facts } from "./facts.ts";
import { Index } from "./index-of-history.ts";
import { cancels } from "./rules/cancels.ts";
import { effects } from "./rules/effects.ts";
import { endings } from "./rules/endings.ts";
import { fences } from "./rules/fences.ts";
import { groups } from "./rules/groups.ts";
import { kept } from "./rules/kept.ts";
import { keys } from "./rules/keys.ts";
import { processes } from "./rules/processes.ts";
import { rates } from "./rules/rates.ts";
import { settlements } from "./rules/settlements.ts";
import { ticks } from "./rules/ticks.ts";

/** A promise that was broken. */
export interface Violation {
  readonly rule: keyof typeof rules;
  /** The task whose history shows it. */
  readonly task: string | null;
  readonly text: string;
}

export type Found = Omit<Violation, "rule">;

/** Each holds for every history of a store that keeps its word. */
export type Rule = (facts: Facts, index: Index) => Iterable<Found>;

const rules = {
  processes,
  kept,
  endings,
  effects,
  fences,
  settlements,
  groups,
  ticks,
  rates,
  keys,
  cancels,
} as const;

/** What a history shows that must not be. */
export function check(facts: Facts): Violation[] {
  const index = new Index(facts.entries);
  return Object.entries(rules).flatMap(([name, rule]) =>
    [...(rule as Rule)(facts, index)].map((found) => ({ rule: name as Violation["rule"], ...found })),
  );
}
