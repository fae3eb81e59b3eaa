import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { generate, rowsIn } from "./generate.ts";
import { machine } from "./machine.ts";
import { parseBytes } from "./options.ts";
import { pawlLoad } from "./pawl.ts";
import { withServer } from "./scratch.ts";

/** At the default budget; the promise of `pawl load` for a file of any size. */
const budget = 256 * 2 ** 20;
const tolerance = 0.1;

const { values } = parseArgs({
  options: {
    small: { type: "string", default: "400MB" },
    big: { type: "string", default: "5GB" },
    dir: { type: "string", default: tmpdir() },
  },
});

await withServer(values.dir, async (server, directory) => {
  const peaks: number[] = [];
  console.log(machine());
  for (const size of [values.small, values.big]) {
    const path = join(directory, `${size}.csv`);
    const rows = rowsIn(parseBytes(size));
    generate(path, { rows });
    await server.empty();
    await server.settle();
    const loaded = await pawlLoad({ path, rows }, server.url, directory);
    peaks.push(Math.max(loaded.peakBytes, loaded.reportedPeakBytes));
    console.log(
      `${size}: ${rows.toLocaleString("en-US")} rows in ${loaded.seconds.toFixed(1)} s, ` +
        `peak ${mebibytes(loaded.peakBytes)} from outside, ${mebibytes(loaded.reportedPeakBytes)} as reported`,
    );
  }
  const [small = 0, big = 0] = peaks;
  const bounded = Math.max(small, big) <= budget;
  const flat = Math.abs(big / small - 1) <= tolerance;
  console.log(
    `${bounded ? "within" : "ABOVE"} ${mebibytes(budget)}; ` +
      `the big file took ${(big / small).toFixed(2)} × the memory of the small one (${flat ? "met" : "MISSED"}: 1 ± ${tolerance})`,
  );
  if (!bounded || !flat) process.exitCode = 1;
});

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
