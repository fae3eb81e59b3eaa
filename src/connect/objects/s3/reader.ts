import type { IncomingHttpHeaders } from "node:http";
import { hiddenError } from "../bucket-service/errors.ts";
import { ListingTokens, unreliableListing } from "../bucket-service/listed-page.ts";
import { BucketReader } from "../bucket-service/reader.ts";
import { unquotedEtag } from "../compare/etag.ts";
import type { ListedPage, ListRange, ObjectEntry } from "../contract.ts";
import { explainResponse, ResponseError } from "../http/response-error.ts";
import { retryRequest } from "../http/retry-request.ts";
import { compareKeys } from "../list/key-order.ts";
import type { S3Client } from "./client.ts";
import { listObjects, type S3Page } from "./list-objects.ts";

/** The longest key, in bytes. */
const LONGEST_KEY = 1024;
interface PagePosition {
  readonly after: string | null;
  readonly token?: string | null;
}

type Ask = (position: PagePosition, most?: number) => Promise<S3Page>;

/** The first key of a page, also where it marks the folder itself; null of a page without keys. */
function firstOf({ entries, last, hasMarker }: S3Page): string | null {
  return hasMarker ? "" : (entries[0]?.key ?? last);
}

function isEmpty({ last, token }: S3Page): boolean {
  return last === null && token === null;
}

/** Of folders there may be as many as of objects: so many thousands tell enough. */
const FOLDER_PAGES = 10;

/** A bucket, or what lies below a prefix in it, that is copied from. */
export class S3Reader extends BucketReader<S3Client> {
  protected override async listOne(): Promise<void> {
    await listObjects(this.client, this.prefix, { after: null }, 1);
  }

  /**
   * Pages of which each one continues where the one before ended. What comes next is asked in two ways, by the token of the page and
   * by its last key, which must agree; that there is nothing more is asked, too. So a server that leaves something out would
   * have to do so in both ways alike.
   */
  override async *list(
    from: string | null,
    signal: AbortSignal,
    { last = null, before: overlap = null }: ListRange = {},
  ): AsyncGenerator<ListedPage, void, undefined> {
    const ask = (position: PagePosition, most?: number) => this.#page(position, signal, most);
    const tokens = new ListingTokens(this.client);
    let [after, before] = [from, overlap];
    let first: string | null = null;
    let page = await ask({ after: overlap ?? from });
    if (overlap !== null && from !== null) {
      // A page may be empty though more come.
      for (let token = page.token; page.last === null && token !== null; token = page.token) {
        tokens.add(token, overlap);
        page = await ask({ after: overlap, token });
      }
      page = await this.#continued(page, from, overlap, signal);
    }
    for (;;) {
      const keys = page.entries.map(({ key }) => key);
      first ??= firstOf(page);
      before = keys.at(-2) ?? after;
      after = page.last ?? after;
      const isPast = last !== null && after !== null && compareKeys(after, last) > 0;
      const beyond = isPast ? (keys.find((key) => compareKeys(key, last) > 0) ?? null) : null;
      const entries =
        last === null ? page.entries : page.entries.filter(({ key }) => compareKeys(key, last) <= 0);
      const { token } = page;
      const afterEnd: S3Page | null =
        isPast || token !== null || after === null ? null : await ask({ after });
      const isOver = isPast || (token === null && (afterEnd === null || isEmpty(afterEnd)));
      const proof = { before, first, beyond };
      if (isOver) {
        yield { entries, next: null, proof };
        return;
      }
      // Where nothing has come yet, a listing that continues does so from the beginning.
      if (after !== null) yield { entries, next: after, proof };
      page = token === null ? (afterEnd as S3Page) : await this.#following(token, after, tokens, ask);
    }
  }

