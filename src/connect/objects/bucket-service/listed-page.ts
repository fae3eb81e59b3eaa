import { hash } from "node:crypto";
import { PawlError, TransientError } from "../../../errors.ts";
import type { ObjectEntry } from "../contract.ts";
import { explainResponse, ResponseError } from "../http/response-error.ts";
import { retryRequest } from "../http/retry-request.ts";
import type { BucketClient } from "./client.ts";
import { hiddenError } from "./errors.ts";
import { countOf, rootOf, textOf } from "./xml.ts";

/** Tries to list a bucket, so that what is wrong with all of it is said at once. `name` is that of the location, for people. */
export async function assertListable(name: string, list: () => Promise<unknown>): Promise<void> {
  try {
    await retryRequest(list, undefined, (error) => {
      // Silence has taken a minute already, in which nothing could be said.
      if (error instanceof TransientError && error.code === "http.timeout") throw error;
    });
  } catch (error) {
    if (error instanceof ResponseError && error.fatal === null && !error.isTransient)
      throw new PawlError(
        "bucket.refused",
        `${name} cannot be listed: ${error.code}. Check the name, the credentials and what they allow there.`,
      );
    throw explainResponse(error);
  }
}

/** A listing that is not what the service promises: the objects that it leaves out would be missing unseen. */
export function unreliableListing({ name, service }: BucketClient, what: string): PawlError {
  return new PawlError(
    "bucket.listing",
    `The listing of ${name} cannot be relied on: ${what}. Pawl copies only what is listed as ${service.name} promises, since objects could be left out unseen: ${service.listingAdvice}.`,
  );
}

export function isUnreliable(error: unknown): boolean {
  return error instanceof PawlError && error.code === "bucket.listing";
}

/**
 * Throws where a body is not a whole page of a listing of all that begins with a prefix. The page of a proxy that wants people to log
 * in would be taken for an empty one; a page that was cut off may come whole another time.
 */
export function assertPage(
  client: BucketClient,
  xml: string,
  { prefix, keyOf }: { readonly prefix: string | null; readonly keyOf: (text: string) => string | null },
): void {
  const { name, service } = client;
  const { root, elements, group } = service.listing;
  const outer = rootOf(xml);
  const error = outer.name === "Error" ? hiddenError(service, name, Buffer.from(xml)) : null;
  if (error !== null) throw error;
  if (outer.name !== root)
    throw new PawlError(
      "bucket.no-listing",
      `${name} does not answer as ${service.name} does when it is asked for a listing: check the endpoint and what is between here and there.`,
    );
  if (!outer.isWhole || elements.some((each) => countOf(xml, `<${each}>`) !== countOf(xml, `</${each}>`)))
    throw new TransientError("bucket.listing-cut", `${name} gave a page of its listing that breaks off`);
  if (prefix === null) return;
  if ((textOf(xml, "Delimiter") ?? "") !== "" || new RegExp(`<${group}[\\s>]`).test(xml))
    throw unreliableListing(client, "it groups what it lists by folders, which it was not asked to");
  const listed = textOf(xml, "Prefix") ?? "";
  const isLonger = [listed, keyOf(listed)].every(
    (each) => each !== null && each !== prefix && each.startsWith(prefix),
  );
  if (isLonger) throw unreliableListing(client, `asked for ${prefix || "all"}, it lists ${listed}`);
}

/** A listed key without the prefix that was asked for. */
export function keyBelow(client: BucketClient, prefix: string, key: string | null): string {
  if (key === null) throw unreliableListing(client, "it lists an object without a name");
  if (!key.startsWith(prefix)) throw unreliableListing(client, `asked for ${prefix}, it lists ${key}`);
  return key.slice(prefix.length);
}

/** An object as a page lists it; null for the empty one that a console creates to mark the folder itself. */
export function listedEntry(
  client: BucketClient,
  key: string,
  listed: { readonly size: string | null; readonly modified: string | null; readonly etag: string | null },
): ObjectEntry | null {
  const size = listed.size?.trim() ?? "";
  if (!/^\d{1,15}$/.test(size)) throw unreliableListing(client, `it lists ${key} without a size`);
  if (key === "" && Number(size) === 0) return null;
  const modified = Date.parse(listed.modified ?? "");
  return {
    key,
    size: Number(size),
    modified: Number.isNaN(modified) ? null : modified,
    etag: listed.etag,
    ...(key === "" ? { problem: FOLDER_ITSELF } : {}),
  };
}

/** The problem of an object with content whose key is the very name of the folder that is copied. */
const FOLDER_ITSELF =
  "its name is that of the folder itself, which leaves none for its copy: copy the folder around it";

/** A server may skip deleted objects, a page at a time; so many pages in a row without a key are no listing. */
const MOST_EMPTY_PAGES = 10_000;

/** The tokens of one listing: none may come twice, since its pages would go round in a circle. */
export class ListingTokens {
  readonly #client: BucketClient;
  readonly #seen = new Set<string>();
  #after: string | null = null;
  #emptyPages = 0;

  constructor(client: BucketClient) {
    this.#client = client;
  }

  /** `after` is the last key so far. */
  add(token: string, after: string | null): void {
    const short = token.length <= 64 ? token : hash("sha256", token);
    if (this.#seen.has(short)) throw unreliableListing(this.#client, "it leads to the same page twice");
    this.#seen.add(short);
    this.#emptyPages = after === this.#after ? this.#emptyPages + 1 : 0;
    this.#after = after;
    if (this.#emptyPages > MOST_EMPTY_PAGES)
      throw unreliableListing(this.#client, `${MOST_EMPTY_PAGES} of its pages in a row have no keys`);
  }
}
