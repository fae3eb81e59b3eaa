import { PawlError } from "../../../errors.ts";
import type { ObjectEntry } from "../contract.ts";
import { tagOf } from "../tag.ts";
import type { S3Client } from "./client.ts";
import { elementsOf, textOf } from "./xml.ts";

export interface S3Page {
  readonly entries: readonly ObjectEntry[];
  /** Where folders are asked for: what keys begin with up to the next `/`; those keys are not among the entries. */
  readonly folders: readonly string[];
  /** To ask for the next page with; null after the last. */
  readonly token: string | null;
}

/** Asks for one page of the keys below a prefix, from after a key on. Keys come without the prefix. */
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
  if (!/<ListBucketResult[\s>/]/.test(xml)) throw noListing(client.place);
  // Not all servers do what they are asked to; those that do say so.
  const keyOf = textOf(xml, "EncodingType") === "url" ? decoded : (text: string) => text;
  const entries: ObjectEntry[] = [];
  for (const element of elementsOf(xml, "Contents")) {
    const key = keyOf(textOf(element, "Key") ?? "").slice(prefix.length);
    // What a console leaves behind when somebody makes a folder there.
    if (key === "") continue;
    const modified = Date.parse(textOf(element, "LastModified") ?? "");
    entries.push({
      key,
      size: Number(textOf(element, "Size") ?? Number.NaN),
      modified: Number.isNaN(modified) ? null : modified,
      tag: tagOf(textOf(element, "ETag")),
    });
  }
  const truncated = textOf(xml, "IsTruncated") === "true";
  const token = truncated ? textOf(xml, "NextContinuationToken") : null;
  if (truncated && token === null) throw noListing(client.place);
  return {
    entries,
    folders: [...elementsOf(xml, "CommonPrefixes")].map((element) =>
      keyOf(textOf(element, "Prefix") ?? "").slice(prefix.length),
    ),
    token,
  };
}

/** A proxy that wants to be logged in to, a web server: taken for a listing, it would be an empty one. */
function noListing(place: string): PawlError {
  return new PawlError(
    "s3.no-listing",
    `${place} does not answer as S3 does when it is asked for a listing: check the endpoint and what is between here and there.`,
  );
}

function decoded(text: string): string {
  return /[%+]/.test(text) ? decodeURIComponent(text.replaceAll("+", " ")) : text;
}
