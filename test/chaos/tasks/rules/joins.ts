import type { TaskRecord } from "../../../../src/store/index.ts";
import type { Rule } from "../check.ts";
import { ENDED, type Index } from "../index-of-history.ts";

/** The body of a chord begins when its members have ended, and not if they failed; and it is given all of them. */
export const joins: Rule = function* ({ tasks, joins }, index) {
  const members = Map.groupBy(tasks.values(), ({ member }) => member?.join);
  for (const { id, state, body, members: count, succeeded, failed } of joins.values()) {
    const own = members.get(id) ?? [];
    if (state === "open") yield { task: body, text: "its members have ended, and it was not let go" };
    if (state === "failed") {
      if (index.began.has(body)) yield { task: body, text: "its members failed, and it was begun" };
      continue;
    }
    const good = own.filter((task) => task.state === "succeeded").length;
    if (own.length !== count || succeeded !== good || failed !== own.length - good) {
      const told = `${own.length} members of ${count}, ${good} succeeded`;
      yield { task: body, text: `there are ${told}, and ${succeeded} + ${failed} were counted` };
    }
    const result = tasks.get(body)?.result as { count?: number } | null | undefined;
    if (result?.count !== undefined && result.count !== good) {
      yield { task: body, text: `${good} members succeeded, and it was given ${result.count} results` };
    }
    const early = earlyMember(body, own, index);
    if (early !== undefined)
      yield { task: body, text: `it was claimed before its member ${early} had ended` };
  }
};

/** A member that had begun nothing to end it when the body's first claim was answered. */
function earlyMember(body: string, members: readonly TaskRecord[], index: Index): string | undefined {
  const first = Math.min(...(index.claims.get(body) ?? []).map(({ t }) => t));
  return members.find(({ id, fence, state }) => {
    // One that was cancelled or became poison was ended by somebody else.
    if (fence === 0 || state !== "succeeded") return false;
    const ends = (index.settlements.get(id) ?? []).filter(({ result }) => ENDED.has(result));
    return ends.every(({ since }) => since > first);
  })?.id;
}
