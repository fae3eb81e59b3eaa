import type { Rule } from "../check.ts";
import { ENDED } from "../index-of-history.ts";

/** No acknowledged task is lost: each is in the store, and everything in the store has ended. */
export const kept: Rule = function* ({ tasks }, index) {
  const acknowledged = new Set([
    ...index.all("enqueued").flatMap(({ ids }) => ids),
    ...index.all("ticked").flatMap(({ ids }) => ids),
    ...index.all("asked").map(({ id }) => id),
  ]);
  for (const id of acknowledged) {
    if (!tasks.has(id) && !isFlow(id, tasks))
      yield { task: id, text: "it was acknowledged, and is not there" };
  }
  for (const { id, state, fence, crashes, due } of tasks.values()) {
    if (ENDED.has(state)) continue;
    yield { task: id, text: `it never ended: ${state}, fence ${fence}, ${crashes} crashes, due ${due}` };
  }
};

/** The handle of a flow is that of its end, which is stored only when its turn comes. */
function isFlow(id: string, tasks: ReadonlyMap<string, unknown>): boolean {
  return tasks.has(`${id}:1`);
}
