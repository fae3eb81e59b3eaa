import { execFileSync } from "node:child_process";
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { table } from "../pool/table.ts";
import { atMost, beside, type Findings, milliseconds, type Verdict } from "../pool/verdict.ts";
import type { Options } from "./options.ts";
import type { Pickup } from "./pickup-process.ts";
import { type Kind, Places } from "./places.ts";

const ways: readonly { what: string; kind: Kind; worker: "here" | "elsewhere" }[] = [
  { what: "in process, SQLite", kind: "sqlite", worker: "here" },
  { what: "across processes, SQLite", kind: "sqlite", worker: "elsewhere" },
  { what: "in process, PostgreSQL", kind: "postgres", worker: "here" },
  { what: "across processes, PostgreSQL", kind: "postgres", worker: "elsewhere" },
];

/**
 * From the call of `enqueue` to the first line of the handler, with nothing else to do. The call and the claim are both
 * on disk before, so it cannot be less than two flushes of this disk take.
 */
export async function measurePickup({ samples, directory }: Options): Promise<Findings> {
  await using places = new Places(directory);
  const rows: string[][] = [];
  const verdicts: Verdict[] = [];
  for (const { what, kind, worker } of ways) {
    await using place = await places.open(kind);
    const program = join(import.meta.dirname, "pickup-process.ts");
    const flush = quantile(flushes(directory), 0.5);
    const printed = execFileSync(process.execPath, [program, place.address, worker, String(samples)]);
    const { latencies, stored } = JSON.parse(String(printed)) as Pickup;
    const [p50, p99] = [quantile(latencies, 0.5), quantile(latencies, 0.99)];
    const figures = [p50, p99, Math.max(...latencies), quantile(stored, 0.5), flush];
    rows.push([what, ...figures.map(milliseconds)]);
    verdicts.push(
      atMost(`pick-up ${what}: p50`, p50, 5, milliseconds),
      atMost(`pick-up ${what}: p99`, p99, 50, milliseconds),
      beside("  two flushes of the disk just before: p50", milliseconds(2 * flush)),
    );
  }
  const heading = ["enqueue to handler", "p50", "p99", "longest", "stored after (p50)", "one flush (p50)"];
  return { text: table([heading, ...rows]), verdicts };
}

/** How many milliseconds it takes to bring a page at the end of a file to the disk, a hundred times. */
function flushes(parent: string): number[] {
  const directory = mkdtempSync(join(parent, "pawl-flush-"));
  const file = openSync(join(directory, "pages"), "w");
  const page = Buffer.alloc(4096, 1);
  try {
    return Array.from({ length: 100 }, () => {
      const began = performance.now();
      writeSync(file, page);
      fdatasyncSync(file);
      return performance.now() - began;
    });
  } finally {
    closeSync(file);
    rmSync(directory, { recursive: true });
  }
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
