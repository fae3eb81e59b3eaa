import { generationOf } from "./ground.ts";
import { pathOf, type Target } from "./targets.ts";

/** Writes a generation to its target, as a program does. */
export async function writeGeneration(
  source: string,
  target: Target,
  generation: number,
  signal?: AbortSignal,
): Promise<void> {
  const frame = generationOf(source, generation);
  const path = pathOf(target, generation);
  const overwrite = target.mode === "overwrite";
  const run = signal === undefined ? {} : { signal };
  if (target.format === "csv") await frame.writeCsv(path, { overwrite, ...run });
  else if (target.format === "jsonl") await frame.writeJsonl(path, { overwrite, ...run });
  else
    await frame.writeParquet(path, {
      overwrite,
      ...(target.mode === "append" ? { append: true } : {}),
      ...(target.shape === "partitions" ? { partitionBy: ["part"] as const } : {}),
      ...run,
    });
}
