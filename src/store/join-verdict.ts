import type { JoinState, MemberRecord } from "./contract.ts";

interface Standing {
  readonly members: number | null;
  /** Null for all of them. */
  readonly need: number | null;
  readonly succeeded: number;
  readonly failed: number;
}

/** Whether so many members have failed that those that are left are too few. */
function isHopeless({ members, need, failed }: Standing): boolean {
  if (need === null) return failed > 0;
  // Until their number is known, more may come.
  return members !== null && members - failed < need;
}

/** What an open join comes to. */
export function joinVerdict(join: Standing): JoinState {
  if (isHopeless(join)) return "failed";
  return join.members !== null && join.succeeded + join.failed >= join.members ? "released" : "open";
}

/** Why the body of a failed join is dead; `first` is the first member that failed. */
export function joinFailure(
  join: Standing,
  first: Pick<MemberRecord, "index" | "task" | "state" | "error"> | undefined,
): string {
  if (first === undefined) return `Of its ${join.members} members ${join.need} should succeed.`;
  const what = `Member ${first.index} (${first.task}) ${first.state === "dead" ? "failed" : "was cancelled"}`;
  return first.error === null ? `${what}.` : `${what}: ${first.error}`;
}
