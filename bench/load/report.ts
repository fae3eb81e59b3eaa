import type { Case } from "./cases.ts";

/** What one case came to over all rounds. */
export interface Result {
  readonly case: Case;
  /** The median. */
  readonly seconds: number;
  readonly rows: number;
  readonly bytes: number;
  /** The highest of all rounds, from outside and as the program reports it. */
  readonly peakBytes: number;
  readonly reportedPeakBytes?: number;
}

const headings = ["case", "", "seconds", "rows/s", "MB/s", "ratio", "target", "", "memory", "reported"];

export function tableOf(results: readonly Result[]): string {
  const lines = results.map((result) => {
    const { case: each, seconds, rows, bytes, peakBytes, reportedPeakBytes } = result;
    const rate = Math.round(rows / seconds).toLocaleString("en-US");
    const mebibytes = (count: number) => `${Math.round(count / 2 ** 20)} MiB`;
    return [
      ...[each.name, each.what, seconds.toFixed(1), rate, (bytes / 1e6 / seconds).toFixed(1)],
      ...verdict(result, results),
      ...[mebibytes(peakBytes), reportedPeakBytes === undefined ? "" : mebibytes(reportedPeakBytes)],
    ];
  });
  const rows = [headings, ...lines];
  const widths = headings.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => pad(cell, column, widths))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Ratio, target, and whether it was met. */
function verdict(result: Result, results: readonly Result[]): string[] {
  const { against } = result.case;
  const other = against ? results.find(({ case: { name } }) => name === otherOf(against)) : undefined;
  if (!against || !other) return ["", "", ""];
  if ("faster" in against) {
    const ratio = other.rows / other.seconds / (result.rows / result.seconds);
    const target = `≥ ${against.atLeast} × in rows/s`;
    return [
      `${against.faster} is ${ratio.toFixed(1)} ×`,
      target,
      ratio >= against.atLeast ? "met" : "MISSED",
    ];
  }
  const ratio = result.seconds / other.seconds;
  const shown = `${ratio.toFixed(2)} × ${against.peer}`;
  if (against.atMost === undefined) return [shown, "", ""];
  return [shown, `≤ ${against.atMost}`, ratio <= against.atMost ? "met" : "MISSED"];
}

function otherOf(against: NonNullable<Case["against"]>): string {
  return "faster" in against ? against.faster : against.peer;
}

function pad(cell: string, column: number, widths: readonly number[]): string {
  const width = widths[column] ?? 0;
  const isText = column < 2 || (column > 4 && column < 8);
  return isText ? cell.padEnd(width) : cell.padStart(width);
}
