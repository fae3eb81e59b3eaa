import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkRuns, checkStore } from "../check.ts";
import { Drive } from "../drive.ts";
import { describeFault } from "../faults.ts";
import { Ground } from "../ground.ts";
import type { LoaderAim } from "../loader.ts";
import { expect } from "../mismatch.ts";
import { Random } from "../random.ts";
import type { Summary } from "../result.ts";
import type { Result } from "../scenario.ts";
import type { Server } from "../server.ts";
import { ROLE, TABLE } from "../target.ts";
import { Meddler } from "./meddler.ts";
import { type BackfillPlan, planBackfill } from "./plan.ts";
import { createTable, findings, meant } from "./target.ts";

/** Raises `v` by one; `seen` takes along what the transform saw of what others change. */
const step = `export default (row) => ({ ...row, v: row.v + 1, seen: row.other });\n`;

/** Plays scenario `number` of a seed, which is a backfill, from its table to its last check. */
export async function playBackfill(
  server: Server,
  root: string,
  seed: string,
  number: number,
  options: { readonly largest: number; readonly killsOnly: boolean },
): Promise<Result> {
  const plan = planBackfill(`${seed}/${number}`, options);
  const folder = join(root, `backfill-${number}`);
  mkdirSync(folder);
  writeFileSync(join(folder, "step.mjs"), step);
  const database = `chaos_${number}`;
  await createTable(server, database, plan);
  const good =
    Math.floor((plan.rows * (plan.filtered ? 2 : 3)) / 3) - (plan.refused ? plan.rows / plan.refused : 0);
  const ground = new Ground({ server, database, folder, leastEffects: Math.max(1, Math.floor(good)) });
  const random = new Random(plan.seed).fork("launches");
  const launch = (aim: LoaderAim | null) => ground.pawl(argv(plan, server.url(database, ROLE), random), aim);
  const drive = new Drive(ground, launch, () => ground.finishedRun());
  const meddler = plan.meddled ? new Meddler(server, database, plan.rows, plan.seed) : null;
  const began = Date.now();
  let failure: string | null = null;
  try {
    const summary = await drive.run(plan.faults);
    await check(ground, plan, summary, (await meddler?.stop()) ?? 0);
    await checkRuns(ground, summary);
    checkStore(ground);
  } catch (error) {
    failure = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
  await ground.close();
  await meddler?.stop();
  const wasAtPoint = ground.loaders.some((loader) => loader.wasAtPoint);
  const { struck, launches, gaveUp } = drive;
  const seconds = ((Date.now() - began) / 1000).toFixed(1);
  const line = `${describe(plan, number)} ${struck.join(" ") || "no fault"} | ${launches} launches, ${seconds} s`;
  if (failure === null) rmSync(folder, { recursive: true });
  else writeFileSync(join(folder, "faults.txt"), `${plan.faults.map(describeFault).join("\n")}\n`);
  await server.with("postgres", (client) => client.query(`drop database ${database} with (force)`));
  return { line, struck, wasAtPoint, gaveUp, failure, folder };
}

function argv(plan: BackfillPlan, url: string, random: Random): string[] {
  const args = ["backfill", "--url", url, "--table", TABLE, "--max-quarantined", "1000000", "--json"];
  if (plan.way === "set") args.push("--set", "v = v + 1", "--set", "seen = other");
  else args.push("--transform", "step.mjs");
  if (plan.filtered) args.push("--where", meant(plan));
  args.push("--commit-time", random.pick(plan.commitTimes));
  const concurrency = random.pick(plan.concurrency);
  if (concurrency !== null) args.push("--concurrency", String(concurrency));
  return args;
}

async function check(ground: Ground, plan: BackfillPlan, summary: Summary, raised: number): Promise<void> {
  const found = await findings(ground.server, ground.database, plan, raised);
  expect(found.wrong.length === 0, () => `rows were not changed just once: ${JSON.stringify(found.wrong)}`);
  // A commit whose answer a crash of the server swallowed was made, although the program did not count it.
  expect(found.lost <= 0, () => `${found.lost} changes of others were overwritten`);
  const { read, written, unchanged, skipped, quarantined } = summary;
  expect(
    read === found.meant &&
      written === found.meant - found.refused &&
      written === found.changes &&
      quarantined === found.refused &&
      unchanged + skipped === 0,
    () => `of ${found.meant} rows, ${found.refused} of them refused: ${JSON.stringify(summary)}`,
  );
}

function describe(plan: BackfillPlan, number: number): string {
  const words = [
    `#${number} backfill by ${plan.way}, ${plan.rows} rows by ${plan.kind}`,
    plan.refused > 0 ? `one in ${plan.refused} refused` : null,
    plan.filtered ? "two of three" : null,
    plan.meddled ? "in use" : null,
  ];
  return `${words.filter((word) => word !== null).join(", ")} |`;
}
