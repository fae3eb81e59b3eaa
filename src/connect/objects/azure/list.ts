import { PawlError, TransientError } from "../../../errors.ts";
import { answersOther, NAMELESS } from "../buckets/listing.ts";
import { countOf, elementsOf, rootOf, textOf } from "../buckets/xml.ts";
import type { ObjectEntry } from "../contract.ts";
import { compareKeys } from "../list/key-order.ts";
import { type AzureClient, tagOfBlob } from "./client.ts";

/** The most blobs in a page. */
export const PAGE = 5000;

/** What a listing has shown so far, for the pages that follow. */
export interface ListingOrder {
  /** The last key; null where none has come. */
  readonly last: string | null;
  /** Whether all keys so far grow by their bytes in UTF-8, and by UTF-16, which differ beyond U+D7FF. */
  readonly utf8: boolean;
  readonly utf16: boolean;
}

export const BEGINNING: ListingOrder = { last: null, utf8: true, utf16: true };

export interface AzurePage {
  readonly entries: readonly ObjectEntry[];
  readonly course: ListingOrder;
  /** To ask for the next page with; null after the last. */
  readonly marker: string | null;
  /** How many of them are append blobs and page blobs. */
  readonly others: number;
}

/**
 * Asks for one page of the blobs below a prefix. Names come without the prefix. A page is taken only where it came whole and says what
 * Azure promises: names of this prefix, in one order and after those before, and whether there are more. Throws one sentence where it does not.
 */
export async function listBlobs(
  client: AzureClient,
  prefix: string,
  { marker, course }: { readonly marker: string | null; readonly course: ListingOrder },
  most = PAGE,
): Promise<AzurePage> {
  const { body } = await client.send({
    query: {
      comp: "list",
      maxresults: String(most),
      restype: "container",
      ...(prefix === "" ? {} : { prefix }),
      ...(marker === null ? {} : { marker }),
    },
  });
  const xml = body.toString("utf8");
  assertListing(client.place, xml);
  const other = answersOther(xml, (text) => text, prefix, "BlobPrefix");
  if (other !== null) throw unreliableBlobs(client.place, other);
  const entries: ObjectEntry[] = [];
  let { last, utf8, utf16 } = course;
  let others = 0;
  for (const blob of elementsOf(xml, "Blob")) {
    const name = nameIn(blob);
    if (name === null) throw unreliableBlobs(client.place, "it lists a blob without a name");
    if (!name.startsWith(prefix))
      throw unreliableBlobs(client.place, `asked for ${prefix}, it lists ${name}`);
    const key = name.slice(prefix.length);
    if (last !== null) {
      if (key === last) throw unreliableBlobs(client.place, `it lists ${key} twice`);
      utf8 &&= compareKeys(key, last) > 0;
      utf16 &&= key > last;
      if (!utf8 && !utf16) throw unreliableBlobs(client.place, `it lists ${key} after ${last}, out of order`);
    }
    last = key;
    // Accounts with a hierarchical namespace list folders, too; a blob of the name of the prefix marks one.
    if (textOf(blob, "ResourceType") === "directory") continue;
    const size = textOf(blob, "Content-Length")?.trim() ?? "";
    if (!/^\d{1,15}$/.test(size)) throw unreliableBlobs(client.place, `it lists ${key} without a size`);
    if (key === "" && Number(size) === 0) continue;
    const type = textOf(blob, "BlobType");
    if (type !== "BlockBlob") others++;
    const modified = Date.parse(textOf(blob, "Last-Modified") ?? "");
    entries.push({
      key,
      size: Number(size),
      modified: Number.isNaN(modified) ? null : modified,
      etag: tagOfBlob(type, textOf(blob, "Content-MD5")),
      ...(key === "" ? { problem: NAMELESS } : {}),
    });
  }
  return { entries, course: { last, utf8, utf16 }, marker: markerOf(client.place, xml), others };
}

/** A listing that cannot be believed: what it leaves out would be missing, and nobody would know. */
export function unreliableBlobs(place: string, what: string): PawlError {
  return new PawlError(
    "azure.listing",
    `The listing of ${place} cannot be relied on: ${what}. Pawl copies only what is listed as Azure Blob promises, since blobs could be left out unseen; where a hierarchical namespace lists in an order of its own, copy folder by folder.`,
  );
}

/** A name with characters that XML cannot hold comes escaped as in a URL, and says so. */
function nameIn(blob: string): string | null {
  const plain = textOf(blob, "Name");
  if (plain !== null) return plain === "" ? null : plain;
  const escaped = /<Name Encoded="true">([^<]*)<\/Name>/.exec(blob)?.[1];
  if (escaped === undefined) return null;
  try {
    return decodeURIComponent(escaped);
  } catch {
    return null;
  }
}

/**
 * A proxy that wants to be logged in to, a web server: taken for a listing, it would be an empty one. What was cut off on its way
 * may come whole another time.
 */
function assertListing(place: string, xml: string): void {
  const { name, isWhole } = rootOf(xml);
  if (name !== "EnumerationResults")
    throw new PawlError(
      "azure.no-listing",
      `${place} does not answer as Azure Blob does when it is asked for a listing: check the endpoint and what is between here and there.`,
    );
  if (!isWhole || countOf(xml, "<Blob>") !== countOf(xml, "</Blob>"))
    throw new TransientError("azure.listing-cut", `${place} gave a page of its listing that breaks off`);
}

function markerOf(place: string, xml: string): string | null {
  const marker = textOf(xml, "NextMarker");
  if (marker !== null && marker !== "") return marker;
  if (marker === null && !/<NextMarker\s*\/>/.test(xml))
    throw unreliableBlobs(place, "it does not say whether there are more blobs");
  return null;
}
