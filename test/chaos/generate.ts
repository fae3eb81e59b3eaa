import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { encodeRecord } from "./encode.ts";
import type { Plan } from "./plan.ts";
import { Random } from "./random.ts";
import type { Rows } from "./rows.ts";

/** Writes the rows of a scenario as its input files, in file order. Returns their paths. */
export function writeFiles(plan: Plan, rows: Rows, folder: string): string[] {
  const random = new Random(plan.seed).fork("files");
  const cuts = Array.from({ length: plan.files - 1 }, () => random.int(0, rows.occurrences.length));
  const bounds = [0, ...cuts.sort((a, b) => a - b), rows.occurrences.length];
  return Array.from({ length: plan.files }, (_, index) => {
    const records = rows.occurrences.slice(bounds[index], bounds[index + 1]).map(({ raw }) => raw);
    const bytes = fileBytes(random, plan, rows, records);
    const path = join(folder, `part ${index + 1}.csv${plan.gzip ? ".gz" : ""}`);
    writeFileSync(path, plan.gzip ? gzipped(random, bytes) : bytes);
    return path;
  });
}

function fileBytes(random: Random, plan: Plan, rows: Rows, records: readonly Buffer[]): Buffer {
  const lineEnd = Buffer.from(random.chance(0.4) ? "\r\n" : "\n");
  const names = rows.order.map((column) => rows.shape.columns[column]?.name ?? "");
  const pieces: Buffer[] = random.chance(0.2) ? [Buffer.from("\ufeff")] : [];
  pieces.push(encodeRecord(random, names, plan.dialect), lineEnd);
  for (const record of records) {
    pieces.push(record, lineEnd);
    while (random.chance(plan.blankRate)) pieces.push(lineEnd);
  }
  if (random.chance(0.3)) pieces.pop();
  return Buffer.concat(pieces);
}

/** One gzip member, or several in a row, which the format allows. */
function gzipped(random: Random, bytes: Buffer): Buffer {
  const cut = random.chance(0.3) ? random.int(0, bytes.length) : bytes.length;
  return Buffer.concat([
    gzipSync(bytes.subarray(0, cut), { level: 1 }),
    gzipSync(bytes.subarray(cut), { level: 1 }),
  ]);
}
