import { randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { createInterface } from "node:readline/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

/**
 * Writes a file whole or not at all. However often a task runs, and whatever kills it, what follows reads either the
 * whole file or none.
 */
export async function writeWhole(
  path: string,
  pieces: AsyncIterable<string | Uint8Array> | Iterable<string>,
  signal?: AbortSignal,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const part = `${path}.${randomUUID()}.part`;
  await pipeline(Readable.from(pieces), createWriteStream(part), signal === undefined ? {} : { signal });
  await rename(part, path);
}

/** The rows of a CSV file of ours, without its header. */
export async function* rowsOf(path: string): AsyncGenerator<string[], void, undefined> {
  let header = true;
  for await (const line of createInterface({ input: createReadStream(path) })) {
    if (!header) yield line.split(",");
    header = false;
  }
}
