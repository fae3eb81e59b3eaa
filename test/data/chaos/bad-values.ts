import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readCsv } from "../../../src/data/index.ts";
import { PawlError } from "../../../src/errors.ts";
import { columns, type Ground, leftovers } from "./ground.ts";

/** One value of a CSV, wherever it is, does not fit its declared type: no result may end before it as if it were the end. */
export async function badValue(ground: Ground, random: () => number): Promise<string | null> {
  const folder = await ground.empty("bad");
  const path = join(folder, "bad.csv");
  const lines = (await readFile(ground.csv, "utf8")).trimEnd().split("\n");
  const place = 1 + Math.floor(random() * ground.rows);
  const parts = (lines[place] ?? "").split(",");
  const column = Math.floor(random() * 4);
  lines[place] = parts
    .with(column, ["x", "", "99999999999999999999", "2024-02-30"][Math.floor(random() * 4)] ?? "")
    .join(",");
  await writeFile(path, `${lines.join("\n")}\n`);
  const frame = readCsv(path, columns);
  const results = ["rows", "batches", "collect", "write"] as const;
  const result = results[Math.floor(random() * results.length)] ?? "rows";
  const what = `${result} of a CSV with ${JSON.stringify(lines[place])} in line ${place + 1}`;
  let rows = 0;
  try {
    if (result === "rows") for await (const _ of frame.rows()) rows++;
    else if (result === "batches") for await (const batch of frame.batches()) rows += batch.rows;
    else if (result === "collect") rows = (await frame.collect()).length;
    else await frame.writeParquet(join(folder, "out.parquet"));
  } catch (error) {
    if (!(error instanceof PawlError)) return `${what}: rejected with ${error}`;
    if (!error.message.includes(String(place + 1)))
      return `${what}: the message names no line: ${error.message}`;
    const left = result === "write" ? await leftovers(join(folder, "out.parquet")) : [];
    return left.length === 0 ? null : `${what} left ${left.join(", ")}`;
  }
  const isGood = column === 3 && /^\d+$/.test(lines[place]?.split(",")[3] ?? "");
  return isGood && rows === ground.rows ? null : `${what}: a success with ${rows} rows of ${ground.rows}`;
}
