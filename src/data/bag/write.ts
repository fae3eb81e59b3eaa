import { createReadStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { assertOptions, assertText, type OptionNames } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import type { FileCompression } from "./collect.ts";
import { type BagRunOptions, RUN_OPTIONS, runSettings } from "./options.ts";
import { assertFree, publishFile, publishFolder, stagingBeside } from "./publish.ts";
import { BagRun } from "./run.ts";
import type { Plan } from "./steps.ts";
import type { BagCounts } from "./tally.ts";

/** How a bag is written. */
export interface BagWriteOptions extends BagRunOptions {
  /**
   * How files are compressed.
   * @default what the end of the name says: `.gz` or `.zst`, and otherwise not at all
   */
  readonly compression?: FileCompression;
}

/** What was written, with what became of the lines that it was made of. */
export interface WrittenBag extends BagCounts {
  /** Items, each a line. */
  readonly written: number;
  /** Bytes of the files. */
  readonly bytes: number;
  /** Their paths. */
  readonly files: readonly string[];
}

const NAMES: OptionNames<BagWriteOptions> = { ...RUN_OPTIONS, compression: true };

const ENDINGS: ReadonlyMap<FileCompression, string> = new Map([
  ["none", ""],
  ["gzip", ".gz"],
  ["zstd", ".zst"],
]);

/** Runs a bag into files beside their target, counts them, and publishes them by their names. */
export async function writeBag(
  plan: Plan,
  format: "jsonl" | "lines",
  path: string,
  options: BagWriteOptions,
): Promise<WrittenBag> {
  const what = format === "jsonl" ? "writeJsonl" : "writeLines";
  assertOptions(options, NAMES, what);
  assertText(path, `The path of ${what}`);
  if (path === "")
    throw new PawlError(
      "bag.target",
      `The path of ${what} is empty: name a file, or a folder that ends in /.`,
    );
  const { compression = compressionOfName(path), ...others } = options;
  const ending = ENDINGS.get(compression);
  if (ending === undefined)
    throw new PawlError(
      "bag.compression",
      `The option compression of ${what} must be "none", "gzip" or "zstd".`,
    );
  const isFolder = /[\\/]$/.test(path);
  const target = isFolder ? path.replace(/[\\/]+$/, "") : path;
  if (isFolder) await assertFree(target);
  await using run = new BagRun(runSettings(others));
  const staging = await stagingBeside(target);
  await mkdir(staging);
  try {
    const collector = {
      kind: "write",
      format,
      compression,
      folder: staging,
      ending: `.${format === "jsonl" ? "jsonl" : "txt"}${ending}`,
    } as const;
    const parts: { readonly file: string; readonly bytes: number }[] = [];
    let written = 0;
    let bytes = 0;
    for await (const part of run.collected(plan, collector)) {
      if (part.kind !== "written") continue;
      written += part.items;
      bytes += part.bytes;
      if (part.items > 0) parts.push(part);
      else await rm(part.file);
    }
    const counts = await run.finish();
    run.settings.signal?.throwIfAborted();
    if (isFolder) {
      const names = parts.map(({ file }) => basename(file));
      await publishFolder(staging, target);
      return { ...counts, written, bytes, files: names.map((name) => join(target, name)) };
    }
    await publishOne(parts, target, bytes);
    return { ...counts, written, bytes, files: [target] };
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** Files one behind the other as one file, each removed once it is in it, so that the disk holds little more than one copy. */
async function publishOne(
  parts: readonly { readonly file: string; readonly bytes: number }[],
  target: string,
  bytes: number,
): Promise<void> {
  let copied = 0;
  await publishFile(target, async (write) => {
    for (const { file } of parts) {
      for await (const piece of createReadStream(file, { highWaterMark: 1024 * 1024 })) {
        await write(piece as Buffer);
        copied += (piece as Buffer).length;
      }
      await rm(file);
    }
    if (copied !== bytes)
      throw new PawlError(
        "bag.counts",
        `${copied} bytes were brought together for ${target}, and ${bytes} were written: look at the disk, then run it again.`,
      );
  });
}

function compressionOfName(path: string): FileCompression {
  if (/\.gz$/i.test(path)) return "gzip";
  return /\.zst$/i.test(path) ? "zstd" : "none";
}
