import type { TaskRecord } from "../../../../src/store/index.ts";
import type { Found, Rule } from "../check.ts";
import type { Facts } from "../facts.ts";

/** Every task ended as its handler says, unless something that is known of prevented it. */
export const endings: Rule = function* (facts, index) {
  const asked = new Set(index.all("cancelling").map(({ id }) => id));
  const failed = new Set<string>();
  for (const { flow, state } of facts.tasks.values()) {
    if (flow !== null && state !== "succeeded") failed.add(flow);
  }
  for (const task of facts.tasks.values()) {
    const wrong = judge(task, facts, asked);
    if (wrong !== null) yield { task: task.id, text: wrong } satisfies Found;
  }
};

function judge(task: TaskRecord, facts: Facts, asked: ReadonlySet<string>): string | null {
  const { id, name, state, error, flow } = task;
  switch (state) {
    case "succeeded":
      return name === "permanent" || name === "poison" ? `a ${name} task cannot succeed` : null;
    case "dead": {
      if (name === "permanent" && error === "never") return null;
      const crashes = (facts.attempts.get(id) ?? []).filter(({ result }) => result === "crashed").length;
      if (crashes >= facts.poisonAfter) return null;
      if (facts.groups.get(id)?.state === "failed") return null;
      return `it is dead after ${crashes} crashes for no good reason: ${error}`;
    }
    case "cancelled": {
      if (error === "expired" || asked.has(id) || (flow !== null && asked.has(flow))) return null;
      if (task.childOf !== null && facts.groups.get(task.childOf.group)?.state === "failed") return null;
      return "it was cancelled without a request";
    }
    default:
      return null;
  }
}
