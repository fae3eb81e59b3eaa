import { readFileSync } from "node:fs";
import { join } from "node:path";
import { load } from "../../tasks/peers.ts";
import { readJob, report } from "../side.ts";

/** Polars' own package for Node, which has an older engine than the Python one. */
const { default: pl } = await load("nodejs-polars");
const job = readJob();
if (job === null) {
  const path = join(import.meta.dirname, "../../.peers/node_modules/nodejs-polars/package.json");
  console.log(`nodejs-polars ${JSON.parse(readFileSync(path, "utf8")).version}`);
} else {
  const amount = pl.col("amount");
  const frame = job.case === "csv" ? pl.scanCSV(job.input) : pl.scanParquet(job.input);
  const result = frame
    .filter(amount.gt(100))
    .groupBy("user")
    .agg(amount.sum().alias("total"), amount.count().alias("n"), amount.mean().alias("mean"));
  (await result.collect({ streaming: true })).writeParquet(job.output, { compression: "snappy" });
  report({});
}
