import { hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { tagOfBytes } from "../tag.ts";
import { type Disk, ONE_GO_BYTES } from "./disk.ts";
import { readWhole } from "./read-whole.ts";
import { explainFile } from "./trouble.ts";

/** The MD5 of a file that had so many bytes, or the tag of its parts. */
export async function tagOfFile(
  path: string,
  size: number,
  partBytes: number | null,
  disk: Disk,
): Promise<string> {
  try {
    if (size <= ONE_GO_BYTES && partBytes === null && disk.isPrompt) {
      const whole = disk.ask(() => readWhole(path, ONE_GO_BYTES));
      if (whole !== null) return hash("md5", whole.bytes);
    }
    return await tagOfBytes(createReadStream(path, { highWaterMark: 1024 * 1024 }), partBytes);
  } catch (error) {
    throw explainFile(error, path, "read");
  }
}
