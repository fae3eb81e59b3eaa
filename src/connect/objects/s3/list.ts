import { PawlError, TransientError } from "../../../errors.ts";
import { answersOther, NAMELESS } from "../buckets/listing.ts";
import { countOf, elementsOf, rootOf, textOf } from "../buckets/xml.ts";
import { unquotedEtag } from "../compare/etag.ts";
import type { ObjectEntry } from "../contract.ts";
import { compareKeys } from "../list/key-order.ts";
import type { S3Client } from "./client.ts";
import { hiddenError } from "./error.ts";

export interface S3Page {
  readonly entries: readonly ObjectEntry[];
  /** Where folders are asked for: what keys begin with up to the next `/`; those keys are not among the entries. */
  readonly folders: readonly string[];
  /** The last key, also where it is no object but marks the folder itself; null of a page without keys. */
  readonly last: string | null;
  /** Whether its first key is no object but marks the folder itself. */
  readonly hasMarker: boolean;
  /** To ask for the next page with; null after the last. */
  readonly token: string | null;
}

/**
 * Asks for one page of the keys below a prefix, from after a key on. Keys come without the prefix. A page is taken only where it
 * came whole and says what S3 promises: keys of this prefix, in order and after those before, as many as it counts, and whether
 * there are more. Throws one sentence where it does not.
 */
export async function listPage(
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
  assertListing(client.place, xml, body);
  // Not all servers do what they are asked to; those that do say so.
  const keyOf = textOf(xml, "EncodingType") === "url" ? decoded : (text: string) => text;
  const below = (text: string | null): string => {
    const key = text === null ? null : keyOf(text);
    if (key === null) throw unreliable(client.place, "it lists an object without a name");
    if (!key.startsWith(prefix)) throw unreliable(client.place, `asked for ${prefix}, it lists ${key}`);
    return key.slice(prefix.length);
  };
  const other = folders ? null : answersOther(xml, keyOf, prefix, "CommonPrefixes");
  if (other !== null) throw unreliable(client.place, other);
  const entries: ObjectEntry[] = [];
  let last = from.after;
  let count = 0;
  for (const element of elementsOf(xml, "Contents")) {
    const key = below(textOf(element, "Key"));
    if (last !== null && compareKeys(key, last) <= 0)
      throw unreliable(
        client.place,
        key === last ? `it lists ${key} twice` : `it lists ${key} after ${last}, out of order`,
      );
    last = key;
    count++;
    const size = textOf(element, "Size")?.trim() ?? "";
    if (!/^\d{1,15}$/.test(size)) throw unreliable(client.place, `it lists ${key} without a size`);
    // What a console leaves behind when somebody makes a folder there.
    if (key === "" && Number(size) === 0) continue;
    const modified = Date.parse(textOf(element, "LastModified") ?? "");
    entries.push({
      key,
      size: Number(size),
      modified: Number.isNaN(modified) ? null : modified,
      etag: unquotedEtag(textOf(element, "ETag")),
      ...(key === "" ? { problem: NAMELESS } : {}),
    });
  }
  const counted = textOf(xml, "KeyCount");
  // Some servers do not count folders.
  if (!folders && counted !== null && Number(counted) !== count)
    throw unreliable(client.place, `it counts ${counted} keys in a page that has ${count}`);
  return {
    entries,
    folders: [...elementsOf(xml, "CommonPrefixes")].map((element) => below(textOf(element, "Prefix"))),
    last: count === 0 ? null : last,
    hasMarker: count > entries.length,
    token: tokenOf(client.place, xml),
  };
}

/** A listing that cannot be believed: what it leaves out would be missing, and nobody would know. */
export function unreliable(place: string, what: string): PawlError {
  return new PawlError(
    "s3.listing",
    `The listing of ${place} cannot be relied on: ${what}. Pawl copies only what is listed as S3 promises, since objects could be left out unseen: use another endpoint of this provider, or a manifest.`,
  );
}

/**
 * A proxy that wants to be logged in to, a web server: taken for a listing, it would be an empty one. What was cut off on its way
 * may come whole another time.
 */
function assertListing(place: string, xml: string, body: Buffer): void {
  const { name, isWhole } = rootOf(xml);
  if (name === "Error") {
    const error = hiddenError(place, body);
    if (error !== null) throw error;
  }
  if (name !== "ListBucketResult")
    throw new PawlError(
      "s3.no-listing",
      `${place} does not answer as S3 does when it is asked for a listing: check the endpoint and what is between here and there.`,
    );
  if (!isWhole || ["Contents", "CommonPrefixes"].some((each) => !isEven(xml, each)))
    throw new TransientError("s3.listing-cut", `${place} gave a page of its listing that breaks off`);
}

function isEven(xml: string, name: string): boolean {
  return countOf(xml, `<${name}>`) === countOf(xml, `</${name}>`);
}

function tokenOf(place: string, xml: string): string | null {
  const truncated = textOf(xml, "IsTruncated")?.trim().toLowerCase();
  if (truncated !== "true" && truncated !== "false")
    throw unreliable(place, "it does not say whether there are more keys");
  if (truncated === "false") return null;
  const token = textOf(xml, "NextContinuationToken");
  if (token === null || token === "")
    throw unreliable(place, "it says that there are more keys, and not how to ask for them");
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
