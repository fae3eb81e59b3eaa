import type { ChildRecord, GroupState } from "./contract.ts";

interface Standing {
  readonly children: number | null;
  /** Null for all of them. */
  readonly need: number | null;
  readonly succeeded: number;
  readonly failed: number;
}

/** Whether so many children have failed that those that are left are too few. */
function isHopeless({ children, need, failed }: Standing): boolean {
  if (need === null) return failed > 0;
  // Until their number is known, more may come.
  return children !== null && children - failed < need;
}

/** What an open group comes to. */
export function groupVerdict(group: Standing): GroupState {
  if (isHopeless(group)) return "failed";
  return group.children !== null && group.succeeded + group.failed >= group.children ? "released" : "open";
}

/** Why the callback of a failed group is dead; `first` is the first child that failed. */
export function groupFailure(
  group: Standing,
  first: Pick<ChildRecord, "index" | "task" | "state" | "error"> | undefined,
): string {
  if (first === undefined) return `Of its ${group.children} children ${group.need} should succeed.`;
  const what = `Child ${first.index} (${first.task}) ${first.state === "dead" ? "failed" : "was cancelled"}`;
  return first.error === null ? `${what}.` : `${what}: ${first.error}`;
}
