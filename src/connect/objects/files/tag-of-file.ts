import { createReadStream } from "node:fs";
import { tagOfBytes } from "../tag.ts";
import { explainFile } from "./trouble.ts";

/** The MD5 of a file, or the tag of its parts of so many bytes. */
export async function tagOfFile(path: string, partBytes: number | null): Promise<string> {
  try {
    return await tagOfBytes(createReadStream(path, { highWaterMark: 1024 * 1024 }), partBytes);
  } catch (error) {
    throw explainFile(error, path, "read");
  }
}
