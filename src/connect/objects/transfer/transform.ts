import { hash } from "node:crypto";
import { ItemError } from "../../../errors.ts";
import { contentTypeOf } from "../content-headers.ts";
import type { ObjectEntry, OpenObject } from "../contract.ts";
import { readWhole, type TransferContext } from "./transfer.ts";
import type { Transformer } from "./transformer.ts";
import type { WrittenObject } from "./written-log.ts";

/** What is transformed is held whole. */
const LARGEST = 128 * 1024 * 1024;

/**
 * Copies what a transform makes of an object; returns how large that is, or null where the transform leaves it out. `give` throws where
 * another object has the name already.
 */
export async function transferTransformed(
  entry: ObjectEntry,
  ways: TransferContext,
  transform: Transformer,
  give: (key: string) => void,
): Promise<WrittenObject | null> {
  const open = await ways.reader.open(entry);
  try {
    // What tells no size may be as large as any.
    const size = open.size ?? entry.size ?? LARGEST;
    if (size > LARGEST)
      throw new ItemError(`it has ${size} bytes, too many to be transformed (${LARGEST} at most)`, {
        code: "copy.transform",
      });
    return await ways.memory.hold(size, () => through(entry, open, ways, { transform, give, size }));
  } finally {
    await open.close();
  }
}

async function through(
  entry: ObjectEntry,
  open: OpenObject,
  { writer, limits, signal }: TransferContext,
  {
    transform,
    give,
    size,
  }: { readonly transform: Transformer; readonly give: (key: string) => void; readonly size: number },
): Promise<WrittenObject | null> {
  const { headers } = open.properties;
  const read = await readWhole(open, size);
  const contentType = headers["content-type"] ?? contentTypeOf(entry.key);
  const made = await transform.run(read.bytes, { key: entry.key, contentType });
  if (made === null) return null;
  const refused = writer.nameProblem(made.key);
  if (refused !== null)
    throw new ItemError(`the transform calls it ${made.key}: ${refused}`, { code: "copy.refused" });
  give(made.key);
  const type = made.contentType === null ? {} : { "content-type": made.contentType };
  const properties = { ...open.properties, headers: { ...headers, ...type } };
  await limits.pass(made.bytes.length, signal);
  const target = { ...entry, key: made.key };
  const md5 = hash("md5", made.bytes);
  const described = { size: made.bytes.length, modified: open.modified, etag: null, properties };
  await writer.put(target, made.bytes, md5, described);
  return { size: made.bytes.length, version: open.version };
}
