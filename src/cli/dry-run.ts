import type { PreparedRun } from "../batch/index.ts";
import { megabytes } from "./sizes.ts";

/** Shows what a run would do. Nothing was changed to find out. */
export async function dryRun(prepared: PreparedRun, json: boolean): Promise<void> {
  const { source, sink, notes } = prepared;
  try {
    const plan = {
      source: source.name,
      bytes: source.bytes,
      columns: source.columns,
      guarantee: sink.guarantee,
      ordering: sink.ordering.kind,
      notes,
    };
    if (json) {
      process.stdout.write(`${JSON.stringify(plan)}\n`);
      return;
    }
    const size = source.bytes === null ? "" : `, ${megabytes(source.bytes)}`;
    const lines = [
      `would load ${source.name}${size}`,
      ...(source.columns ? [`  columns    ${source.columns.join(", ")}`] : []),
      `  guarantee  ${sink.guarantee}`,
      ...notes.map((note) => `  ${note}`),
      "nothing was written: leave out --dry-run to begin",
    ];
    process.stdout.write(`${lines.join("\n")}\n`);
  } finally {
    await sink.close();
  }
}
