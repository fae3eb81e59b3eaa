import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { machine } from "../load/machine.ts";
import { contestants, type Side } from "./contestants.ts";
import { Places } from "./places.ts";

/** What a copy of very many objects holds in memory, where all of them are there already: the listing is the work. */
const { values } = parseArgs({
  options: {
    keys: { type: "string", default: "100000,1000000" },
    who: { type: "string", default: "pawl,rclone" },
    dir: { type: "string", default: tmpdir() },
  },
});
const most = 256 * 2 ** 20;

await Places.with(values.dir, async (places) => {
  console.log(machine());
  for (const keys of values.keys.split(",").map((text) => Number(text.replaceAll("_", "")))) {
    console.log(`${keys.toLocaleString("en-US")} objects, all of them unchanged, S3 to another S3`);
    const side = async (server: "near" | "far"): Promise<Side> => {
      const name = await places.bucket(server);
      const script = join(import.meta.dirname, "make_keys.py");
      const made = spawnSync("python3", [script, places[server].folderOf(name), String(keys)], {
        stdio: "inherit",
      });
      if (made.status !== 0) throw new Error("the objects could not be made");
      return { kind: "bucket", server, name };
    };
    const [from, to] = [await side("near"), await side("far")];
    for (const each of contestants.filter(({ name }) => values.who.split(",").includes(name))) {
      const { seconds, peakBytes, stdout } = await each.copy(places, { from, to, large: false });
      let verdict = "";
      if (each.name === "pawl") {
        const { read, unchanged } = JSON.parse(stdout);
        if (read !== keys || unchanged !== keys) throw new Error(`of ${keys} objects: ${stdout}`);
        verdict = peakBytes <= most ? "  (met: 256 MiB)" : "  (MISSED: 256 MiB)";
      }
      console.log(
        `  ${each.name.padEnd(7)} ${seconds.toFixed(1).padStart(7)} s  peak ${Math.round(peakBytes / 2 ** 20)} MiB${verdict}`,
      );
    }
  }
});
