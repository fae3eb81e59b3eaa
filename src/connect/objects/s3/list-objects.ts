import { assertPage, keyBelow, listedEntry, unreliableListing } from "../bucket-service/listed-page.ts";
import { elementsOf, textOf } from "../bucket-service/xml.ts";
import { unquotedEtag } from "../compare/etag.ts";
import type { ObjectEntry } from "../contract.ts";
import { compareKeys } from "../list/key-order.ts";
import type { S3Client } from "./client.ts";

export interface S3Page {
  readonly entries: readonly ObjectEntry[];
  /** Where folders are asked for: what keys begin with up to the next `/`; those keys are not among the entries. */
  readonly folders: readonly string[];
  /** The last key, also where it is not an object but marks the folder itself; null of a page without keys. */
  readonly last: string | null;
  /** Whether its first key is not an object but marks the folder itself. */
  readonly hasMarker: boolean;
  /** To ask for the next page with; null after the last. */
  readonly token: string | null;
}

/**
 * Asks for one page of the keys below a prefix, from after a key on. Keys come without the prefix. A page is taken only where it
 * came whole and says what S3 promises: keys of this prefix, in order and after those before, as many as it counts, and whether
 * there are more. Throws one sentence where it does not.
 */
export async function listObjects(
  client: S3Client,
  prefix: string,
  from: { readonly after: string | null; readonly token?: string | null },
  most = 1000,
  folders = false,
): Promise<S3Page> {
  const query: Record<string, string> = {
    "encoding-type": "url",
    "list-type": "2",
    "max-keys": String(most),
  };
  if (folders) query.delimiter = "/";
  if (prefix !== "") query.prefix = prefix;
  if (from.token) query["continuation-token"] = from.token;
  else if (from.after !== null) query["start-after"] = prefix + from.after;
  // Signed in the order of their names.
  const sorted = Object.fromEntries(Object.entries(query).sort(([a], [b]) => (a < b ? -1 : 1)));
  const { body } = await client.send({ query: sorted });
  const xml = body.toString("utf8");
  // Not all servers do what they are asked to; those that do say so.
  const keyOf = textOf(xml, "EncodingType") === "url" ? decoded : (text: string) => text;
  const below = (text: string | null) => keyBelow(client, prefix, text === null ? null : keyOf(text));
  assertPage(client, xml, { prefix: folders ? null : prefix, keyOf });
  const entries: ObjectEntry[] = [];
  let last = from.after;
  let count = 0;
  for (const element of elementsOf(xml, "Contents")) {
    const key = below(textOf(element, "Key"));
    if (last !== null && compareKeys(key, last) <= 0)
      throw unreliableListing(
        client,
        key === last ? `it lists ${key} twice` : `it lists ${key} after ${last}, out of order`,
      );
    last = key;
    count++;
    const entry = listedEntry(client, key, {
      size: textOf(element, "Size"),
      modified: textOf(element, "LastModified"),
      etag: unquotedEtag(textOf(element, "ETag")),
    });
    if (entry !== null) entries.push(entry);
  }
  const counted = textOf(xml, "KeyCount");
  // Some servers do not count folders.
  if (!folders && counted !== null && Number(counted) !== count)
    throw unreliableListing(client, `it counts ${counted} keys in a page that has ${count}`);
  return {
    entries,
    folders: [...elementsOf(xml, "CommonPrefixes")].map((element) => below(textOf(element, "Prefix"))),
    last: count === 0 ? null : last,
    hasMarker: count > entries.length,
    token: tokenOf(client, xml),
  };
}

function tokenOf(client: S3Client, xml: string): string | null {
  const truncated = textOf(xml, "IsTruncated")?.trim().toLowerCase();
  if (truncated !== "true" && truncated !== "false")
    throw unreliableListing(client, "it does not say whether there are more keys");
  if (truncated === "false") return null;
  const token = textOf(xml, "NextContinuationToken");
  if (token === null || token === "")
    throw unreliableListing(client, "it says that there are more keys, and not how to ask for them");
  return token;
}

/** Null of a key that is not escaped as it should be. */
function decoded(text: string): string | null {
  if (!/[%+]/.test(text)) return text;
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return null;
  }
}
