import { PawlError } from "../../errors.ts";
import type { TaskSelector, TaskState } from "../../store/contract.ts";
import { parseDuration } from "../options/parse.ts";

import { type FilterFlags, STATES } from "./filter-flags.ts";

/** The conditions that the flags name; undefined where they name none. */
export function selectorOf(flags: FilterFlags): TaskSelector | undefined {
  for (const [flag, value] of Object.entries(flags)) {
    // An empty variable of the shell must not widen the filter to everything.
    if (value === "") throw new PawlError("usage.filter", `--${flag} was given nothing: leave it out.`);
  }
  const { queue, state, name, flow, older, newer, text } = flags;
  const selector: TaskSelector = {
    ...(queue === undefined ? {} : { queue }),
    ...(state === undefined ? {} : { states: parseStates(state) }),
    ...(name === undefined ? {} : { name }),
    ...(flow === undefined ? {} : { flow }),
    ...(older === undefined ? {} : { olderMs: time(older, "--older") }),
    ...(newer === undefined ? {} : { youngerMs: time(newer, "--newer") }),
    ...(text === undefined ? {} : { text }),
  };
  return Object.keys(selector).length === 0 ? undefined : selector;
}

function time(text: string, flag: string): number {
  return parseDuration(text, flag, 0);
}

function parseStates(text: string): TaskState[] {
  return text.split(",").map((part) => {
    const state = STATES.find((known) => known === part.trim());
    if (state !== undefined) return state;
    throw new PawlError("usage.state", `--state is ${STATES.join(", ")} or several of them, not "${text}".`);
  });
}
