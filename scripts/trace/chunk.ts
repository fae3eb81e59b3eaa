/** A load of a CSV file into PostgreSQL: what runs for each of its chunks, and in the whole of it (`load`). */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineJob, type OpenSink, run, type Sink, type Writer } from "../../src/batch/index.ts";
import { csv } from "../../src/connect/csv/index.ts";
import { postgres, runSql, startEmbedded, stopEmbedded } from "../../src/connect/postgres/index.ts";
import { filesCalled } from "./coverage.ts";
import { calledSince, pathOf, printAll, printPath } from "./windows.ts";

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
    sink: afterCommit(postgres({ url, table: "people" }), () => windows.push(new Set(filesCalled()))),
    shards: 1,
    chunkSize: { max: 64 * 1024 },
  });
  await run(job, { store: join(folder, "store.db") });
  if (whole)
    printAll(
      "a whole load",
      windows.reduce((all, window) => all.union(window), await calledSince()),
    );
  else {
    // The first and the last ones hold the beginning and the end of the load.
    const steady = windows.slice(10, -10);
    // While a chunk is written the next one is read, so that the way of each goes over two commits.
    const ways = steady.slice(1).map((window, at) => window.union(steady[at] ?? window));
    printPath(
      "a chunk of a load in its steady state",
      `A window goes from the commit of one chunk to that of the second after it, for the way of a chunk goes over two commits: ${ways.length} windows, in the thread of the load.`,
      pathOf(ways),
    );
  }
} finally {
  await stopEmbedded(data);
  await rm(folder, { recursive: true, force: true });
}
process.exit();

/** The same sink, which calls back after each commit of a chunk. */
function afterCommit<T>(sink: Sink<T>, committed: () => void): Sink<T> {
  return replaced(sink, {
    open: async (context) =>
      replaced(await sink.open(context), {
        writer: async function (this: OpenSink<T>, ...options) {
          const writer = await this.writer(...options);
          return replaced(writer, {
            write: async (...chunk: Parameters<Writer<T>["write"]>) => {
              await writer.write(...chunk);
              committed();
            },
          });
        },
      }),
  });
}

/** An object with some of its methods replaced. Those are called with the object itself as `this`, as the others are. */
function replaced<T extends object>(object: T, methods: Partial<T> & ThisType<T>): T {
  return new Proxy(object, {
    get: (target, name) => {
      const value = Reflect.get(Object.hasOwn(methods, name) ? methods : target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
