import { assertPage, keyBelow, listedEntry, unreliableListing } from "../bucket-service/listed-page.ts";
import { elementsOf, textOf } from "../bucket-service/xml.ts";
import type { ObjectEntry } from "../contract.ts";
import { compareKeys } from "../list/key-order.ts";
import type { AzureClient } from "./client.ts";
import { etagOfBlob } from "./service.ts";

/** The most blobs in a page. */
export const PAGE_SIZE = 5000;

/** What a listing has shown so far, for the pages that follow. */
interface ListingOrder {
  /** The last key; null where none has come. */
  readonly last: string | null;
  /** Whether all keys so far grow by their bytes in UTF-8, and by UTF-16, which differ beyond U+D7FF. */
  readonly utf8: boolean;
  readonly utf16: boolean;
}

/** Where a page begins. */
export interface ListingPosition {
  readonly marker: string | null;
  readonly order: ListingOrder;
}

const BEGINNING: ListingPosition = { marker: null, order: { last: null, utf8: true, utf16: true } };

export interface AzurePage {
  readonly entries: readonly ObjectEntry[];
  readonly order: ListingOrder;
  /** To ask for the next page with; null after the last. */
  readonly marker: string | null;
  /** How many of the entries are append blobs and page blobs. */
  readonly others: number;
}

/**
 * Asks for one page of the blobs below a prefix. Keys come without the prefix. A page is taken only where it came whole and says what
 * Azure promises: names of this prefix, in one order and after those before, and whether there are more. Throws one sentence
 * where it does not.
 */
export async function listBlobs(
  client: AzureClient,
  prefix: string,
  { marker, order }: ListingPosition = BEGINNING,
  most = PAGE_SIZE,
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
  assertPage(client, xml, { prefix, keyOf: (text) => text });
  const entries: ObjectEntry[] = [];
  let { last, utf8, utf16 } = order;
  let others = 0;
  for (const blob of elementsOf(xml, "Blob")) {
    const key = keyBelow(client, prefix, nameIn(blob));
    if (last !== null) {
      if (key === last) throw unreliableListing(client, `it lists ${key} twice`);
      utf8 &&= compareKeys(key, last) > 0;
      utf16 &&= key > last;
      if (!utf8 && !utf16) throw unreliableListing(client, `it lists ${key} after ${last}, out of order`);
    }
    last = key;
    // Accounts with a hierarchical namespace list folders, too.
    if (textOf(blob, "ResourceType") === "directory") continue;
    const type = textOf(blob, "BlobType");
    const entry = listedEntry(client, key, {
      size: textOf(blob, "Content-Length"),
      modified: textOf(blob, "Last-Modified"),
      etag: etagOfBlob(type, textOf(blob, "Content-MD5")),
    });
    if (entry === null) continue;
    if (type !== "BlockBlob") others++;
    entries.push(entry);
  }
  return { entries, order: { last, utf8, utf16 }, marker: markerOf(client, xml), others };
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

function markerOf(client: AzureClient, xml: string): string | null {
  const marker = textOf(xml, "NextMarker");
  if (marker !== null && marker !== "") return marker;
  if (marker === null && !/<NextMarker\s*\/>/.test(xml))
    throw unreliableListing(client, "it does not say whether there are more objects");
  return null;
}
