import { readdir, rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join, relative, resolve, sep } from "node:path";
import { parseArgs } from "node:util";
import { each, Pool } from "pawl/pool";
import { partOf, resize } from "./image.ts";
import { startProgress } from "./progress.ts";
import { makeSamples } from "./samples.ts";

const USAGE = `node resize.ts <from> <to> [--width 800] [--height 600] [--max-pixels 50000000] [--timeout 30]
node resize.ts --init <folder> [--count 24]`;

const PICTURE = /\.(jpe?g|png|webp|gif|svg|tiff?|avif|heic|bmp)$/i;

/** Pictures below a folder, as paths relative to it. */
async function picturesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && PICTURE.test(entry.name))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

function sentenceOf(reason: unknown): string {
  const { message } = reason as Error;
  if (/unsupported image format/.test(message)) return "It is not a JPEG, PNG or WebP picture.";
  if (/exceeds pixel limit/.test(message)) return "It has more pixels than --max-pixels allows.";
  return message;
}

const stop = new AbortController();

/** Once: what is under way is brought to its end. Twice: nothing is. */
process.on("SIGINT", () => {
  if (stop.signal.aborted) process.exit(130);
  stop.abort(new Error("Stopped; give the same command again to go on."));
});

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      init: { type: "string" },
      count: { type: "string", default: "24" },
      width: { type: "string", default: "800" },
      height: { type: "string", default: "600" },
      "max-pixels": { type: "string", default: "50000000" },
      timeout: { type: "string", default: "30" },
    },
  });
  const [width, height, maxPixels, seconds, count] = (
    ["width", "height", "max-pixels", "timeout", "count"] as const
  ).map((name) => {
    const number = Number(values[name]);
    if (!(number > 0)) throw new Error(`--${name} needs a number above 0, not "${values[name]}".`);
    return number;
  }) as [number, number, number, number, number];
  if (values.init !== undefined) {
    await makeSamples(values.init, count);
    return 0;
  }
  const [from, to] = positionals.map((path) => resolve(path));
  if (from === undefined || to === undefined || positionals.length > 2) throw new Error(USAGE);
  if (to === from || to.startsWith(from + sep)) {
    throw new Error(`${to} lies in ${from}, and its pictures would be resized again: choose another folder.`);
  }

  const names = await picturesIn(from);
  const workers = availableParallelism();
  // Processes: a picture that crashes the decoder, or never ends in it, ends no other work.
  await using pool = new Pool({ isolate: "process", workers });
  const one = async (name: string) => {
    const order = { from: join(from, name), to: join(to, name), width, height, maxPixels };
    try {
      return await pool.submitWith({ timeout: seconds * 1000 }, resize, order).result();
    } catch (error) {
      await rm(partOf(order.to), { force: true });
      throw error;
    }
  };
  const counts = { resized: 0, unchanged: 0 };
  const failed: string[] = [];
  using progress = startProgress(names.length);
  // A few more than there are workers, so that none waits for its next one.
  const options = {
    concurrency: 2 * workers,
    ordered: false,
    errors: "collect",
    signal: stop.signal,
  } as const;
  for await (const outcome of each(names, one, options)) {
    if (outcome.status === "fulfilled") counts[outcome.value]++;
    else failed.push(`${names[(outcome.reason as { index: number }).index]}: ${sentenceOf(outcome.reason)}`);
    progress.advance();
  }
  progress[Symbol.dispose]();
  console.log(`${counts.resized} resized, ${counts.unchanged} unchanged, ${failed.length} failed`);
  for (const line of failed.sort()) console.log(`  ${line}`);
  return failed.length === 0 ? 0 : 3;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = stop.signal.aborted ? 130 : 1;
}
