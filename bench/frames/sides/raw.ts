import { readFileSync } from "node:fs";
import { join } from "node:path";
import { version } from "@duckdb/node-api";
import { openRaw, quoted } from "../duckdb.ts";
import { cpuOf, type Job, readJob, report } from "../side.ts";

/** DuckDB through `@duckdb/node-api`, with the statement that a user would write. */
const job = readJob();
if (job === null) {
  console.log(`DuckDB ${version()} through @duckdb/node-api`);
} else {
  // What the process itself needs stands beside the engine's limit.
  using raw = await openRaw({
    memory_limit: `${Math.round(job.memory - 150e6)}B`,
    temp_directory: job.scratch,
  });
  report(await run(job, raw));
}

async function run(job: Job, raw: Awaited<ReturnType<typeof openRaw>>): Promise<Record<string, unknown>> {
  const csv = (
    options = "",
  ) => `read_csv(${quoted(job.input)}, header = true, delim = ',', quote = '"', columns = {
    id: 'BIGINT', "user": 'BIGINT', amount: 'DOUBLE', country: 'VARCHAR', card_country: 'VARCHAR', merchant: 'VARCHAR',
    ts: 'TIMESTAMP'}${options})`;
  const byUser = (
    from: string,
  ) => `COPY (SELECT "user", sum(amount) AS total, count(*) AS n, avg(amount) AS mean
    FROM ${from} WHERE amount > 100 GROUP BY "user") TO ${quoted(job.output)} (FORMAT parquet, COMPRESSION snappy)`;
  const parquet = `read_parquet(${quoted(job.input)})`;
  switch (job.case) {
    case "csv":
      await raw.run(byUser(csv()));
      return {};
    case "parquet":
      await raw.run(byUser(parquet));
      return {};
    case "quarantine": {
      await raw.run(byUser(csv(", store_rejects = true, rejects_limit = 0")));
      const [row] = await raw.rows("SELECT count(DISTINCT (file_id, line)) AS rejected FROM reject_errors");
      return { rejected: Number(row?.rejected) };
    }
    case "dropping":
      await raw.run(byUser(csv(", ignore_errors = true")));
      return {};
    case "keys":
      await raw.run(`COPY (SELECT count(*) AS "user", sum(total) AS total, sum(n)::BIGINT AS n, avg(total) AS mean FROM
        (SELECT id, sum(amount) AS total, count(*) AS n FROM ${parquet} GROUP BY id))
        TO ${quoted(job.output)} (FORMAT parquet, COMPRESSION snappy)`);
      return {};
    case "tpch": {
      const questions = JSON.parse(readFileSync(join(job.input, "questions.json"), "utf8")) as {
        number: number;
        sql: string;
      }[];
      const tables = ["customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"];
      for (const table of tables) {
        const path = quoted(join(job.input, `${table}.parquet`));
        await raw.run(`CREATE VIEW ${table} AS FROM read_parquet(${path})`);
      }
      const answers: unknown[] = [];
      for (const { number, sql } of questions) {
        const { value, seconds } = await cpuOf(async () => {
          const result = await raw.connection.runAndReadAll(sql);
          return result.getRowsJson();
        });
        answers.push({ number, seconds, rows: value });
      }
      return { answers };
    }
    default:
      throw new Error(`DuckDB has no case ${job.case}`);
  }
}
