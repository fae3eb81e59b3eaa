import { count, float64, int64, readCsv, readParquet, text, timestamp } from "../../../dist/data/index.js";
import { cpuOf, type Job, readJob, report } from "../side.ts";
import { spin } from "./spin.ts";

const columns = {
  id: int64(),
  user: int64(),
  amount: float64(),
  country: text(),
  card_country: text(),
  merchant: text(),
  ts: timestamp(),
};

const job = readJob();
if (job === null) console.log("pawl/data");
else report(await run(job));

async function run(job: Job): Promise<Record<string, unknown>> {
  const { memory, output } = job;
  switch (job.case) {
    case "csv":
      await byUser(readCsv(job.input, columns)).writeParquet(output, { memory, compression: "snappy" });
      return {};
    case "parquet":
      await byUser(readParquet(job.input, columns)).writeParquet(output, { memory, compression: "snappy" });
      return {};
    case "quarantine": {
      let rejected = 0;
      await byUser(readCsv(job.input, columns, { bad: "quarantine" })).writeParquet(output, {
        memory,
        compression: "snappy",
        onBadRows: (rows) => {
          rejected += rows.length;
        },
      });
      return { rejected };
    }
    case "keys":
      await readParquet(job.input, columns)
        .groupBy("id")
        .agg((c) => ({ total: c.amount.sum(), n: count() }))
        .agg((c) => ({ user: count(), total: c.total.sum(), n: c.n.sum(), mean: c.total.mean() }))
        .writeParquet(output, { memory, compression: "snappy" });
      return {};
    case "map": {
      const written = await readParquet(job.input, columns)
        .mapPartitions(spin, { input: ["id"], output: { done: int64() } })
        .writeParquet(output, { memory });
      return { rows: written.rows };
    }
    case "tpch": {
      // The questions are programs of the tests, which run the sources.
      const { parseAnswer } = await import("../../../test/data/tpch/answers.ts");
      const { tpchData } = await import("../../../test/data/tpch/data.ts");
      const { questions } = await import("../../../test/data/tpch/questions/index.ts");
      const { tablesOf } = await import("../../../test/data/tpch/tables.ts");
      const data = await tpchData();
      const tables = tablesOf(data);
      const answers: unknown[] = [];
      for (const { number, answer } of data.questions) {
        const { columns: names } = parseAnswer(answer);
        const { value, seconds } = await cpuOf(
          () => questions[number - 1]?.(tables).collect({ memory }) ?? none(number),
        );
        answers.push({
          number,
          seconds,
          rows: value.map((row) => names.map((name) => shown((row as Record<string, unknown>)[name]))),
        });
      }
      return { answers };
    }
    default:
      throw new Error(`Pawl has no case ${job.case}`);
  }
}

function byUser(payments: ReturnType<typeof readCsv<typeof columns>>) {
  return payments
    .filter((c) => c.amount.gt(100))
    .groupBy("user")
    .agg((c) => ({ total: c.amount.sum(), n: count(), mean: c.amount.mean() }));
}

function none(number: number): never {
  throw new Error(`there is no question ${number}`);
}

/** JSON has no words for bigints. */
function shown(value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
