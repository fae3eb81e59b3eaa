import { join } from "node:path";
import type { Ground } from "./ground.ts";
import { faultOf, KINDS, type Target } from "./targets.ts";
import { writeGeneration } from "./write.ts";

/** What is interrupted: each resolves with how many rows it delivered. */
const RESULTS = ["rows", "batches", "collect", "count", "write"] as const;

/** A result is interrupted at a random moment: it rejects with the reason, or has come to all rows. */
export async function interrupt(ground: Ground, random: () => number): Promise<string | null> {
  const result = RESULTS[Math.floor(random() * RESULTS.length)] ?? "rows";
  const controller = new AbortController();
  const { signal } = controller;
  const reason = new Error("interrupted by the test");
  const timer = setTimeout(() => controller.abort(reason), random() * 250);
  const kind = KINDS[Math.floor(random() * KINDS.length)] as Omit<Target, "path">;
  const target: Target = { ...kind, path: join(await ground.empty("interrupts"), "target") };
  try {
    if (result === "write") {
      await writeGeneration(ground.source, target, 0);
      await writeGeneration(ground.source, target, 1, signal);
      return await faultOf(ground, target, 1);
    }
    const frame = ground.generation(1);
    let rows = 0;
    if (result === "rows") for await (const _ of frame.rows({ signal })) rows++;
    else if (result === "batches") for await (const batch of frame.batches({ signal })) rows += batch.rows;
    else if (result === "collect") rows = (await frame.collect({ signal })).length;
    else rows = Number(await frame.count({ signal }));
    return rows === ground.rows
      ? null
      : `${result}, interrupted, gave ${rows} rows of ${ground.rows} as a success`;
  } catch (error) {
    if (error !== reason) return `${result}, interrupted, rejected with ${error}`;
    return result === "write" ? await faultOf(ground, target, 0) : null;
  } finally {
    clearTimeout(timer);
  }
}
