import { copyFile, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { readCsv, readParquet } from "../../../src/data/index.ts";
import { columns, type Ground } from "./ground.ts";

/** A file is cut off before it is read, or changed while it is. */
export async function changeFile(ground: Ground, random: () => number): Promise<string | null> {
  const folder = await ground.empty("changed");
  const ways = [
    "cut parquet",
    "cut gzip",
    "parquet while read",
    "csv while read",
    "csv replaced while read",
  ] as const;
  const way = ways[Math.floor(random() * ways.length)] ?? "cut parquet";
  const path = join(
    folder,
    way.includes("parquet") ? "file.parquet" : way === "cut gzip" ? "file.csv.gz" : "file.csv",
  );
  if (way === "cut gzip") {
    const whole = gzipSync(await readFile(ground.csv), { level: 1 });
    await writeFile(path, whole.subarray(0, 1 + Math.floor(random() * (whole.length - 1))));
  } else {
    await copyFile(path.endsWith(".csv") ? ground.csv : ground.source, path);
  }
  const size = (await readFile(path)).length;
  const cut = 1 + Math.floor(random() * (size - 1));
  if (way === "cut parquet") await truncate(path, cut);
  const frame = path.endsWith("parquet") ? readParquet(path, columns) : readCsv(path, columns);
  let rows = 0;
  let first = true;
  try {
    for await (const batch of frame.batches()) {
      rows += batch.rows;
      if (!first) continue;
      first = false;
      if (way === "parquet while read" || way === "csv while read") await truncate(path, cut);
      if (way === "csv replaced while read")
        await writeFile(path, (await readFile(ground.csv)).subarray(0, cut));
    }
  } catch {
    return null;
  }
  return rows === ground.rows
    ? null
    : `${way} at byte ${cut} of ${size}: a success with ${rows} rows of ${ground.rows}`;
}
