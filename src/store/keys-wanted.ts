import type { TaskState } from "./contract.ts";

/** The unique keys that tasks of a release held until they ended, and that none of them still holds. */
export function keysWanted(
  tasks: readonly { readonly state: TaskState; readonly unique_key: string | null }[],
): string[] {
  const held = new Set(
    tasks.flatMap(({ state, unique_key }) => (state === "waiting" ? (unique_key ?? []) : [])),
  );
  return tasks.flatMap(({ unique_key }) => (unique_key === null || held.has(unique_key) ? [] : [unique_key]));
}
