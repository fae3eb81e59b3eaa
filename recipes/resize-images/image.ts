import { mkdir, rename, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { callable } from "pawl/pool";
import sharp from "sharp";

export interface Order {
  readonly from: string;
  readonly to: string;
  readonly width: number;
  readonly height: number;
  /** A picture of more is refused before it is decoded: a small file can hold a very large one. */
  readonly maxPixels: number;
}

// Only these can be read. An SVG, for one, is a program: it may load other files and take for ever.
sharp.block({ operation: ["VipsForeignLoad"] });
sharp.unblock({
  operation: ["VipsForeignLoadJpegFile", "VipsForeignLoadPngFile", "VipsForeignLoadWebpFile"],
});
// One process a core is enough, and no picture comes twice.
sharp.concurrency(1);
sharp.cache(false);

/** Where a picture is written before it is whole. */
export const partOf = (path: string): string => `${path}.part`;

/** Makes one picture fit inside the size asked for, unless that was done since it last changed. */
export const resize = callable(import.meta, async (order: Order): Promise<"resized" | "unchanged"> => {
  const { from, to, width, height, maxPixels } = order;
  const [source, target] = await Promise.all([stat(from), stat(to).catch(() => null)]);
  if (target !== null && target.mtimeMs >= source.mtimeMs) return "unchanged";
  await mkdir(dirname(to), { recursive: true });
  // Of an animation, the first page.
  await sharp(from, { limitInputPixels: maxPixels, pages: 1, failOn: "error" })
    .autoOrient()
    .resize({ width, height, fit: "inside", withoutEnlargement: true })
    .toFile(partOf(to));
  // A program that sees the picture sees all of it.
  await rename(partOf(to), to);
  return "resized";
});
