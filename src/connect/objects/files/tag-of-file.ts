import { hash } from "node:crypto";
import { type Disk, ONE_GO_BYTES } from "./disk.ts";
import type { Hashing } from "./hashing.ts";
import { readInOneGo } from "./read-in-one-go.ts";
import { explainFile } from "./trouble.ts";

/** The MD5 of a file, or the tag of its parts of so many bytes: right here of a small one, on another thread of a large one. */
export async function tagOfFile(
  path: string,
  { size, partBytes }: { readonly size: number | null; readonly partBytes: number | null },
  { disk, hashing }: { readonly disk: Disk; readonly hashing: Hashing },
): Promise<string> {
  try {
    if (size !== null && size <= ONE_GO_BYTES && partBytes === null && disk.isPrompt) {
      const whole = disk.ask(() => readInOneGo(path, ONE_GO_BYTES));
      if (whole !== null) return hash("md5", whole.bytes);
    }
    return await hashing.tagOfFile(path, partBytes);
  } catch (error) {
    throw explainFile(error, path, "read");
  }
}
