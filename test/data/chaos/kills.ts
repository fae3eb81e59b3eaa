import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { type Ground, leftovers } from "./ground.ts";
import { faultOf, generationsIn, KINDS, type Target } from "./targets.ts";
import { writeGeneration } from "./write.ts";

const program = join(import.meta.dirname, "fixtures", "writer.ts");

/** The longest time between the first write and the kill: some ends of writes and beginnings of others lie within. */
const LONGEST_MS = 900;

/**
 * A process that writes generation after generation is killed at a random moment. Then the target is what the last reported write left, or
 * what the next one would have; and the next write into the same place leaves nothing beside it.
 */
export async function killWriter(ground: Ground, random: () => number): Promise<string | null> {
  const kind = KINDS[Math.floor(random() * KINDS.length)] as Omit<Target, "path">;
  const folder = await ground.empty("kills");
  const target: Target = { ...kind, path: join(folder, "target") };
  const what = `kill of ${kind.mode} ${kind.format} ${kind.shape}`;
  let last = -1;
  if (random() < 0.7) {
    await writeGeneration(ground.source, target, 0);
    last = 0;
  }
  last = await killed(ground.source, target, last, random() * LONGEST_MS);
  const fault = await faultOf(ground, target, last);
  if (fault !== null) return `${what}: ${fault}`;
  // The killed one may have published without being able to say so.
  const found = await generationsIn(ground, target, last + 1);
  const next = target.mode === "append" ? (found?.size ?? 0) : last + 1;
  const mode = target.mode === "new" && found !== null ? "overwrite" : target.mode;
  await writeGeneration(
    ground.source,
    {
      ...target,
      mode,
      path: target.mode === "new" && mode === "overwrite" ? `${target.path}-${next}` : target.path,
    },
    next,
  );
  const after = await faultOf(ground, target, next);
  if (after !== null) return `${what}, after the next write: ${after}`;
  const left = await leftovers(target.path);
  return left.length === 0 ? null : `${what} left ${left.join(", ")} after the next write`;
}

/** Resolves with the last generation that the writer reported before it was killed. */
async function killed(source: string, target: Target, last: number, afterMs: number): Promise<number> {
  const job = JSON.stringify({ source, target, first: last + 1 });
  const writer = spawn(process.execPath, [program, job], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(writer, "exit");
  let reported = last;
  const lines = createInterface({ input: writer.stdout });
  const closed = once(lines, "close");
  const ready = once(lines, "line");
  lines.on("line", (line) => {
    if (line !== "ready") reported = Number(line);
  });
  await Promise.race([ready, ended]);
  await Promise.race([sleep(afterMs), ended]);
  if (writer.exitCode !== null) throw new Error(`the writer ended by itself with ${writer.exitCode}`);
  writer.kill("SIGKILL");
  await ended;
  // Lines that were in the pipe still arrive.
  await closed;
  return reported;
}
