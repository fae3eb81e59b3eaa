import { version } from "@duckdb/node-api";
import { openRaw, quoted } from "../../frames/duckdb.ts";
import { readJob, report } from "../../frames/side.ts";

/** DuckDB over raw lines, so that what is malformed is counted and not only dropped. */
const job = readJob();
if (job === null) {
  console.log(`DuckDB ${version()} through @duckdb/node-api`);
} else {
  using raw = await openRaw({
    memory_limit: `${Math.round(job.memory - 150e6)}B`,
    temp_directory: job.scratch,
  });
  // A byte that no line holds, so that a line is one column.
  const lines = `read_csv(${quoted(job.input)}, header = false, delim = '\x01', quote = '', escape = '',
    columns = { line: 'VARCHAR' }, auto_detect = false)`;
  // A condition beside json_valid would not keep the engine from looking into what is none.
  const [row] =
    await raw.rows(`SELECT count(*)::INT AS read, count(*) FILTER (event IS NULL)::INT AS malformed,
    count(event->>'message') FILTER ((event->>'level') = 'ERROR')::INT AS count
    FROM (SELECT CASE WHEN json_valid(line) THEN line END AS event FROM ${lines})`);
  report({ read: row?.read, malformed: row?.malformed, count: row?.count });
}
