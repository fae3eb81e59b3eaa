import { randomFrom } from "../../random.ts";
import { badValue } from "./bad-values.ts";
import { changeFile } from "./changed-files.ts";
import { fillDisk } from "./full-disk.ts";
import { Ground } from "./ground.ts";
import { interrupt } from "./interrupts.ts";
import { killWriter } from "./kills.ts";

/** One way in which the world misbehaves; says what went wrong then, null where nothing did. */
type Fault = (ground: Ground, random: () => number) => Promise<string | null>;

const FAULTS = new Map<string, Fault>([
  ["kill", killWriter],
  ["interrupt", interrupt],
  ["bad-value", badValue],
  ["changed-file", changeFile],
  ["full-disk", fillDisk],
]);

export interface FramesSeason {
  readonly seed: string;
  readonly seconds: number;
  /** How many faults in all. */
  readonly faults: number;
  /** Only this fault; null for all in turn. */
  readonly only: string | null;
}

/**
 * Disturbs frames until the seconds or the faults are over: no result may be short and called a success, and what stood at the target of a
 * writer, or what it wrote, is there whole. Tells whether it was so.
 */
export async function disturbFrames({ seed, seconds, faults, only }: FramesSeason): Promise<boolean> {
  const names = only === null ? [...FAULTS.keys()] : [only];
  const random = randomFrom(hashOf(seed));
  const until = performance.now() + seconds * 1000;
  const counts = new Map<string, number>();
  const violations: string[] = [];
  await using ground = await Ground.open(120_000);
  for (let number = 0; number < faults && performance.now() < until; number++) {
    const name = names[number % names.length] ?? "";
    const fault = FAULTS.get(name);
    if (fault === undefined)
      throw new Error(`there is no fault ${name}: choose from ${[...FAULTS.keys()].join(", ")}`);
    const violation = await fault(ground, random);
    counts.set(name, (counts.get(name) ?? 0) + 1);
    if (violation !== null) {
      violations.push(violation);
      console.log(`VIOLATION ${number + 1}: ${violation}`);
    }
  }
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  console.log(
    `frames: ${total} faults (${[...counts].map(([name, count]) => `${name} ${count}`).join(", ")}), ${violations.length} violations`,
  );
  return violations.length === 0;
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}
