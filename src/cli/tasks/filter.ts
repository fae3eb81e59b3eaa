import { PawlError } from "../../errors.ts";
import type { Instant, TaskSelector, TaskState } from "../../store/contract.ts";
import { given, parsed, parseTime } from "../options/parse.ts";
import { type FilterFlags, STATES } from "../options/shared.ts";

/** The conditions that the flags name; undefined where they name none. `now` is the time of the store. */
export function selectorOf(flags: FilterFlags, now: Instant): TaskSelector | undefined {
  const { queue, state, name, flow, older, newer, text } = flags;
  const selector: TaskSelector = given({
    queue,
    states: parsed(state, parseStates, "--state"),
    name,
    flow,
    olderMs: parsed(older, parseAge, "--older", now),
    youngerMs: parsed(newer, parseAge, "--newer", now),
    text,
  });
  return Object.keys(selector).length === 0 ? undefined : selector;
}

/** How many milliseconds ago a time is, which may be a date or a duration; negative where it is still to come. */
function parseAge(text: string, flag: string, now: Instant): number {
  const time = parseTime(text, flag);
  return typeof time === "number" ? time : now - Date.parse(time);
}

function parseStates(text: string, flag: string): TaskState[] {
  return text.split(",").map((part) => {
    const state = STATES.find((known) => known === part.trim());
    if (state !== undefined) return state;
    throw new PawlError("usage.state", `${flag} is ${STATES.join(", ")} or several of them, not "${text}".`);
  });
}