  /** The next page with keys, or the last one, by a token; its first key must be what comes after the key `after`. */
  async #following(token: string, after: string | null, tokens: ListingTokens, ask: Ask): Promise<S3Page> {
    tokens.add(token, after);
    let [page, next] = await Promise.all([ask({ after, token }), ask({ after }, 1)]);
    for (let more = page.token; page.last === null && more !== null; more = page.token) {
      tokens.add(more, after);
      token = more;
      page = await ask({ after, token });
    }
    if (firstOf(page) === firstOf(next)) return page;
    // Something may have come or gone just between the two.
    page = await ask({ after, token });
    next = await ask({ after }, 1);
    const [found, wanted] = [firstOf(page), firstOf(next)];
    if (found === wanted || (next.last === null && next.token !== null)) return page;
    throw unreliableListing(
      this.client,
      `after ${after} it lists ${found ?? "nothing"} by its token and ${wanted ?? "nothing"} by start-after`,
    );
  }

  async #page(position: PagePosition, signal: AbortSignal, most?: number): Promise<S3Page> {
    return await retryRequest(() => listObjects(this.client, this.prefix, position, most), signal).catch(
      (error) => {
        throw explainResponse(error);
      },
    );
  }

  /** What comes after a key, of a page that begins before it and must have come upon it. */
  async #continued(page: S3Page, from: string, before: string, signal: AbortSignal): Promise<S3Page> {
    if (!page.entries.some(({ key }) => key === from)) await this.#assertGone(from, before, signal);
    const entries = page.entries.filter(({ key }) => compareKeys(key, from) > 0);
    return { ...page, entries, last: entries.at(-1)?.key ?? null };
  }

  async assertContiguous(
    border: string,
    beyond: string | null,
    first: string | null,
    signal: AbortSignal,
  ): Promise<void> {
    // What the second key range saw before it may have come, or gone, between the two.
    if (beyond === null || (first !== null && compareKeys(first, beyond) <= 0)) return;
    const again = await this.#page({ after: border }, signal, 1);
    if (again.last === null || compareKeys(again.last, beyond) > 0)
      await this.#assertGone(beyond, border, signal);
  }

  /** Throws where an object is there that was not listed from after a key on. */
  async #assertGone(key: string, after: string, signal: AbortSignal): Promise<void> {
    const isThere = await retryRequest(
      () => this.client.send({ method: "HEAD", key: this.prefix + key }),
      signal,
    ).then(
      () => true,
      (error) => {
        if (error instanceof ResponseError && error.status === 404) return false;
        throw error;
      },
    );
    if (isThere)
      throw unreliableListing(this.client, `asked for what comes after ${after}, it leaves out ${key}`);
  }

  /** Folders are what can be known of the keys to come; where there is but one, what lies in it. */
  async splitKeys(from: string, signal: AbortSignal): Promise<readonly string[]> {
    for (let inside = ""; ; ) {
      const folders: string[] = [];
      const tokens = new ListingTokens(this.client);
      let token: string | null = null;
      for (let pages = 0; pages === 0 || (token !== null && pages < FOLDER_PAGES); pages++) {
        const position: { after: null; token: string | null } = { after: null, token };
        const page = await retryRequest(
          () => listObjects(this.client, this.prefix + inside, position, 1000, true),
          signal,
        );
        folders.push(...page.folders);
        token = page.token;
        if (token !== null) tokens.add(token, null);
      }
      const keys = [...new Set(folders.filter((folder) => folder !== ""))]
        .map((folder) => inside + folder)
        .sort(compareKeys);
      const [only] = keys;
      // No key is longer, so that this ends whatever a server says.
      if (keys.length === 1 && only !== undefined && only.length <= LONGEST_KEY) inside = only;
      else return keys.filter((key) => compareKeys(key, from) > 0);
    }
  }

  /** As the first part is, the others must be, and the last one what is left. */
  override async partBytes(entry: ObjectEntry): Promise<number | null> {
    const { etag, size } = entry;
    const count = Number(/-(\d+)$/.exec(etag ?? "")?.[1] ?? 0);
    if (count === 0 || size === null) return null;
    const partSize = async (number: number): Promise<number> => {
      const query = { partNumber: String(number) };
      const { headers } = await this.client.send({ method: "HEAD", key: this.keyOf(entry), query });
      // A server that does not know parts tells of the whole object.
      return headers["x-amz-mp-parts-count"] === undefined ? 0 : Number(headers["content-length"]);
    };
    const first = await partSize(1);
    if (first === 0 || Math.ceil(size / first) !== count) return null;
    return count === 1 || (await partSize(count)) === size - first * (count - 1) ? first : null;
  }

  protected override isVersion({ etag }: IncomingHttpHeaders, version: string): boolean {
    return unquotedEtag(etag) === version;
  }

  /** A server that does not know removing on a condition was asked for the version right before. */
  protected override async removeIf(key: string, etag: string): Promise<void> {
    const remove = async (headers: Record<string, string>) => {
      const { body } = await this.client.send({ method: "DELETE", key, headers });
      const failed = hiddenError(this.client.service, this.client.name, body);
      if (failed !== null) throw failed;
    };
    try {
      await remove({ "if-match": etag });
    } catch (error) {
      if (!(error instanceof ResponseError && error.status === 501)) throw error;
      await remove({});
    }
  }

  protected override isConflict({ status }: ResponseError): boolean {
    return status === 412 || status === 409;
  }

  /** The headers with which a provider copies an object itself, as long as its ETag is this one. */
  copySource(entry: ObjectEntry, etag: string | null): Record<string, string> {
    return {
      "x-amz-copy-source": this.client.pathOf(this.keyOf(entry)),
      ...(etag === null ? {} : { "x-amz-copy-source-if-match": `"${etag}"` }),
    };
  }
}
