import { type ActorRow, measureActors } from "./actors.ts";
import { atLeast, beside, type Findings, perSecond } from "./verdict.ts";

/** Calls of a method that adds a number. */
export async function measureActorRates(): Promise<Findings> {
  const rows = await measureActors();
  return { text: "", verdicts: rows.flatMap(verdictsOf) };
}

/** What is asked for is asked of a thread; a process is shown beside it. */
function verdictsOf({ isolate, awaited, inFlight }: ActorRow) {
  if (isolate === "process") {
    const rates = `${perSecond(awaited.median)}, ${perSecond(inFlight.median)}`;
    return [beside("  the same, the actor in a process: awaited, in flight", rates)];
  }
  return [
    atLeast("actor calls, each awaited before the next", awaited.median, 20_000, perSecond),
    atLeast("actor calls, many in flight", inFlight.median, 100_000, perSecond),
  ];
}
