import { BucketExistenceCheck, type KnownPage, presentIn } from "../bucket-service/existence-check.ts";
import { compareKeys } from "../list/key-order.ts";
import type { AzureClient } from "./client.ts";
import { type ListingPosition, listBlobs, PAGE_SIZE } from "./list-blobs.ts";

/** Pages that are kept: each range of a copy works in another part of the container. */
const MOST_PAGES = 8;

type AzurePage = KnownPage<ListingPosition | null>;

/**
 * A listing of Azure continues only where a page ended: so pages are kept and continued, since keys are asked for in order, and
 * keys that no page reaches are asked for one by one.
 */
export class AzureExistenceCheck extends BucketExistenceCheck<ListingPosition | null> {
  readonly #client: AzureClient;

  constructor(client: AzureClient, prefix: string) {
    super(client, prefix, { pageSize: PAGE_SIZE, mostPages: MOST_PAGES });
    this.#client = client;
  }

  /** The page after the nearest known one before the first key, or the first page of what all keys have in common. */
  protected override async list(
    keys: readonly string[],
    known: readonly AzurePage[],
  ): Promise<AzurePage | null> {
    const first = keys[0] as string;
    const before = known
      .filter(
        ({ prefix, to, next }) =>
          next !== null && to !== null && first.startsWith(prefix) && compareKeys(to, first) < 0,
      )
      .sort((a, b) => compareKeys(b.to as string, a.to as string))[0];
    const prefix = before?.prefix ?? commonPrefix(first, keys.at(-1) as string);
    const { entries, order, marker } = await listBlobs(
      this.#client,
      this.prefix + prefix,
      before?.next ?? undefined,
    );
    // In another order than that of keys, a page does not say what lies between two of them.
    if (!order.utf8) return null;
    const last = order.last === null ? null : prefix + order.last;
    return {
      prefix,
      after: before?.to ?? null,
      // A page may be empty although more follow.
      to: marker === null ? null : (last ?? before?.to ?? prefix),
      present: presentIn(entries, prefix),
      next: marker === null ? null : { marker, order },
    };
  }
}

/** What two keys, and so all keys between them, begin with. */
function commonPrefix(a: string, b: string): string {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  // A surrogate pair stays whole.
  if (/[\ud800-\udbff]/.test(a[at - 1] ?? "")) at--;
  return a.slice(0, at);
}
