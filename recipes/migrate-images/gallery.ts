import { createReadStream } from "node:fs";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { extname, join, normalize } from "node:path";
import sharp from "sharp";

const TYPES = new Map([
  [".jpeg", "image/jpeg"],
  [".png", "image/png"],
  [".webp", "image/webp"],
  [".svg", "image/svg+xml"],
]);

/** Makes `size` good pictures of several kinds and sizes and three bad ones; returns their names. */
export async function makePictures(folder: string, size: number): Promise<string[]> {
  await mkdir(join(folder, "holiday"), { recursive: true });
  const names: string[] = [];
  for (let n = 0; n < size; n++) {
    const kind = (["jpeg", "png", "webp"] as const)[n % 3] ?? "jpeg";
    const [width, height] = n % 2 === 0 ? [1200 + 8 * (n % 50), 900] : [700, 1000 + 5 * (n % 50)];
    const name = `${n % 4 === 0 ? "holiday/" : ""}${String(n).padStart(6, "0")}.${kind}`;
    const color = { r: (n * 40) % 256, g: (n * 80) % 256, b: n % 256 };
    await sharp({
      create: { width: width as number, height: height as number, channels: 3, background: color },
    })
      .toFormat(kind)
      .toFile(join(folder, name));
    names.push(name);
  }
  const noise = sharp({ create: noiseOf(600, 400) }).jpeg();
  const whole = await noise.toBuffer();
  await writeFile(join(folder, "cut-off.jpeg"), whole.subarray(0, whole.length / 2));
  const square =
    '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>';
  await writeFile(join(folder, "drawing.svg"), square);
  await sharp({ create: { width: 7100, height: 7100, channels: 3, background: "white" } })
    .png()
    .toFile(join(folder, "huge.png"));
  return [...names, "cut-off.jpeg", "drawing.svg", "huge.png"];
}

function noiseOf(width: number, height: number) {
  const noise = { type: "gaussian", mean: 128, sigma: 60 } as const;
  return { width, height, channels: 3, background: "white", noise } as const;
}

/** A manifest as the old provider would hand it out: where each picture is, and how it will be called. */
export async function writeManifest(path: string, base: string, names: readonly string[]): Promise<void> {
  const row = (name: string) => `${base}/${name.split("/").map(encodeURIComponent).join("/")},${name}`;
  await writeFile(path, `url,name\n${names.map(row).join("\n")}\n`);
}

/** Serves a folder over HTTP, as the old provider does. */
export function serveFolder(folder: string): Server {
  return createServer(async (request, response) => {
    const path = join(folder, normalize(decodeURIComponent(request.url ?? "/")));
    const found = await stat(path).catch(() => null);
    if (!found?.isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      "content-type": TYPES.get(extname(path)) ?? "application/octet-stream",
      "content-length": found.size,
      "cache-control": "max-age=3600",
    });
    createReadStream(path).pipe(response);
  });
}

/** The bytes of a good picture, to fix a broken link with. */
export function anyPicture(folder: string): Promise<Buffer> {
  return readFile(join(folder, "holiday", "000000.jpeg"));
}
