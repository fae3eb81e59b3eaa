import { contest } from "./contest.ts";
import type { Options } from "./options.ts";
import type { Timing } from "./stopwatch.ts";
import { table } from "./table.ts";
import { atLeast, atMost, beside, type Findings, perSecond, times, type Verdict } from "./verdict.ts";

const SUBMITTED = 20_000;
const AWAITED = 3000;
const MAPPED = 1_000_000;

/** What a call costs when the function itself costs next to nothing: `x * x`. */
export function measureCalls({ turns, peers, python }: Options): Findings {
  const submitted = contest(
    ["pawl submit", ...peers],
    { work: "square", count: SUBMITTED, amount: 0 },
    turns,
  );
  const waited = ["pawl awaited", ...peers.map((name) => `${name} awaited`)];
  const awaited = contest(waited, { work: "square", count: AWAITED, amount: 0 }, turns);
  const maps = ["for of", "items.map", "pawl map", "pawl workers", ...(python ? ["python"] : [])];
  const mapped = contest(maps, { work: "square", count: MAPPED, amount: 0 }, turns);
  const text = [
    `Calls of x * x, microseconds each (warm; in processes of their own, the median of ${turns})`,
    table([
      ["", "submitted at once", "awaited one by one"],
      ...["pawl submit", ...peers].map((name) => [
        name,
        micro(submitted.get(name), SUBMITTED),
        micro(awaited.get(name === "pawl submit" ? "pawl awaited" : `${name} awaited`), AWAITED),
      ]),
    ]),
    `\nx * x over an array of ${MAPPED.toLocaleString("en-US")} numbers, microseconds an item`,
    table([
      ["", ...maps],
      ["warm", ...maps.map((way) => micro(mapped.get(way), MAPPED))],
    ]),
  ];
  return { text: text.join("\n"), verdicts: [...besidePiscina(submitted, awaited), ...ofMap(mapped)] };
}

function besidePiscina(
  submitted: ReadonlyMap<string, Timing>,
  awaited: ReadonlyMap<string, Timing>,
): Verdict[] {
  if (!submitted.has("piscina")) return [];
  const atOnce = warm(submitted, "piscina") / warm(submitted, "pawl submit");
  const oneByOne = warm(awaited, "piscina awaited") / warm(awaited, "pawl awaited");
  return [
    atLeast("submit, many calls at once, faster than piscina", atOnce, 2, times),
    atLeast("submit, each call awaited before the next, faster than piscina", oneByOne, 2, times),
  ];
}

function ofMap(mapped: ReadonlyMap<string, Timing>): Verdict[] {
  const rate = (way: string) => (MAPPED / warm(mapped, way)) * 1000;
  const verdicts = [
    atLeast("map of a trivial function", rate("pawl map"), 500_000, perSecond),
    atLeast("map of a trivial function, forced to the workers", rate("pawl workers"), 500_000, perSecond),
  ];
  if (!mapped.has("python")) return verdicts;
  const ratio = (way: string) => warm(mapped, way) / warm(mapped, "python");
  return [
    ...verdicts,
    atMost("map of a trivial function, time an item beside Python's Pool.map", ratio("pawl map"), 1.5, times),
    beside("the same, forced to the workers", times(ratio("pawl workers"))),
  ];
}

function warm(timings: ReadonlyMap<string, Timing>, way: string): number {
  return timings.get(way)?.warm ?? Number.NaN;
}

function micro(timing: Timing | undefined, calls: number): string {
  return (((timing?.warm ?? Number.NaN) / calls) * 1000).toPrecision(3);
}
