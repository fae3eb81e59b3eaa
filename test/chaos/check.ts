import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { checkAudit } from "./audit.ts";
import { joined } from "./columns.ts";
import type { Ground } from "./ground.ts";
import { expect } from "./mismatch.ts";
import { type Oracle, withStamp } from "./oracle.ts";
import type { Summary } from "./result.ts";
import type { Rows } from "./rows.ts";
import { PASSWORD } from "./server.ts";
import type { Stage } from "./stage.ts";
import { type Effect, readEffects, readTable } from "./target.ts";

/** The table is what the oracle says, and each row's effect was committed once. */
export async function checkTarget(stage: Stage, oracle: Oracle): Promise<readonly Effect[]> {
  const { effects, rows } = await stage.server.with(stage.database, async (client) => ({
    effects: await readEffects(client),
    rows: await readTable(client, stage.plan.shape),
  }));
  const actual = rows.map((row) => withStamp(joined(row.slice(0, -1)), row.at(-1) ?? null)).sort();
  const missing = less(oracle.table, actual);
  const extra = less(actual, oracle.table);
  expect(
    missing.length + extra.length === 0,
    () =>
      `the table is not what it must be: ${missing.length} rows missing, ${extra.length} rows wrong or twice\n` +
      [...missing.slice(0, 2).map((row) => `  missing ${JSON.stringify(row)}`)].join("\n") +
      [...extra.slice(0, 2).map((row) => `\n  wrong   ${JSON.stringify(row)}`)].join(""),
  );
  checkAudit(stage.plan.mode, oracle, effects, stage.plan.withoutSchema);
  return effects;
}

/** What is in one sorted list beyond what is in the other, as often as it is. */
function less(list: readonly string[], other: readonly string[]): string[] {
  const rest: string[] = [];
  let at = 0;
  for (const text of list) {
    while (at < other.length && (other[at] as string) < text) at++;
    if (other[at] === text) at++;
    else rest.push(text);
  }
  return rest;
}

/** The summary adds up, to what the files held and to what was done. */
export function checkSummary(
  stage: Stage,
  rows: Rows,
  oracle: Oracle,
  effects: number,
  summary: Summary,
): void {
  const { plan } = stage;
  const { read, added = 0, written, unchanged, skipped, quarantined } = summary;
  const told = JSON.stringify(summary);
  expect(read === rows.occurrences.length, () => `${rows.occurrences.length} rows were to be read: ${told}`);
  expect(added === 0, () => `nothing was to be added: ${told}`);
  expect(read === written + unchanged + skipped + quarantined, () => `the counts do not add up: ${told}`);
  const least = oracle.bad.length - oracle.overtaken.size;
  expect(
    quarantined >= least && quarantined <= oracle.bad.length,
    () => `${oracle.bad.length} rows are bad: ${told}`,
  );
  // Where the checkpoint follows the effect, a chunk done again finds its rows as they should be.
  const honest = plan.withoutSchema ? written <= effects : written === effects;
  expect(honest, () => `${effects} effects were committed: ${told}`);
  if (plan.duplicateRate > 0) return;
  const present = [...oracle.arrivals].filter(([key]) => oracle.initial.has(key));
  const same = present.filter(([key, [row]]) => oracle.initial.get(key) === row).length;
  if (plan.mode === "update" && !plan.withoutSchema) {
    expect(unchanged === same && skipped === 0, () => `${same} rows were as they should be: ${told}`);
  }
  if (plan.mode === "ignore") {
    const passed = unchanged + skipped - present.length;
    expect(
      passed >= 0 && passed <= oracle.overtaken.size,
      () => `${present.length} rows were there before: ${told}`,
    );
  }
  // What stands in the place of a bad key may come twice.
  expect(summary.duplicates === 0 || oracle.bad.length > 0, () => `no key came twice: ${told}`);
}

/** Whatever happened, the store knows of one run, and tells of it what the summary told. */
export async function checkRuns(stage: Ground, summary: Summary): Promise<void> {
  const runs = await stage.runs();
  const told = (run: Summary | undefined) =>
    run && [run.run, run.state, run.read, run.written, run.unchanged, run.skipped, run.quarantined].join();
  expect(
    runs.length === 1 && told(runs[0]) === told(summary),
    () => `status tells of ${JSON.stringify(runs)} and the load of ${JSON.stringify(summary)}`,
  );
}

/** The store is whole, and holds no secret; nor does anything that was printed. */
export function checkStore(stage: Ground): void {
  const store = new DatabaseSync(stage.store, { readOnly: true });
  const answer = store.prepare("PRAGMA integrity_check").all();
  store.close();
  expect(
    answer.length === 1 && answer[0]?.integrity_check === "ok",
    () => `the store is not whole: ${JSON.stringify(answer)}`,
  );
  const state = dirname(stage.store);
  const kept = readdirSync(state, { recursive: true, withFileTypes: true }).map(
    (e) => [e.parentPath, e] as const,
  );
  const printed = readdirSync(stage.folder, { withFileTypes: true }).map((e) => [stage.folder, e] as const);
  for (const [folder, entry] of [...kept, ...printed]) {
    if (!entry.isFile() || entry.name.includes(".csv")) continue;
    const path = join(folder, entry.name);
    expect(!readFileSync(path).includes(PASSWORD), () => `the password stands in ${path}`);
  }
}
