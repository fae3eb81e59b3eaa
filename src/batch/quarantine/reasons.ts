import type { Store } from "../../store/contract.ts";
import { openItems } from "./replay.ts";

/** Items of a run that failed for the same reason. */
export interface FailureReason {
  /** With `…` for what differs from item to item. */
  readonly reason: string;
  readonly code: string | null;
  readonly count: number;
  /** Where the first of them stands, such as `people.csv line 15310`. */
  readonly at: string;
}

/** So many reasons are told apart; what comes after them counts as one. */
const mostReasons = 1000;

/**
 * Why items of a run failed, the most frequent reason first: of those that no replay has corrected yet.
 *
 * @example
 * const [first] = await failureReasons(store, summary.run); // { reason: 'Column "n" may not be null.', count: 12, … }
 */
export async function failureReasons(store: Store, run: string): Promise<FailureReason[]> {
  const found = new Map<string, { reason: string; code: string | null; count: number; at: string }>();
  for await (const { reason: told, code, at } of openItems(store, run)) {
    const reason = found.size < mostReasons ? kindOf(told) : "other reasons";
    const key = `${code} ${reason}`;
    const known = found.get(key);
    if (known === undefined) found.set(key, { reason, code, count: 1, at });
    else known.count++;
  }
  return [...found.values()].sort((a, b) => b.count - a.count);
}

/** A reason without the values of the item: the key of a constraint, the text that is no number, counts. */
function kindOf(reason: string): string {
  return reason
    .replaceAll(/=\(.*?\)(?=\s|\.|$)/gs, "=(…)")
    .replaceAll(/((?:: |\bvalue )")[^"]*(")/g, "$1…$2")
    .replaceAll(/(?<![\w("$])\d[\d.,:-]*(?<=\d)(?!\w)/g, "…");
}
