import { AnswerError } from "../answer-error.ts";
import type { Present } from "../contract.ts";
import { tagOf } from "../tag.ts";
import type { S3Client } from "./client.ts";
import { listPage } from "./list.ts";

const PAGE = 1000;
/** So few are asked for one by one. */
const FEW = 3;
const ASKED_AT_ONCE = 16;

/**
 * What a bucket has under some keys: by listing the stretch in which they lie, a request for a thousand of them; one by one
 * where others lie between them.
 */
export async function look(
  client: S3Client,
  prefix: string,
  keys: readonly string[],
): Promise<ReadonlyMap<string, Present>> {
  const present = new Map<string, Present>();
  const wanted = new Set(keys);
  const ordered = [...wanted]
    .map((key) => ({ key, bytes: Buffer.from(key) }))
    .sort((a, b) => a.bytes.compare(b.bytes));
  const last = ordered.at(-1);
  const first = ordered[0];
  if (first === undefined || last === undefined) return present;
  let listed: Buffer | null = null;
  if (ordered.length > FEW) {
    let pages = Math.ceil(ordered.length / PAGE) + 1;
    // A page begins after a key; what the first key begins with comes before it.
    let after = first.key.replace(/.$/su, "");
    let token: string | null = null;
    for (; pages > 0; pages--) {
      const page = await listPage(client, prefix, { after, token });
      for (const { key, size, tag } of page.entries) {
        if (wanted.has(key)) present.set(key, { size: size ?? 0, tag });
        after = key;
      }
      token = page.token;
      listed = token === null ? last.bytes : Buffer.from(after);
      if (listed.compare(last.bytes) >= 0) return present;
    }
  }
  const rest = ordered.filter(({ bytes }) => listed === null || bytes.compare(listed) > 0);
  for (let at = 0; at < rest.length; at += ASKED_AT_ONCE) {
    await Promise.all(
      rest.slice(at, at + ASKED_AT_ONCE).map(async ({ key }) => {
        const found = await head(client, prefix + key);
        if (found !== null) present.set(key, found);
      }),
    );
  }
  return present;
}

async function head(client: S3Client, key: string): Promise<Present | null> {
  try {
    const { headers } = await client.send({ method: "HEAD", key });
    return { size: Number(headers["content-length"]), tag: tagOf(headers.etag) };
  } catch (error) {
    // Where nothing may be listed, what is not there is forbidden; what cannot be asked for will fail when it is written.
    if (error instanceof AnswerError && [400, 403, 404].includes(error.status) && error.fatal === null)
      return null;
    throw error;
  }
}
