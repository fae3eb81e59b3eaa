import type { TaskRecord } from "../../../../src/store/index.ts";
import type { Rule } from "../check.ts";
import { ENDED, type Index } from "../index-of-history.ts";

/** The callback of a chord begins when its children have ended, and not if they failed; and it is given all of them. */
export const groups: Rule = function* ({ tasks, groups }, index) {
  const children = Map.groupBy(tasks.values(), ({ childOf }) => childOf?.group);
  for (const { id, state, callback, children: count, succeeded, failed } of groups.values()) {
    const own = children.get(id) ?? [];
    if (state === "open") yield { task: callback, text: "its children have ended, and it was not let go" };
    if (state === "failed") {
      if (index.began.has(callback)) yield { task: callback, text: "its children failed, and it was begun" };
      continue;
    }
    const good = own.filter((task) => task.state === "succeeded").length;
    if (own.length !== count || succeeded !== good || failed !== own.length - good) {
      const told = `${own.length} children of ${count}, ${good} succeeded`;
      yield { task: callback, text: `there are ${told}, and ${succeeded} + ${failed} were counted` };
    }
    const result = tasks.get(callback)?.result as { count?: number } | null | undefined;
    if (result?.count !== undefined && result.count !== good) {
      yield { task: callback, text: `${good} children succeeded, and it was given ${result.count} results` };
    }
    const early = earlyMember(callback, own, index);
    if (early !== undefined)
      yield { task: callback, text: `it was claimed before its childOf ${early} had ended` };
  }
};

/** A child that had begun nothing to end it when the callback's first claim was answered. */
function earlyMember(callback: string, children: readonly TaskRecord[], index: Index): string | undefined {
  const first = Math.min(...(index.claims.get(callback) ?? []).map(({ t }) => t));
  return children.find(({ id, fence, state }) => {
    // One that was cancelled or became poison was ended by another process.
    if (fence === 0 || state !== "succeeded") return false;
    const ends = (index.settlements.get(id) ?? []).filter(({ result }) => ENDED.has(result));
    return ends.every(({ since }) => since > first);
  })?.id;
}
