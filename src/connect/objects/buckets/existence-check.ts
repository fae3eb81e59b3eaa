import type { IncomingHttpHeaders } from "node:http";
import type { ExistenceCheck, PresentObject } from "../contract.ts";
import { ResponseError } from "../http/response-error.ts";
import { compareKeys } from "../list/key-order.ts";
import type { BucketClient } from "./client.ts";

/** So few are asked for one by one. */
const FEW = 3;
const ASKED_AT_ONCE = 16;

/**
 * Tells what a bucket or container has under some keys: by listing where they lie, a page at a time; one by one where too many others
 * lie between them. A service says how it lists and what it remembers of that.
 */
export abstract class ListingExistenceCheck implements ExistenceCheck {
  protected readonly prefix: string;
  /** Its listing cannot be relied on: then each object is asked for by itself. */
  protected isUnreliable = false;
  readonly #client: BucketClient;
  readonly #page: number;
  #turn: Promise<unknown> = Promise.resolve();

  /** `page` is how many objects a page of a listing tells of. */
  constructor(client: BucketClient, prefix: string, page: number) {
    this.#client = client;
    this.#page = page;
    this.prefix = prefix;
  }

  /** Takes what is remembered; returns the keys of which nothing is. */
  protected abstract recall(keys: readonly string[], present: Map<string, PresentObject>): readonly string[];

  /** Lists a page that tells of the first of some keys, which are sorted, and remembers it. */
  protected abstract list(keys: readonly string[]): Promise<void>;

  /** The checksum that the headers of an object tell. */
  protected abstract tagOf(headers: IncomingHttpHeaders): string | null;

  async find(keys: readonly string[]): Promise<ReadonlyMap<string, PresentObject>> {
    const present = new Map<string, PresentObject>();
    const rest = await this.#listed(keys, present);
    for (let at = 0; at < rest.length; at += ASKED_AT_ONCE) {
      await Promise.all(
        rest.slice(at, at + ASKED_AT_ONCE).map(async (key) => {
          const found = await this.#ask(this.prefix + key);
          if (found !== null) present.set(key, found);
        }),
      );
    }
    return present;
  }

  async findQuickly(keys: readonly string[]): Promise<ReadonlyMap<string, PresentObject>> {
    const present = new Map<string, PresentObject>();
    await this.#listed(keys, present);
    return present;
  }

  /** Takes what so many pages tell as keys would fill; returns the keys of which they tell nothing. */
  #listed(keys: readonly string[], present: Map<string, PresentObject>): Promise<readonly string[]> {
    // Those who ask at once would ask for the same pages.
    const turn = this.#turn.then(async () => {
      let rest = this.recall([...new Set(keys)].sort(compareKeys), present);
      // Others may lie between them: then so many pages do not get through them.
      for (let pages = Math.ceil(rest.length / this.#page) + 1; rest.length > FEW && pages > 0; pages--) {
        if (this.isUnreliable) break;
        await this.list(rest);
        rest = this.recall(rest, present);
      }
      return rest;
    });
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #ask(key: string): Promise<PresentObject | null> {
    try {
      const { headers } = await this.#client.send({ method: "HEAD", key });
      return { size: Number(headers["content-length"]), etag: this.tagOf(headers) };
    } catch (error) {
      // Where nothing may be listed, what is not there is forbidden; what cannot be asked for will fail when it is written.
      if (error instanceof ResponseError && [400, 403, 404].includes(error.status) && error.fatal === null)
        return null;
      throw error;
    }
  }
}
