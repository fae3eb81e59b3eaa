import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { measure } from "./measure.ts";
import { table } from "./server.ts";

const command = join(import.meta.dirname, "..", "..", "bin", "pawl.cjs");

export interface Loaded {
  readonly seconds: number;
  /** As seen from outside, and as Pawl itself reports it. */
  readonly peakBytes: number;
  readonly reportedPeakBytes: number;
}

/** Runs `pawl load` the way a user does, with a store of its own, and holds it to its own counts. */
export async function pawlLoad(
  file: { readonly path: string; readonly rows: number },
  url: string,
  directory: string,
  flags: readonly string[] = [],
): Promise<Loaded> {
  const store = mkdtempSync(join(directory, "store-"));
  try {
    const args = [command, "load", file.path, "--into", url, "--table", table, "--json", ...flags];
    const measured = await measure(process.execPath, args, { PAWL_STORE: join(store, "pawl.db") });
    const summary = JSON.parse(measured.stdout.trim().split("\n").at(-1) ?? "");
    const { state, read, written, unchanged, skipped, quarantined } = summary;
    const accounted = written + unchanged + skipped === file.rows && quarantined === 0;
    if (state !== "succeeded" || read !== file.rows || !accounted) {
      throw new Error(`pawl load of ${file.rows} rows came to ${measured.stdout.trim()}`);
    }
    return {
      seconds: measured.seconds,
      peakBytes: measured.peakBytes,
      reportedPeakBytes: summary.peakMemoryBytes,
    };
  } finally {
    rmSync(store, { recursive: true, force: true });
  }
}
