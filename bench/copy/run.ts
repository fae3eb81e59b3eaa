import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { machine } from "../load/machine.ts";
import { contestants, type Order, type Side } from "./contestants.ts";
import { makeFiles, md5, md5OfFile, nameOf } from "./inputs.ts";
import { Places } from "./places.ts";
import { Table, type Work } from "./table.ts";

const { values } = parseArgs({
  options: {
    small: { type: "string", default: "20000x20000" },
    large: { type: "string", default: "20x200000000" },
    only: { type: "string", default: "small,large" },
    // up: folder to S3; across: S3 to S3; down: S3 to folder. Each of the first two also once more with nothing to do.
    ways: { type: "string", default: "up,across,down" },
    who: { type: "string", default: "pawl,rclone,s5cmd" },
    repeat: { type: "string", default: "1" },
    dir: { type: "string", default: tmpdir() },
  },
});
const ways = values.ways.split(",");
const who = contestants.filter(({ name }) => values.who.split(",").includes(name));

await Places.with(values.dir, async (places) => {
  console.log(machine());
  for (const size of values.only.split(",") as ("small" | "large")[]) {
    const [count = 0, bytes = 0] = values[size].split("x").map(Number);
    const work = { what: `${count.toLocaleString("en-US")} × ${inBytes(bytes)}`, count, bytes };
    await contest(places, { ...work, large: size === "large" });
  }
});

async function contest(places: Places, work: Work): Promise<void> {
  console.log(work.what);
  const folder: Side = { kind: "folder", path: places.folder() };
  await makeFiles(folder.path, work.count, work.bytes);
  const bucket = async (server: "near" | "far"): Promise<Side> => ({
    kind: "bucket",
    server,
    name: await places.bucket(server),
  });
  const source = await bucket("near");
  const [first] = who;
  assert.ok(first);
  await first.copy(places, { from: folder, to: source, large: work.large });
  const table = new Table(work);
  const used: Side[] = [];
  for (let round = 1; round <= Number(values.repeat); round++) {
    for (const each of rotated(who, round)) {
      const go = async (way: string, from: Side, to: Side, again: boolean) => {
        const order = { from, to, large: work.large };
        settle();
        const measured = await each.copy(places, order);
        table.add(way, each, measured);
        if (to.kind === "folder") {
          // Pawl has flushed each file by then; what the others wrote is in memory still, and gone with the power.
          const seconds = measured.seconds + settle();
          table.add(`${way}, until it is on the disk`, each, { ...measured, seconds });
        }
        await check(places, folder.path, order, work);
        if (again && each.name !== "s5cmd") {
          settle();
          table.add(`${way}, nothing to do`, each, await each.copy(places, order));
        }
        // A folder that has just lost many files is slow to take new ones: the next run would pay for it.
        if (work.large) await remove(places, to);
        else used.push(to);
      };
      if (ways.includes("up")) await go("folder to S3", folder, await bucket("near"), true);
      if (ways.includes("across") && each.betweenServers)
        await go("S3 to another S3", source, await bucket("far"), true);
      if (ways.includes("down"))
        await go("S3 to folder", source, { kind: "folder", path: places.folder() }, false);
    }
  }
  table.print();
  for (const side of used) await remove(places, side);
  await remove(places, source);
  await remove(places, folder);
}

/** What one program has written must not be on its way to the disk while the next one is measured. Returns the seconds it took. */
function settle(): number {
  const began = performance.now();
  spawnSync("sync");
  return (performance.now() - began) / 1000;
}

/** A fast copy must also be right: every object is there in its size, and a few are compared whole. */
async function check(places: Places, original: string, { to }: Order, { count, bytes }: Work): Promise<void> {
  const samples = [...new Set([0, Math.floor(count / 2), count - 1])].map(nameOf);
  const sums: string[] = [];
  let sizes: number[];
  if (to.kind === "folder") {
    const names = readdirSync(to.path, { recursive: true, encoding: "utf8" });
    sizes = names.filter((name) => name.endsWith(".jpg")).map((name) => statSync(join(to.path, name)).size);
    for (const name of samples) sums.push(await md5OfFile(join(to.path, name)));
  } else {
    const client = places[to.server].client(to.name);
    sizes = (await client.all()).map(({ size }) => size);
    for (const name of samples) sums.push(md5((await client.get(name)).body));
  }
  assert.deepEqual([sizes.length, sizes.every((size) => size === bytes)], [count, true]);
  assert.deepEqual(sums, await Promise.all(samples.map((name) => md5OfFile(join(original, name)))));
}

async function remove(places: Places, side: Side): Promise<void> {
  if (side.kind === "folder") rmSync(side.path, { recursive: true, force: true });
  else await places[side.server].dropBucket(side.name);
}

/** Each round begins with another one. */
function rotated<T>(list: readonly T[], by: number): T[] {
  const at = (by - 1) % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}

function inBytes(bytes: number): string {
  return bytes >= 1e6 ? `${bytes / 1e6} MB` : `${bytes / 1e3} KB`;
}
