import { parseDuration } from "../../durations.ts";
import { PawlError } from "../../errors.ts";
import type { TaskSelector, TaskState } from "../../store/contract.ts";
import { given, parsed } from "../options/parse.ts";
import { type FilterFlags, STATES } from "../options/shared.ts";

/** The conditions that the flags name; undefined where they name none. */
export function selectorOf(flags: FilterFlags): TaskSelector | undefined {
  for (const [flag, value] of Object.entries(flags)) {
    // An empty variable of the shell must not widen the filter to everything.
    if (value === "") throw new PawlError("usage.filter", `--${flag} was given nothing: leave it out.`);
  }
  const { queue, state, name, flow, older, newer, text } = flags;
  const selector: TaskSelector = given({
    queue,
    states: parsed(state, parseStates, "--state"),
    name,
    flow,
    olderMs: parsed(older, parseDuration, "--older"),
    youngerMs: parsed(newer, parseDuration, "--newer"),
    text,
  });
  return Object.keys(selector).length === 0 ? undefined : selector;
}

function parseStates(text: string, flag: string): TaskState[] {
  return text.split(",").map((part) => {
    const state = STATES.find((known) => known === part.trim());
    if (state !== undefined) return state;
    throw new PawlError("usage.state", `${flag} is ${STATES.join(", ")} or several of them, not "${text}".`);
  });
}
