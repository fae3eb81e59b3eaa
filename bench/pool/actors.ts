import { actor, control } from "../../dist/pool/index.js";
import { Tally } from "./tally.ts";

/** What came out of calling an actor, in calls a second: the best and the median of the rounds. */
export interface ActorRow {
  readonly isolate: "thread" | "process";
  /** Each call is awaited before the next is made. */
  readonly awaited: { readonly best: number; readonly median: number };
  /** All calls are made, then awaited. */
  readonly inFlight: { readonly best: number; readonly median: number };
}

const ROUNDS = 7;
const AWAITED = 10_000;
const IN_FLIGHT = 50_000;

/** Calls a method that adds a number, in both ways and both isolations. */
export async function measureActors(): Promise<ActorRow[]> {
  const rows: ActorRow[] = [];
  for (const isolate of ["thread", "process"] as const) {
    await using tally = await actor(Tally, [], { isolate });
    const oneByOne = async () => {
      for (let call = 0; call < AWAITED; call++) await tally.add(1);
    };
    const atOnce = async () => {
      await Promise.all(Array.from({ length: IN_FLIGHT }, () => tally.add(1)));
    };
    const awaited = await rates(AWAITED, oneByOne);
    const inFlight = await rates(IN_FLIGHT, atOnce);
    rows.push({ isolate, awaited, inFlight });
    const [stats] = control(tally).stats();
    const made = (ROUNDS + 1) * (AWAITED + IN_FLIGHT);
    if (stats?.calls !== made || (await tally.add(0)) !== made) throw new Error("Calls were lost.");
  }
  return rows;
}

async function rates(calls: number, round: () => Promise<void>): Promise<ActorRow["awaited"]> {
  await round();
  const all: number[] = [];
  for (let turn = 0; turn < ROUNDS; turn++) {
    const began = performance.now();
    await round();
    all.push(Math.round((calls / (performance.now() - began)) * 1000));
  }
  all.sort((a, b) => a - b);
  return { best: all.at(-1) ?? 0, median: all[Math.floor(ROUNDS / 2)] ?? 0 };
}
