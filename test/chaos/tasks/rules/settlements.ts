import type { AttemptRecord } from "../../../../src/store/index.ts";
import type { Found, Rule } from "../check.ts";
import { type Asked, ENDED } from "../index-of-history.ts";

/** Every attempt ends once, as its worker was told; a task runs again only after an attempt that says so. */
export const settlements: Rule = function* ({ tasks, attempts }, index) {
  for (const { id, fence, state } of tasks.values()) {
    const ended = attempts.get(id) ?? [];
    const asked = index.settlements.get(id) ?? [];
    const final = asked.filter(({ answer, result }) => answer === "held" && ENDED.has(result));
    if (final.length > 1) {
      yield { task: id, text: `it was settled ${final.length} times, with fences ${listOf(final)}` };
    }
    if (ENDED.has(state) && fence !== ended.length) {
      yield { task: id, text: `it was claimed ${fence} times, and ${ended.length} attempts have ended` };
    }
    yield* each(id, ended);
    yield* agree(id, ended, asked);
  }
};

/** Attempts follow each other without a gap, and after one that ended the task there is none. */
function* each(id: string, ended: readonly AttemptRecord[]): Generator<Found> {
  for (const [at, { fence, result }] of ended.entries()) {
    if (fence !== at + 1) yield { task: id, text: `attempt ${at + 1} has fence ${fence}` };
    if (ENDED.has(result) && at + 1 < ended.length) {
      yield { task: id, text: `attempt ${fence} ended as ${result}, and another one followed` };
    }
  }
}

/** What the store holds is what workers asked for and were told. */
function* agree(id: string, ended: readonly AttemptRecord[], asked: readonly Asked[]): Generator<Found> {
  const byFence = new Map(ended.map((attempt) => [attempt.fence, attempt]));
  for (const { fence, result, answer, by, t } of asked) {
    const stored = byFence.get(fence)?.result ?? "not over";
    if (answer === "held" && stored !== result) {
      yield { task: id, text: `${by} was told that fence ${fence} is ${result}, and it is ${stored}` };
    }
    const before = asked.some((other) => {
      return other.fence === fence && other.answer !== "lost" && (other.since < t || other.answer === "held");
    });
    if (answer === "lost" && stored !== "crashed" && !before) {
      yield { task: id, text: `${by} was told that it has lost fence ${fence}, which is ${stored}` };
    }
  }
  for (const { fence, result } of ended) {
    if (result === "crashed" || asked.some((other) => other.fence === fence && other.result === result))
      continue;
    yield { task: id, text: `attempt ${fence} is ${result}, which no producer has asked for` };
  }
}

function listOf(some: readonly Asked[]): string {
  return some.map(({ fence }) => fence).join(" and ");
}
