import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { asCompleted, type Future, Pool, wait } from "pawl/pool";
import { type Analysis, analyse } from "./analyse.ts";
import { makeSamples } from "./samples.ts";

const USAGE = `node shards.ts <folder> [--item 30] [--deadline 600] [--cancel-on-error]
node shards.ts --init <folder> [--count 12]`;

function positive(name: string, text: string): number {
  const number = Number(text);
  if (!(number > 0)) throw new Error(`--${name} needs a number above 0, not "${text}".`);
  return number;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      init: { type: "string" },
      count: { type: "string", default: "12" },
      item: { type: "string", default: "30" },
      deadline: { type: "string", default: "600" },
      "cancel-on-error": { type: "boolean", default: false },
    },
  });
  if (values.init !== undefined) {
    await makeSamples(values.init, positive("count", values.count));
    return 0;
  }
  const [folder] = positionals;
  if (folder === undefined || positionals.length > 1) throw new Error(USAGE);
  const itemMs = positive("item", values.item) * 1000;
  const deadlineMs = positive("deadline", values.deadline) * 1000;
  const names = (await readdir(folder)).filter((name) => name.endsWith(".txt")).sort();

  await using pool = new Pool();
  const nameOf = new Map<Future<Analysis>, string>();
  for (const name of names) {
    // The limit counts from an item's own start, however long it waited for a worker.
    nameOf.set(pool.submitWith({ timeout: itemMs }, analyse, join(folder, name)), name);
  }
  const futures = [...nameOf.keys()];

  // What is not done by the deadline, or at the first error where that was asked for, is ended wherever it is.
  const until = values["cancel-on-error"] ? "firstError" : "all";
  const started = performance.now();
  void wait(futures, { until, timeout: deadlineMs }).then(({ pending }) => {
    const late = performance.now() - started >= deadlineMs;
    const reason = late
      ? `not done by the deadline of ${values.deadline} s`
      : "cancelled after the first error";
    for (const future of pending) future.cancel({ reason, kill: true });
  });

  let failed = 0;
  for await (const future of asCompleted(futures)) {
    const name = nameOf.get(future);
    try {
      const { words, distinct, repeated } = await future.result();
      console.log(`${name}  ${words} words, ${distinct} distinct, twice: "${repeated}"`);
    } catch (error) {
      failed++;
      console.log(`${name}  failed: ${(error as Error).message}`);
    }
  }
  console.log(`${names.length - failed} of ${names.length} done`);
  return failed === 0 ? 0 : 3;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
