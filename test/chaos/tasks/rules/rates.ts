import type { Rule } from "../check.ts";
import type { Facts } from "../facts.ts";
import type { Index } from "../index-of-history.ts";
import { RATES } from "../work.ts";

interface Start {
  readonly id: string;
  /** It was neither before nor after these. */
  readonly earliest: number;
  readonly latest: number;
}

/** No window of a rate's length holds more starts than it allows, by the store's clock and by the processes'. */
export const rates: Rule = function* (facts, index) {
  for (const [name, { n, ms }] of Object.entries(RATES)) {
    const known = facts.steadyClock ? storedStarts(name, facts) : [];
    for (const starts of [seenStarts(name, facts, index), known]) {
      starts.sort((a, b) => a.earliest - b.earliest);
      for (const [at, { id, earliest }] of starts.entries()) {
        const window = starts.slice(at, at + n + 1);
        const span = Math.max(...window.map(({ latest }) => latest)) - earliest;
        if (window.length > n && span < ms) {
          yield {
            task: id,
            text: `with it ${n + 1} ${name} tasks began within ${span} ms, not ${n} in ${ms}`,
          };
        }
      }
    }
  }
};

function storedStarts(name: string, { tasks, attempts }: Facts): Start[] {
  return [...attempts].flatMap(([id, each]) => {
    if (tasks.get(id)?.name !== name) return [];
    return each.map(({ startedAt }) => ({ id, earliest: startedAt, latest: startedAt }));
  });
}

function seenStarts(name: string, { tasks }: Facts, { claims }: Index): Start[] {
  return [...claims].flatMap(([id, each]) => {
    if (tasks.get(id)?.name !== name) return [];
    return each.map(({ since, t }) => ({ id, earliest: since, latest: t }));
  });
}
