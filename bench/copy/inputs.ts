import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

/** Fills a folder with files that are all different, a thousand in each folder below it. */
export async function makeFiles(folder: string, count: number, bytes: number): Promise<void> {
  const piece = Math.min(bytes, 2 ** 20);
  const filling = randomBytes(piece);
  for (let n = 0; n < count; n++) {
    if (n % 1000 === 0) await mkdir(join(folder, below(n)), { recursive: true });
    await using file = await open(join(folder, nameOf(n)), "w");
    for (let at = 0; at < bytes; at += piece) {
      filling.writeUInt32LE(n, 0);
      filling.writeUInt32LE(at / piece, 4);
      await file.write(filling, 0, Math.min(piece, bytes - at));
    }
  }
}

export function nameOf(n: number): string {
  return `${below(n)}/image-${String(n).padStart(8, "0")}.jpg`;
}

function below(n: number): string {
  return `album-${String(Math.floor(n / 1000)).padStart(5, "0")}`;
}

export async function md5OfFile(path: string): Promise<string> {
  const hash = createHash("md5");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}

export function md5(body: Buffer): string {
  return createHash("md5").update(body).digest("hex");
}
