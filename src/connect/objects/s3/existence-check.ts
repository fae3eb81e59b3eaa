import type { IncomingHttpHeaders } from "node:http";
import { PawlError } from "../../../errors.ts";
import { ListingExistenceCheck } from "../buckets/existence-check.ts";
import { unquotedEtag } from "../compare/etag.ts";
import type { PresentObject } from "../contract.ts";
import { compareKeys } from "../list/key-order.ts";
import type { S3Client } from "./client.ts";
import { listPage } from "./list.ts";

const PAGE = 1000;

/** A listing of S3 begins behind any key: the last page is remembered, since the next keys mostly lie in it. */
export class S3ExistenceCheck extends ListingExistenceCheck {
  readonly #client: S3Client;
  /** What lies after one key up to another, the last included; null stands for the end of the bucket. */
  #known: { after: string; to: string | null; present: Map<string, PresentObject> } | null = null;

  constructor(client: S3Client, prefix: string) {
    super(client, prefix, PAGE);
    this.#client = client;
  }

  protected override tagOf({ etag }: IncomingHttpHeaders): string | null {
    return unquotedEtag(etag);
  }

  /** Takes what the last page tells; returns the keys of which it tells nothing. */
  protected override recall(keys: readonly string[], present: Map<string, PresentObject>): readonly string[] {
    const known = this.#known;
    if (known === null) return keys;
    return keys.filter((key) => {
      if (compareKeys(key, known.after) <= 0 || (known.to !== null && compareKeys(key, known.to) > 0))
        return true;
      const found = known.present.get(key);
      if (found !== undefined) present.set(key, found);
      return false;
    });
  }

  /** Lists a page that begins with a key: after what the key begins with, since a page begins behind a key. */
  protected override async list([first = ""]: readonly string[]): Promise<void> {
    const after = first.replace(/.$/su, "");
    const page = await listPage(this.#client, this.prefix, { after }, PAGE).catch((error) => {
      if (!(error instanceof PawlError && error.code === "s3.listing")) throw error;
      this.isUnreliable = true;
      return null;
    });
    if (page === null) return;
    const { entries, token } = page;
    const last = page.last ?? after;
    this.#known = {
      after,
      to: token === null ? null : last,
      present: new Map(entries.map(({ key, size, etag }) => [key, { size: size ?? 0, etag }])),
    };
  }
}
