import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { explainFile } from "./trouble.ts";

/** The MD5 of a file in hex. */
export async function md5OfFile(path: string): Promise<string> {
  const hash = createHash("md5");
  try {
    for await (const bytes of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(bytes);
  } catch (error) {
    throw explainFile(error, path, "read");
  }
  return hash.digest("hex");
}
