import type { IncomingHttpHeaders } from "node:http";
import { PawlError } from "../../../errors.ts";
import { ListingExistenceCheck } from "../buckets/existence-check.ts";
import type { ObjectEntry, PresentObject } from "../contract.ts";
import { compareKeys } from "../list/key-order.ts";
import { type AzureClient, tagOfHeaders } from "./client.ts";
import { BEGINNING, type ListingOrder, listBlobs, PAGE } from "./list.ts";

/** Pages that are remembered: each range of a copy works in another part of the container. */
const REMEMBERED = 8;

/** A page of a listing: all keys with a prefix that lie after one key up to another, the last included. */
interface RememberedPage {
  readonly prefix: string;
  /** Null stands for the beginning and, of `to`, for the end. */
  readonly after: string | null;
  readonly to: string | null;
  readonly present: ReadonlyMap<string, PresentObject>;
  readonly next: { readonly marker: string; readonly course: ListingOrder } | null;
}

/**
 * A listing of Azure goes on only from where a page ended, so that pages are remembered and gone on from, since keys are asked for in
 * order; what they do not reach is asked for one by one.
 */
export class AzureExistenceCheck extends ListingExistenceCheck {
  readonly #client: AzureClient;
  #seen: RememberedPage[] = [];

  constructor(client: AzureClient, prefix: string) {
    super(client, prefix, PAGE);
    this.#client = client;
  }

  protected override tagOf(headers: IncomingHttpHeaders): string | null {
    return tagOfHeaders(headers);
  }

  /** Takes what the remembered pages tell; returns the keys of which they tell nothing. */
  protected override recall(keys: readonly string[], present: Map<string, PresentObject>): readonly string[] {
    return keys.filter((key) => {
      const page = this.#seen.find(
        ({ prefix, after, to }) =>
          key.startsWith(prefix) &&
          (after === null || compareKeys(key, after) > 0) &&
          (to === null || compareKeys(key, to) <= 0),
      );
      const found = page?.present.get(key);
      if (found !== undefined) present.set(key, found);
      return page === undefined;
    });
  }

  /** Lists a page: the one after the nearest before the first of some keys, or the first of what they have in common. */
  protected override async list(keys: readonly string[]): Promise<void> {
    const first = keys[0] as string;
    const before = this.#seen
      .filter(
        ({ prefix, to, next }) =>
          next !== null && to !== null && first.startsWith(prefix) && compareKeys(to, first) < 0,
      )
      .sort((a, b) => compareKeys(b.to as string, a.to as string))[0];
    const prefix = before?.prefix ?? commonPrefix(first, keys.at(-1) as string);
    const from = before?.next ?? { marker: null, course: BEGINNING };
    const page = await listBlobs(this.#client, this.prefix + prefix, from).catch((error) => {
      if (!(error instanceof PawlError && error.code === "azure.listing")) throw error;
      return null;
    });
    // In another order than ours, a page does not say what lies between two keys.
    if (page === null || !page.course.utf8) {
      this.isUnreliable = true;
      this.#seen = [];
      return;
    }
    const { entries, course, marker } = page;
    const last = course.last === null ? null : prefix + course.last;
    const seen: RememberedPage = {
      prefix,
      after: before?.to ?? null,
      // A page may be empty though more come.
      to: marker === null ? null : (last ?? before?.to ?? prefix),
      present: new Map(entries.map((entry) => [prefix + entry.key, presentOf(entry)])),
      next: marker === null ? null : { marker, course },
    };
    this.#seen = [seen, ...this.#seen].slice(0, REMEMBERED);
  }
}

function presentOf({ size, etag }: ObjectEntry): PresentObject {
  return { size: size ?? 0, etag };
}

/** Of two keys and so of all that lie between them. */
function commonPrefix(a: string, b: string): string {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  // Half a character is none.
  if (/[\ud800-\udbff]/.test(a[at - 1] ?? "")) at--;
  return a.slice(0, at);
}
