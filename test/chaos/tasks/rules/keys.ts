import type { Rule } from "../check.ts";
import { ENDED, type Of } from "../index-of-history.ts";

/** A key is stored once; and of a unique task there is one at a time. */
export const keys: Rule = function* ({ tasks }, index) {
  const created = index.all("asked").filter((asked) => asked.created);
  for (const [id, asked] of Map.groupBy(created, ({ id }) => id)) {
    if (asked.length > 1) yield { task: id, text: `it was stored ${asked.length} times: ${writers(asked)}` };
  }
  for (const { id, unique, state } of tasks.values()) {
    if (unique === null || state !== "succeeded") continue;
    const own = created.find((asked) => asked.id === id);
    const ends = index.settlements.get(id)?.filter(({ result }) => ENDED.has(result)) ?? [];
    if (own === undefined || ends.length === 0) continue;
    const end = Math.min(...ends.map(({ since }) => since));
    const other = created.find((asked) => {
      return tasks.get(asked.id)?.unique === unique && asked.since > own.t && asked.t < end;
    });
    if (other !== undefined)
      yield { task: id, text: `${other.id} with the same unique key was stored meanwhile` };
  }
};

function writers(asked: readonly Of<"asked">[]): string {
  return asked.map(({ by }) => by).join(", ");
}
