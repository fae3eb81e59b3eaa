import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkRuns, checkStore, checkSummary, checkTarget } from "./check.ts";
import { Drive } from "./drive.ts";
import { checkFailures } from "./failures.ts";
import { describeFault, type FaultKind } from "./faults.ts";
import { writeFiles } from "./generate.ts";
import { oracle } from "./oracle.ts";
import { type Plan, type PlanOptions, planScenario } from "./plan.ts";
import { replay } from "./replay.ts";
import { makeRows, type Rows } from "./rows.ts";
import type { Server } from "./server.ts";
import { Stage } from "./stage.ts";
import { createTarget, readEffects, readTable } from "./target.ts";

export interface Result {
  readonly line: string;
  readonly struck: readonly FaultKind[];
  /** Whether a loader came to the point that was aimed at. */
  readonly wasAtPoint: boolean;
  /** What loads said that gave up and were given again. */
  readonly gaveUp: readonly string[];
  /** Why it failed; null when it passed. */
  readonly failure: string | null;
  /** What to look at after a failure. */
  readonly folder: string;
}

/** Plays scenario `number` of a seed from its first byte to its last check. */
export async function playScenario(
  server: Server,
  root: string,
  seed: string,
  number: number,
  options: PlanOptions,
): Promise<Result> {
  const plan = planScenario(`${seed}/${number}`, options);
  const rows = makeRows(plan);
  const expected = oracle(plan.mode, rows);
  const folder = join(root, `scenario-${number}${options.aim ? `-${options.aim.point}` : ""}`);
  mkdirSync(folder);
  const files = writeFiles(plan, rows, folder);
  const database = `chaos_${number}`;
  await createTarget(server, database, plan, rows.initial);
  const stage = new Stage({ plan, server, database, folder, oracle: expected, files });
  const drives = [
    new Drive(
      stage,
      (aim) => stage.load(aim),
      () => stage.finishedRun(),
    ),
  ];
  const began = Date.now();
  let failure: string | null = null;
  try {
    const summary = await (drives[0] as Drive).run(plan.faults);
    const effects = await checkTarget(stage, expected);
    checkSummary(stage, rows, expected, effects.length, summary);
    await checkRuns(stage, summary);
    await checkFailures(stage, summary.run, expected.bad, expected.overtaken);
    const { replayFaults } = plan;
    if (replayFaults && expected.bad.length > 0) await replay(stage, rows, summary.run, replayFaults, drives);
    checkStore(stage);
  } catch (error) {
    failure = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
  await stage.close();
  const wasAtPoint = stage.loaders.some((loader) => loader.wasAtPoint);
  const struck = drives.flatMap((drive) => drive.struck);
  const launches = drives.reduce((sum, drive) => sum + drive.launches, 0);
  const gaveUp = drives.flatMap((drive) => drive.gaveUp);
  const seconds = ((Date.now() - began) / 1000).toFixed(1);
  const line = `${describe(plan, rows, number)} ${struck.join(" ") || "no fault"} | ${launches} launches, ${seconds} s`;
  if (failure === null) rmSync(folder, { recursive: true });
  else await keepTarget(stage, plan);
  await server.with("postgres", (client) => client.query(`drop database ${database} with (force)`));
  return { line, struck, wasAtPoint, gaveUp, failure, folder };
}

function describe(plan: Plan, rows: Rows, number: number): string {
  const bad = rows.occurrences.filter((occurrence) => occurrence.bad !== null).length;
  const words = [
    `#${number} ${plan.mode} ${plan.shape.kind}, ${plan.rows} rows, ${bad} bad`,
    plan.duplicateRate > 0 ? `${plan.duplicateRate * 100} % again` : null,
    rows.initial.size > 0 ? `${rows.initial.size} before` : null,
    plan.files > 1 ? `${plan.files} files` : null,
    plan.gzip ? "gz" : null,
    plan.promiseUnique ? "--unique" : null,
    plan.withoutSchema ? "no schema" : null,
  ];
  return `${words.filter((word) => word !== null).join(", ")} |`;
}

/** Keeps what the database held beside the files of a failed scenario. */
async function keepTarget(stage: Stage, plan: Plan): Promise<void> {
  const lines = (values: readonly unknown[]) => values.map((value) => `${JSON.stringify(value)}\n`).join("");
  await stage.server.with(stage.database, async (client) => {
    writeFileSync(join(stage.folder, "table.jsonl"), lines(await readTable(client, plan.shape)));
    writeFileSync(join(stage.folder, "audit.jsonl"), lines(await readEffects(client)));
    const { rows } = await client.query("select to_regclass('pawl.checkpoint') is not null as there");
    const checkpoints = rows[0].there ? (await client.query("select * from pawl.checkpoint")).rows : [];
    writeFileSync(join(stage.folder, "checkpoint.jsonl"), lines(checkpoints));
  });
  writeFileSync(join(stage.folder, "faults.txt"), `${plan.faults.map(describeFault).join("\n")}\n`);
}
