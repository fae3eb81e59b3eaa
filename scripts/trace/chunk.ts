/** A load of a CSV file into PostgreSQL: what runs in its steady state, and in the whole of it (`load`). */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineJob, run } from "../../src/batch/index.ts";
import { csv } from "../../src/connect/csv/index.ts";
import { postgres, runSql, startEmbedded, stopEmbedded } from "../../src/connect/postgres/index.ts";
import { calledSince, calledWithin, inMost, print } from "./windows.ts";

const whole = process.argv[2] === "load";
const folder = await mkdtemp(join(tmpdir(), "pawl-trace-"));
const file = join(folder, "rows.csv");
const ROWS = 400_000;
const lines = ["id,name,amount"];
for (let id = 1; id <= ROWS; id++) lines.push(`${id},Person ${id},${(id * 7919) % 100_000}`);
await writeFile(file, `${lines.join("\n")}\n`);
const data = join(folder, "postgres");
const { url } = await startEmbedded(data);
const windows: Set<string>[] = [];
try {
  await runSql(url, "CREATE TABLE people (id int PRIMARY KEY, name text, amount int)");
  await calledSince();
  const job = defineJob({
    name: "trace",
    key: "trace",
    source: csv(file),
    sink: postgres({ url, table: "people" }),
    chunkSize: { max: 64 * 1024 },
  });
  const running = run(job, { store: join(folder, "store.db") });
  let isOver = false;
  const over = Promise.resolve(running).finally(() => {
    isOver = true;
  });
  while (!isOver && !whole) windows.push(await calledWithin(60));
  const { state } = await over;
  if (state !== "succeeded") throw new Error(`The load ${state}.`);
  if (whole) print("a whole load", [...(await calledSince())]);
  // The first and the last windows hold its beginning and its end.
  else print("a chunk of a load in its steady state", inMost(windows.slice(-24, -4)));
} finally {
  await stopEmbedded(data);
  await rm(folder, { recursive: true, force: true });
}
process.exit();
