import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkTarget } from "./check.ts";
import { Drive } from "./drive.ts";
import { encodeRecord } from "./encode.ts";
import { checkFailures, listFailures } from "./failures.ts";
import type { Fault } from "./faults.ts";
import type { LoaderAim } from "./loader.ts";
import { expect } from "./mismatch.ts";
import { oracle, overtaken } from "./oracle.ts";
import { Random } from "./random.ts";
import type { Occurrence, Rows } from "./rows.ts";
import type { Stage } from "./stage.ts";

/** Corrects most of the bad rows, replays them, perhaps under fire, and checks what is in the table and what is left. */
export async function replay(
  stage: Stage,
  rows: Rows,
  run: string,
  faults: readonly Fault[],
  drives: Drive[],
): Promise<void> {
  const random = new Random(stage.plan.seed).fork("replay");
  const { header, rows: listed } = await listFailures(stage, run);
  const byRaw = Map.groupBy(
    rows.occurrences.filter(({ bad }) => bad !== null),
    ({ raw }) => raw.toString("latin1"),
  );
  const { delimiter } = stage.plan.dialect;
  const lines = [header];
  const mended: Occurrence[] = [];
  const left: Occurrence[] = [];
  const all: Occurrence[] = [];
  for (const { number, raw } of listed) {
    const occurrence = byRaw.get(raw)?.pop();
    if (!occurrence) throw new Error("the listing was checked before");
    const mend = random.chance(0.8);
    (mend ? mended : left).push(occurrence);
    all.push(occurrence);
    const fields = rows.order.map((column) => occurrence.values[column] ?? null);
    const row = mend ? encodeRecord(random, fields, stage.plan.dialect).toString("latin1") : raw;
    lines.push([number, "", row].join(delimiter));
  }
  const path = join(stage.folder, "mended.csv");
  writeFileSync(path, `${lines.join("\n")}\n`, "latin1");

  const launch = (aim: LoaderAim | null) =>
    stage.pawl(["quarantine", "replay", run, "--from", path, "--json"], aim);
  const drive = new Drive(stage, launch, () => stage.finishedReplay(run));
  drives.push(drive);
  const { read, quarantined } = await drive.run(faults);
  const good = new Set(mended);
  const { arrivals, initial } = stage.oracle;
  const there = new Map<string, unknown>([...initial, ...arrivals]);
  const passed = overtaken(stage.plan.mode, all, there, (occurrence) => good.has(occurrence));
  expect(
    read === listed.length && quarantined <= left.length && quarantined >= left.length - passed.size,
    () =>
      `of ${listed.length} rows replayed ${read} were read and ${quarantined} of ${left.length} refused again`,
  );
  await checkTarget(stage, oracle(stage.plan.mode, rows, mended));
  await checkFailures(stage, run, left, passed);
}
