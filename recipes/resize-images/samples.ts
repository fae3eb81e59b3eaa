import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";

/** Makes a folder with good pictures of all kinds and sizes, and three that must be refused. */
export async function makeSamples(folder: string, count: number): Promise<void> {
  await mkdir(join(folder, "holiday"), { recursive: true });
  const kinds = ["jpeg", "png", "webp"] as const;
  for (let n = 0; n < count; n++) {
    const kind = kinds[n % kinds.length] as (typeof kinds)[number];
    const [width, height] = n % 2 === 0 ? [1600 + 16 * n, 1200] : [1000, 1500 + 10 * n];
    const name = `${n % 4 === 0 ? "holiday/" : ""}${String(n).padStart(3, "0")}.${kind}`;
    await gradient(width as number, height as number, n)
      .toFormat(kind)
      .toFile(join(folder, name));
  }
  const whole = await readFile(join(folder, "holiday", "000.jpeg"));
  await writeFile(join(folder, "cut-off.jpg"), whole.subarray(0, whole.length / 2));
  await writeFile(
    join(folder, "drawing.svg"),
    '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>',
  );
  await sharp({ create: { width: 9000, height: 9000, channels: 3, background: "white" } })
    .png()
    .toFile(join(folder, "huge.png"));
}

function gradient(width: number, height: number, seed: number) {
  const data = Buffer.alloc(width * height * 3);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      data[at++] = (x + 40 * seed) % 256;
      data[at++] = (y + 80 * seed) % 256;
      data[at++] = (x * y) % 256;
    }
  }
  return sharp(data, { raw: { width, height, channels: 3 } });
}
