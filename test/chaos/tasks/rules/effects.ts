import type { Rule } from "../check.ts";

/** The task of Pawl's own that only passes on what it is given. */
const PASS = "pawl.pass";

/** What succeeded has run, to its end, under the claim that counts; and what is stored is what that run returned. */
export const effects: Rule = function* ({ tasks, attempts }, index) {
  for (const { id, name, state, result, fence } of tasks.values()) {
    if (state !== "succeeded" || name === PASS) continue;
    const counted = attempts.get(id)?.findLast(({ result }) => result === "succeeded")?.fence ?? fence;
    const token = (result as { token?: unknown } | null)?.token;
    const run = index.ended.get(id)?.find((entry) => entry.fence === counted);
    if (run === undefined)
      yield { task: id, text: `it succeeded with fence ${counted}, under which nothing ran` };
    else if (run.token !== token) {
      yield { task: id, text: `it succeeded with fence ${counted}, and its result is that of another run` };
    }
  }
  for (const [id, runs] of index.began) {
    const fences = runs.map(({ fence }) => fence);
    const twice = fences.find((fence, at) => fences.indexOf(fence) !== at);
    if (twice !== undefined) yield { task: id, text: `it was begun twice with fence ${twice}` };
  }
};
