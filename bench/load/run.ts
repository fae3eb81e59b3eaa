import assert from "node:assert/strict";
import { type Case, choose, type Outcome } from "./cases.ts";
import { type Input, type InputName, Inputs } from "./inputs.ts";
import { machine } from "./machine.ts";
import { type Options, readOptions } from "./options.ts";
import { type Result, tableOf } from "./report.ts";
import { withServer } from "./scratch.ts";
import type { Fingerprint } from "./server.ts";

const { options, chosen } = readPlan(process.argv.slice(2));

await withServer(options.directory, async (server, directory) => {
  const inputs = new Inputs(directory, options.rows, options.pandasRows);
  const ran = new Map<Case, Ran>();
  const fingerprints = new Map<string, Fingerprint>();
  // Rounds, not blocks of one case: what disturbs the machine for a while then disturbs all alike.
  for (let round = 1; round <= options.repeat; round++) {
    for (const [index, each] of chosen.entries()) {
      const input = await inputs.get(each.input);
      const outcome = await each.run({ server, directory }, input, inputs);
      ran.set(each, { input, outcomes: [...(ran.get(each)?.outcomes ?? []), outcome] });
      const found = await server.fingerprint();
      const expected = fingerprints.get(input.content) ?? { ...found, rows: input.keys };
      fingerprints.set(input.content, expected);
      assert.deepEqual(found, expected, `${each.name} left another table than it should`);
      const note = outcome.note === undefined ? "" : `; ${outcome.note}`;
      console.error(`${each.what}: ${outcome.seconds.toFixed(1)} s${note}`);
      if (round === options.repeat) dropUnneeded(inputs, each.input, chosen.slice(index + 1));
    }
  }
  console.log(`${machine()}; ${options.rows.toLocaleString("en-US")} rows, ${options.repeat} round(s)`);
  console.log(tableOf([...ran].map(([each, { input, outcomes }]) => resultOf(each, input, outcomes))));
});

function readPlan(args: readonly string[]): { options: Options; chosen: readonly Case[] } {
  try {
    const options = readOptions(args);
    return { options, chosen: choose(options.only) };
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(2);
  }
}

interface Ran {
  readonly input: Input;
  readonly outcomes: readonly Outcome[];
}

function resultOf(each: Case, { rows, bytes }: Input, outcomes: readonly Outcome[]): Result {
  const seconds = median(outcomes.map((outcome) => outcome.seconds));
  const peakBytes = Math.max(...outcomes.map((outcome) => outcome.peakBytes));
  const reported = outcomes.flatMap((outcome) =>
    "reportedPeakBytes" in outcome ? [outcome.reportedPeakBytes] : [],
  );
  const result = { case: each, seconds, rows, bytes, peakBytes };
  return reported.length > 0 ? { ...result, reportedPeakBytes: Math.max(...reported) } : result;
}

/** The plain file is what a full table is filled from and what the compressed one is made of, so it stays. */
function dropUnneeded(inputs: Inputs, name: InputName, rest: readonly Case[]): void {
  if (name !== "plain" && !rest.some((each) => each.input === name)) inputs.drop(name);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}
