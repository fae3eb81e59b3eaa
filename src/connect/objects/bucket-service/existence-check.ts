import type { ExistenceCheck, ObjectEntry, PresentObject } from "../contract.ts";
import { ResponseError } from "../http/response-error.ts";
import { compareKeys } from "../list/key-order.ts";
import type { BucketClient } from "./client.ts";
import { isUnreliable } from "./listed-page.ts";

/** So few keys are asked for one by one. */
const FEW = 3;
const ASKED_AT_ONCE = 16;

/** What a page of a listing has shown: all keys with a prefix after one key and up to another, the last included. */
export interface KnownPage<Next = null> {
  readonly prefix: string;
  /** Null stands for the beginning, and `to` null for the end. */
  readonly after: string | null;
  readonly to: string | null;
  readonly present: ReadonlyMap<string, PresentObject>;
  /** How the page that follows is asked for, where only this page tells; null where it does not. */
  readonly next: Next;
}

/**
 * Tells which keys a bucket has by listing where they lie, a page at a time, or one by one where too many other objects lie
 * between them. A service says how it lists.
 */
export abstract class BucketExistenceCheck<Next = null> implements ExistenceCheck {
  protected readonly prefix: string;
  readonly #client: BucketClient;
  readonly #pageSize: number;
  readonly #mostPages: number;
  #pages: readonly KnownPage<Next>[] = [];
  /** The listing cannot be relied on: then each key is asked for by itself. */
  #isUnreliable = false;
  #turn: Promise<unknown> = Promise.resolve();

  /** `pageSize` is how many objects a page of a listing has; so many pages as `mostPages` are kept. */
  constructor(
    client: BucketClient,
    prefix: string,
    { pageSize, mostPages }: { readonly pageSize: number; readonly mostPages: number },
  ) {
    this.#client = client;
    this.#pageSize = pageSize;
    this.#mostPages = mostPages;
    this.prefix = prefix;
  }

  /** Lists a page that tells of the first of some keys, which are sorted; null where that is in another order than keys are. */
  protected abstract list(
    keys: readonly string[],
    known: readonly KnownPage<Next>[],
  ): Promise<KnownPage<Next> | null>;

  async find(keys: readonly string[]): Promise<ReadonlyMap<string, PresentObject>> {
    const present = new Map<string, PresentObject>();
    const rest = await this.#findByListing(keys, present);
    for (let at = 0; at < rest.length; at += ASKED_AT_ONCE) {
      await Promise.all(
        rest.slice(at, at + ASKED_AT_ONCE).map(async (key) => {
          const found = await this.#findOne(this.prefix + key);
          if (found !== null) present.set(key, found);
        }),
      );
    }
    return present;
  }

  async findQuickly(keys: readonly string[]): Promise<ReadonlyMap<string, PresentObject>> {
    const present = new Map<string, PresentObject>();
    await this.#findByListing(keys, present);
    return present;
  }

  /** Lists as many pages as the keys would fill; returns the keys of which these tell nothing. */
  #findByListing(keys: readonly string[], present: Map<string, PresentObject>): Promise<readonly string[]> {
    // Callers that ask at the same time would ask for the same pages.
    const turn = this.#turn.then(async () => {
      let rest = this.#recall([...new Set(keys)].sort(compareKeys), present);
      // Other objects may lie between them: then so many pages are not enough.
      for (let left = Math.ceil(rest.length / this.#pageSize) + 1; rest.length > FEW && left > 0; left--) {
        if (this.#isUnreliable) break;
        await this.#listNext(rest);
        rest = this.#recall(rest, present);
      }
      return rest;
    });
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #listNext(keys: readonly string[]): Promise<void> {
    const page = await this.list(keys, this.#pages).catch((error) => {
      if (isUnreliable(error)) return null;
      throw error;
    });
    this.#isUnreliable = page === null;
    this.#pages = page === null ? [] : [page, ...this.#pages].slice(0, this.#mostPages);
  }

  /** Takes what the known pages tell; returns the keys of which they tell nothing. */
  #recall(keys: readonly string[], present: Map<string, PresentObject>): readonly string[] {
    return keys.filter((key) => {
      const page = this.#pages.find(
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

  async #findOne(key: string): Promise<PresentObject | null> {
    try {
      const { headers } = await this.#client.send({ method: "HEAD", key });
      return { size: Number(headers["content-length"]), etag: this.#client.service.etagOf(headers) };
    } catch (error) {
      // Where nothing may be listed, a key that is not there is forbidden; one that cannot be asked for will fail when it is written.
      if (error instanceof ResponseError && [400, 403, 404].includes(error.status) && error.fatal === null)
        return null;
      throw error;
    }
  }
}

/** The objects of a page by their keys, below a prefix. */
export function presentIn(entries: readonly ObjectEntry[], prefix = ""): ReadonlyMap<string, PresentObject> {
  return new Map(entries.map(({ key, size, etag }) => [prefix + key, { size: size ?? 0, etag }]));
}
