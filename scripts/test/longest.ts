/** The files that take longest on an idle machine, the longest first. To be off by some seconds costs nothing. */
export const LONGEST = [
  "test/tasks/postgres.test.ts",
  "test/cli/runs/control.test.ts",
  "test/connect/postgres/sink/change/change.test.ts",
  "test/connect/objects/transfer/faults.test.ts",
  "test/store/postgres/conformance.test.ts",
  "test/tasks/attempt/child-pool.test.ts",
  "test/cli/faults.test.ts",
  "test/connect/postgres/sink/triggers-and-rules.test.ts",
  "test/connect/postgres/source/table-source.test.ts",
  "test/chaos/tasks/short.test.ts",
  "test/connect/postgres/sink/load/wide-rows.test.ts",
  "recipes/reports/reports.test.ts",
  "test/tasks/worker/killed-workers.test.ts",
  "test/tasks/sqlite.test.ts",
  "test/cli/worker/take-part.test.ts",
  "test/docs/examples.test.ts",
  "test/store/sqlite/conformance.test.ts",
  "test/cli/backfill/backfill.test.ts",
  "test/chaos/short.test.ts",
  "test/connect/postgres/sink/load/differential.test.ts",
  "test/cli/copy/copy.test.ts",
  "test/store/postgres/troubles.test.ts",
  "test/store/postgres/transactions.test.ts",
  "test/store/postgres/model.test.ts",
  "test/store/postgres/schema.test.ts",
  "test/tasks/content.test.ts",
  "test/pool/limits.test.ts",
  "test/cli/runs/next-commands.test.ts",
  "test/connect/postgres/sink/load/delete-missing.test.ts",
  "test/pool/actor/ends.test.ts",
  "test/tasks/worker/worker.test.ts",
  "test/tasks/schedule/times.test.ts",
  "test/tasks/seeing.test.ts",
  "test/store/postgres/plans.test.ts",
  "test/store/postgres/ownership.test.ts",
  "test/pool/worker/deaths.test.ts",
  "test/pool/actor/deaths.test.ts",
  "test/tasks/worker/processes.test.ts",
  "test/tasks/telemetry/telemetry.test.ts",
];

/** The files in an order in which none is waited for alone in the end. */
export function longestFirst(files: readonly string[]): string[] {
  const known = LONGEST.filter((file) => files.includes(file));
  return [...known, ...files.filter((file) => !known.includes(file))];
}
