import type { Store } from "../../store/contract.ts";
import { openItems } from "./replay.ts";

/** Items of a run that failed for the same reason. */
export interface FailureReason {
  /** With `…` for what differs from item to item. */
  readonly reason: string;
  /** Of an ItemError or of the target's error, such as an SQLSTATE; null where there is none. */
  readonly code: string | null;
  /** How many items. */
  readonly count: number;
  /** Where the first of them stands, such as `people.csv line 15310`. */
  readonly at: string;
}

/** Further reasons count together as "other reasons". */
const mostReasons = 1000;

/**
 * Why items of a run were quarantined, the most frequent reason first; items that a replay has corrected do not count. Values
 * of the items are replaced by `…`, so that equal reasons count together; at most 1,000 reasons are told apart.
 *
 * @param run the id of the run, as in its summary
 * @example
 * ```ts
 * import type { Store } from "pawl/store";
 *
 * // [{ reason: 'Column "n" may not be null.', count: 12, … }, …]
 * const worst = async (store: Store, summary: RunSummary) => (await failureReasons(store, summary.run)).slice(0, 3);
 * ```
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

/**
 * Where a value ends in the sentences of PostgreSQL and of the readers: a value may hold quotation marks and parentheses itself, so the
 * last place counts at which one of these sentences continues.
 */
const KEY = /=\(.*\)(?= already exists| is not present| is still referenced| conflicts with|\.?$)/s;
const VALUE = /(: "|\bvalue "|\bToken ").*(?:"(?= is | \(|\.?$)|…$)/s;

/** A reason without the values of its item, such as the key that violates a constraint, a text that is not a number, or a count. */
function kindOf(reason: string): string {
  return reason
    .replace(KEY, "=(…)")
    .replaceAll(/=\(.*?\)(?=\s|\.|$)/gs, "=(…)")
    .replace(VALUE, '$1…"')
    .replaceAll(/((?:: |\bvalue )")[^"]*(")/g, "$1…$2")
    .replaceAll(/(?<![\w("$])\d[\d.,:-]*(?<=\d)(?!\w)/g, "…");
}
