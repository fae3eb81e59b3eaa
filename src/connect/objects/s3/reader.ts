import type { IncomingMessage } from "node:http";
import { TransientError } from "../../../errors.ts";
import type { ObjectEntry, Opened, Page, ReadPlace } from "../contract.ts";
import { patiently } from "../patience.ts";
import { goesWhole } from "../sizes.ts";
import { tagOf } from "../tag.ts";
import { outage, type S3Client } from "./client.ts";
import { encodeQuery } from "./encode.ts";
import { compareKeys } from "./key-order.ts";
import { listPage } from "./list.ts";
import { type BucketPlace, checkPlace, nameOf } from "./place.ts";
import { propertiesOf } from "./properties.ts";
import { elementsOf, textOf } from "./xml.ts";

/** Of folders there may be as many as of objects: so many thousands tell enough. */
const FOLDER_PAGES = 10;

/** A bucket, or what lies below a prefix in it, that is copied from. */
export class S3Reader implements ReadPlace {
  readonly name: string;
  readonly client: S3Client;
  readonly prefix: string;

  constructor(place: BucketPlace, client: S3Client) {
    this.name = nameOf(place);
    this.prefix = place.prefix;
    this.client = client;
  }

  async check(): Promise<void> {
    await checkPlace(this.name, () => listPage(this.client, this.prefix, { after: null }, 1));
  }

  async *list(
    from: string | null,
    signal: AbortSignal,
    last: string | null = null,
  ): AsyncGenerator<Page, void, undefined> {
    let after = from;
    let token: string | null = null;
    for (;;) {
      const place: { after: string | null; token: string | null } = { after, token };
      const page = await patiently(() => listPage(this.client, this.prefix, place), signal);
      after = page.entries.at(-1)?.key ?? after;
      token = page.token;
      const over = token === null || (last !== null && after !== null && compareKeys(after, last) >= 0);
      const entries =
        last === null ? page.entries : page.entries.filter(({ key }) => compareKeys(key, last) <= 0);
      yield { entries, next: over ? null : after };
      if (over) return;
    }
  }

  /** Folders are what can be known of the keys to come; where there is but one, what lies in it. */
  async borders(from: string, signal: AbortSignal): Promise<readonly string[]> {
    for (let inside = ""; ; ) {
      const folders: string[] = [];
      let token: string | null = null;
      for (let pages = 0; pages === 0 || (token !== null && pages < FOLDER_PAGES); pages++) {
        const place: { after: null; token: string | null } = { after: null, token };
        const page = await patiently(
          () => listPage(this.client, this.prefix + inside, place, 1000, true),
          signal,
        );
        folders.push(...page.folders);
        token = page.token;
      }
      const keys = folders.map((folder) => inside + folder).sort(compareKeys);
      const [only] = keys;
      if (keys.length === 1 && only !== undefined) inside = only;
      else return keys.filter((key) => compareKeys(key, from) > 0);
    }
  }

