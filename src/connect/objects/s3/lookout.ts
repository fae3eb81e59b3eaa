import { PawlError } from "../../../errors.ts";
import { AnswerError } from "../answer-error.ts";
import type { Lookout, Present } from "../contract.ts";
import { tagOf } from "../tag.ts";
import type { S3Client } from "./client.ts";
import { compareKeys } from "./key-order.ts";
import { listPage } from "./list.ts";

const PAGE = 1000;
/** So few are asked for one by one. */
const FEW = 3;
const ASKED_AT_ONCE = 16;

/**
 * Tells what a bucket has under some keys: by listing the stretch in which they lie, a request for a thousand of them; one by
 * one where others lie between them. Remembers the last page, since the next keys mostly lie in it.
 */
export class StretchLookout implements Lookout {
  readonly #client: S3Client;
  readonly #prefix: string;
  /** What lies after one key up to another, the last included; null stands for the end of the bucket. */
  #known: { after: string; to: string | null; present: Map<string, Present> } | null = null;
  /** Its listing cannot be relied on: then each object is asked for by itself. */
  #isUnreliable = false;

  constructor(client: S3Client, prefix: string) {
    this.#client = client;
    this.#prefix = prefix;
  }

  async look(keys: readonly string[]): Promise<ReadonlyMap<string, Present>> {
    const present = new Map<string, Present>();
    const rest = await this.#listed(keys, present);
    for (let at = 0; at < rest.length; at += ASKED_AT_ONCE) {
      await Promise.all(
        rest.slice(at, at + ASKED_AT_ONCE).map(async (key) => {
          const found = await this.#ask(this.#prefix + key);
          if (found !== null) present.set(key, found);
        }),
      );
    }
    return present;
  }

  async glance(keys: readonly string[]): Promise<ReadonlyMap<string, Present>> {
    const present = new Map<string, Present>();
    await this.#listed(keys, present);
    return present;
  }

  /** Takes what so many pages tell as keys would fill; returns the keys of which they tell nothing. */
  async #listed(keys: readonly string[], present: Map<string, Present>): Promise<readonly string[]> {
    let rest = this.#recall([...new Set(keys)].sort(compareKeys), present);
    // Others may lie between them: then so many pages do not get through them.
    for (let pages = Math.ceil(rest.length / PAGE) + 1; rest.length > FEW && pages > 0; pages--) {
      if (this.#isUnreliable) break;
      await this.#list(rest[0] as string);
      rest = this.#recall(rest, present);
    }
    return rest;
  }

  /** Takes what the last page tells; returns the keys of which it tells nothing. */
  #recall(keys: readonly string[], present: Map<string, Present>): readonly string[] {
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
  async #list(first: string): Promise<void> {
    const after = first.replace(/.$/su, "");
    const page = await listPage(this.#client, this.#prefix, { after }, PAGE).catch((error) => {
      if (!(error instanceof PawlError && error.code === "s3.listing")) throw error;
      this.#isUnreliable = true;
      return null;
    });
    if (page === null) return;
    const { entries, token } = page;
    const last = page.last ?? after;
    this.#known = {
      after,
      to: token === null ? null : last,
      present: new Map(entries.map(({ key, size, tag }) => [key, { size: size ?? 0, tag }])),
    };
  }

  async #ask(key: string): Promise<Present | null> {
    try {
      const { headers } = await this.#client.send({ method: "HEAD", key });
      return { size: Number(headers["content-length"]), tag: tagOf(headers.etag) };
    } catch (error) {
      // Where nothing may be listed, what is not there is forbidden; what cannot be asked for will fail when it is written.
      if (error instanceof AnswerError && [400, 403, 404].includes(error.status) && error.fatal === null)
        return null;
      throw error;
    }
  }
}
