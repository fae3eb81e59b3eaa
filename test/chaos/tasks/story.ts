import type { Violation } from "./check.ts";
import type { Facts } from "./facts.ts";
import type { Entry } from "./history.ts";

/** As much as a person reads. */
const MOST_LINES = 80;

/** What happened to one task, and what was done to the processes that had to do with it, for people. */
export function storyOf({ task, rule, text }: Violation, { entries, tasks, attempts }: Facts): string {
  if (task === null) return `${rule}: ${text}`;
  const own = entries.filter((entry) => concerns(entry, task));
  const from = own[0]?.t ?? 0;
  const to = own.at(-1)?.t ?? 0;
  const involved = new Set(own.map(({ by }) => by));
  const faults = entries.filter((entry) => {
    if (entry.what !== "fault" || entry.t < from - 5_000 || entry.t > to) return false;
    return entry.target === "the store" || involved.has(entry.target);
  });
  const answers = answersTo(own, entries);
  const lines = [...new Set([...own, ...faults, ...answers])]
    .sort((a, b) => a.t - b.t)
    .map(
      (entry) =>
        `  ${((entry.t - from) / 1_000).toFixed(3).padStart(9)} s  ${entry.by}: ${told(entry, task)}`,
    );
  const middle = lines.length - MOST_LINES;
  if (middle > 0) lines.splice(MOST_LINES / 2, middle, `  … ${middle} lines more`);
  const { payload: _, meta: __, ...record } = tasks.get(task) ?? {};
  return [
    `${rule}: task ${task}: ${text}`,
    ...lines,
    `  stored: ${JSON.stringify(record)}`,
    ...(attempts.get(task) ?? []).map(
      (attempt) => `  attempt: ${JSON.stringify({ ...attempt, log: undefined })}`,
    ),
  ].join("\n");
}

function concerns(entry: Entry, task: string): boolean {
  if ("id" in entry) return entry.id === task;
  if ("ids" in entry) return entry.ids.includes(task);
  if ("claims" in entry) return entry.claims.some(([id]) => id === task);
  if ("settlements" in entry) return entry.settlements.some(({ id }) => id === task);
  return false;
}

function answersTo(own: readonly Entry[], entries: readonly Entry[]): Entry[] {
  const calls = new Set(
    own.flatMap((entry) => (entry.what === "settling" ? [`${entry.by} ${entry.call}`] : [])),
  );
  return entries.filter((entry) => {
    return (entry.what === "settled" || entry.what === "unsettled") && calls.has(`${entry.by} ${entry.call}`);
  });
}

function told(entry: Entry, task: string): string {
  switch (entry.what) {
    case "claimed":
      return `claimed it with fence ${entry.claims.find(([id]) => id === task)?.[1]}, ${took(entry)}`;
    case "settling": {
      const asked = entry.settlements.filter(({ id }) => id === task);
      return asked
        .map(({ fence, result }) => `asks for ${result} with fence ${fence} (call ${entry.call})`)
        .join();
    }
    case "settled":
      return `${entry.lost.includes(task) ? "was told that it is lost" : "was told that it is stored"} (call ${entry.call})`;
    case "unsettled":
      return `was told ${entry.error} (call ${entry.call})`;
    case "progressed":
      return `stored progress with fence ${entry.fence}, ${took(entry)}`;
    case "enqueued":
      return `stored it, ${took(entry)}`;
    case "asked":
      return `${entry.created ? "enqueued it" : "was given its handle"} as ${entry.kind}, ${took(entry)}`;
    case "ticked":
      return "fired it";
    case "cancelling":
      return "cancels it";
    case "cancelled":
      return `was told that ${entry.reached ? "it is cancelled" : "there was nothing to cancel"}`;
    case "began":
      return `began it with fence ${entry.fence}`;
    case "ended":
      return `ended it with fence ${entry.fence}`;
    case "fault":
      return `*** ${entry.kind} at ${entry.target} ${entry.note}`;
  }
}

function took({ since, t }: { readonly since: number; readonly t: number }): string {
  return `within ${(t - since).toFixed(1)} ms`;
}
