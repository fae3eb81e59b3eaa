import type { Found, Rule } from "../check.ts";
import { type Asked, type Claimed, ENDED, type Of } from "../index-of-history.ts";

/** One claim is valid at a time: a fence is given once, and what an earlier claim writes does not count any more. */
export const fences: Rule = function* (_, index) {
  for (const [id, claims] of index.claims) {
    const seen = new Map<number, Claimed>();
    for (const claim of claims) {
      const other = seen.get(claim.fence);
      if (other !== undefined) {
        yield { task: id, text: `fence ${claim.fence} was given to ${other.by} and to ${claim.by}` };
      }
      seen.set(claim.fence, claim);
    }
    const held = (index.settlements.get(id) ?? []).filter(({ answer }) => answer === "held");
    yield* lateWrites(id, claims, held, index.progressed.get(id) ?? []);
    yield* lateClaims(id, claims, held);
  }
};

/** When the write began, its worker's claim had been followed by another one. */
function* lateWrites(
  id: string,
  claims: readonly Claimed[],
  settled: readonly Asked[],
  progressed: readonly Of<"progressed">[],
): Generator<Found> {
  for (const write of [...settled, ...progressed]) {
    const later = claims.find(({ fence, t }) => fence > write.fence && t < write.since);
    if (later === undefined) continue;
    const what = "result" in write ? `settle it (${write.result})` : "report progress";
    yield {
      task: id,
      text: `${write.by} could ${what} with fence ${write.fence} when ${later.by} held fence ${later.fence}`,
    };
  }
}

/** When the claim began, the task had ended. */
function* lateClaims(id: string, claims: readonly Claimed[], settled: readonly Asked[]): Generator<Found> {
  for (const end of settled.filter(({ result }) => ENDED.has(result))) {
    const later = claims.find(({ since }) => since > end.t);
    if (later === undefined) continue;
    yield {
      task: id,
      text: `${later.by} was given fence ${later.fence} after ${end.by} had been told that the task has ended (${end.result})`,
    };
  }
}