  async open(entry: ObjectEntry): Promise<Opened> {
    const key = this.keyOf(entry);
    if (goesWhole(entry)) {
      const bytes = Buffer.allocUnsafe(entry.size as number);
      const answer = await this.client.receive({ key }, bytes);
      if (answer !== null)
        return new S3Object(this.client, key, answer.headers, await this.#tags(key, answer), bytes);
      const response = await this.client.begin({ key });
      if (response.headers.etag === undefined) response.destroy();
      assertObject(this.client, response.headers);
      return new S3Object(this.client, key, response.headers, await this.#tags(key, response), response);
    }
    const { headers } = await this.client.send({ method: "HEAD", key });
    assertObject(this.client, headers);
    return new S3Object(this.client, key, headers, await this.#tags(key, { headers }), null);
  }

  /** As the first part is, the others must be, and the last one what is left. */
  async partBytes(entry: ObjectEntry): Promise<number | null> {
    const { tag, size } = entry;
    const count = Number(/-(\d+)$/.exec(tag ?? "")?.[1] ?? 0);
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

  async remove(entry: ObjectEntry): Promise<void> {
    await this.client.send({ method: "DELETE", key: this.keyOf(entry) });
  }

  where({ key, from = key }: ObjectEntry): string {
    return `${this.name}/${from}`;
  }

  /** The whole key of an object in its bucket. */
  keyOf({ key, from = key }: ObjectEntry): string {
    return this.prefix + from;
  }

  /** The headers with which a provider copies an object itself, as long as its tag is this one. */
  copySource(entry: ObjectEntry, tag: string | null): Record<string, string> {
    return {
      "x-amz-copy-source": this.client.pathOf(this.keyOf(entry)),
      ...(tag === null ? {} : { "x-amz-copy-source-if-match": `"${tag}"` }),
    };
  }

  async close(): Promise<void> {
    this.client.close();
  }

  async #tags(key: string, { headers }: Pick<IncomingMessage, "headers">): Promise<string | null> {
    if (!(Number(headers["x-amz-tagging-count"]) > 0)) return null;
    const { body } = await this.client.send({ key, query: { tagging: "" } });
    const tags = new Map<string, string>();
    for (const tag of elementsOf(body.toString("utf8"), "Tag"))
      tags.set(textOf(tag, "Key") ?? "", textOf(tag, "Value") ?? "");
    return encodeQuery(Object.fromEntries(tags)).slice(1);
  }
}

/** What answers in its place, such as a proxy that wants to be logged in to, must not be taken for the object. */
function assertObject({ place }: S3Client, { etag }: IncomingMessage["headers"]): void {
  if (etag === undefined) throw new TransientError("s3.no-tag", `${place} answered without an ETag`);
}

class S3Object implements Opened {
  readonly size: number | null;
  readonly tag: string | null;
  readonly modified: number | null;
  readonly properties: Opened["properties"];
  readonly #client: S3Client;
  readonly #key: string;
  readonly #etag: string | undefined;
  /** What has come already, or is on its way; null where nothing was asked for. */
  readonly #content: IncomingMessage | Buffer | null;

  constructor(
    client: S3Client,
    key: string,
    headers: IncomingMessage["headers"],
    tags: string | null,
    content: IncomingMessage | Buffer | null,
  ) {
    const modified = Date.parse(headers["last-modified"] ?? "");
    this.size = headers["content-length"] === undefined ? null : Number(headers["content-length"]);
    this.tag = tagOf(headers.etag);
    this.modified = Number.isNaN(modified) ? null : modified;
    this.properties = propertiesOf(headers, tags);
    this.#client = client;
    this.#key = key;
    this.#etag = headers.etag;
    this.#content = content;
  }

  async *body(): AsyncGenerator<Uint8Array, void, undefined> {
    if (Buffer.isBuffer(this.#content)) return yield this.#content;
    const response = this.#content ?? (await this.#client.begin({ key: this.#key }));
    try {
      for await (const bytes of response) yield bytes;
    } catch (error) {
      throw outage(error, this.#client.place);
    }
  }

  async range(offset: number, into: Buffer): Promise<void> {
    const request = {
      key: this.#key,
      headers: {
        range: `bytes=${offset}-${offset + into.length - 1}`,
        ...(this.#etag === undefined ? {} : { "if-match": this.#etag }),
      },
    };
    const answer = await this.#client.receive(request, into);
    if (answer?.status !== 206) await this.#fill(into, await this.#client.begin(request));
  }

  async #fill(into: Buffer, response: IncomingMessage): Promise<void> {
    const { length } = into;
    const wrong = (bytes: number | string) =>
      new TransientError(
        "s3.range",
        `${this.#client.place} gave ${bytes} bytes where ${length} were asked for`,
      );
    let filled = 0;
    try {
      if (response.statusCode !== 206) throw wrong("all");
      for await (const piece of response as AsyncIterable<Buffer>) {
        if (filled + piece.length > length) throw wrong("more");
        filled += piece.copy(into, filled);
      }
    } catch (error) {
      response.destroy();
      throw outage(error, this.#client.place);
    }
    if (filled < length) throw wrong(filled);
  }

  async close(): Promise<void> {
    // What has not been read to its end would keep its connection.
    const content = this.#content;
    if (content !== null && !Buffer.isBuffer(content) && !content.complete) content.destroy();
  }
}
