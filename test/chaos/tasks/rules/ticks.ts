import type { Rule } from "../check.ts";
import { SCHEDULES } from "../work.ts";

/** Each time of a schedule fires once, and one that catches up misses none. */
export const ticks: Rule = function* ({ tasks }, index) {
  const fired = new Map<string, string>();
  for (const { ids, by } of index.all("ticked")) {
    for (const id of ids) {
      const other = fired.get(id);
      if (other !== undefined) yield { task: id, text: `it was fired by ${other} and by ${by}` };
      fired.set(id, by);
    }
  }
  const times = [...tasks.keys()]
    .filter((id) => id.startsWith(`${SCHEDULES.every}@`))
    .map((id) => Date.parse(id.slice(SCHEDULES.every.length + 1)))
    .sort((a, b) => a - b);
  for (const [at, time] of times.entries()) {
    const before = times[at - 1];
    if (before === undefined || time - before === 1_000) continue;
    const task = `${SCHEDULES.every}@${new Date(time).toISOString()}`;
    yield { task, text: `the time before it is ${time - before} ms earlier, not a second` };
  }
  for (const { id, result } of tasks.values()) {
    const [name, time] = id.split("@");
    if (name !== SCHEDULES.every && name !== SCHEDULES.last) continue;
    const at = (result as { at?: number } | null)?.at;
    if (at !== undefined && at !== Date.parse(time ?? ""))
      yield { task: id, text: `it was told that it is ${at}` };
  }
};
