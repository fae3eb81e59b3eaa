import { spawnSync } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { PawlError } from "../../../src/errors.ts";
import type { Ground } from "./ground.ts";
import { faultOf, KINDS, type Target } from "./targets.ts";
import { writeGeneration } from "./write.ts";

let said = false;

/** A disk of a few megabytes fills up while a target on it is written: it rejects, and what stood there still does. */
export async function fillDisk(ground: Ground, random: () => number): Promise<string | null> {
  const disk = join(ground.folder, "disk");
  await mkdir(disk, { recursive: true });
  // Of room for one generation, and for some of another.
  const kind = KINDS[Math.floor(random() * KINDS.length)] as Omit<Target, "path">;
  const megabytes = kind.format === "parquet" ? 6 + Math.floor(random() * 4) : 11 + Math.floor(random() * 8);
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", disk]);
  if (mounted.status !== 0) {
    if (!said) console.log("full disks are skipped: only root can mount a small one");
    said = true;
    return null;
  }
  const target: Target = { ...kind, path: join(disk, "target") };
  const what = `${kind.mode} ${kind.format} ${kind.shape} on a disk of ${megabytes} MB`;
  let last = -1;
  try {
    for (let generation = 0; generation < 6; generation++) {
      await writeGeneration(ground.source, target, generation);
      last = generation;
      if (target.mode === "overwrite" && generation === 2) return await faultOf(ground, target, last);
    }
    return `${what} took ${last + 1} generations`;
  } catch (error) {
    const fault = await faultOf(ground, target, last);
    if (fault !== null) return `${what}: ${fault}`;
    return error instanceof PawlError ? null : `${what}: rejected with ${error}`;
  } finally {
    spawnSync("umount", [disk]);
  }
}
