import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { TransientError } from "../../../errors.ts";
import { own } from "../../../own.ts";
import { unquotedEtag } from "../compare/etag.ts";
import type { ListedPage, ListRange, ObjectEntry, ObjectReader, OpenObject } from "../contract.ts";
import { ResponseError } from "../http/response-error.ts";
import { fitsOneRequest } from "../transfer/part-size.ts";
import type { BucketClient } from "./client.ts";
import { assertListable } from "./listed-page.ts";
import { encodeQuery } from "./url-encoding.ts";
import { elementsOf, textOf } from "./xml.ts";

/** A bucket, or what lies below a prefix in it, that is copied from. A service says how it lists and removes. */
export abstract class BucketReader<Client extends BucketClient> implements ObjectReader {
  readonly name: string;
  readonly client: Client;
  readonly prefix: string;

  /** `name` is that of the location, for people. */
  constructor(name: string, prefix: string, client: Client) {
    this.name = name;
    this.prefix = prefix;
    this.client = client;
  }

  abstract list(from: string | null, signal: AbortSignal, range?: ListRange): AsyncIterable<ListedPage>;
  abstract partBytes(entry: ObjectEntry): Promise<number | null>;

  /** Lists one object. */
  protected abstract listOne(): Promise<unknown>;

  /** Whether headers are those of a version that was copied. */
  protected abstract isVersion(headers: IncomingHttpHeaders, version: string, entry: ObjectEntry): boolean;

  /** Removes an object as long as it has this ETag; rejects with a response that `isConflict` where it has not. */
  protected abstract removeIf(key: string, etag: string): Promise<void>;

  protected abstract isConflict(error: ResponseError): boolean;

  async check(): Promise<void> {
    await assertListable(this.name, () => this.listOne());
  }

  async open(entry: ObjectEntry): Promise<BucketObject> {
    const key = this.keyOf(entry);
    if (!fitsOneRequest(entry)) {
      const { headers } = await this.client.send({ method: "HEAD", key });
      return await this.#opened(key, headers, null);
    }
    const bytes = Buffer.allocUnsafe(entry.size as number);
    const received = await this.client.receive({ key }, bytes);
    if (received !== null) return await this.#opened(key, received.headers, bytes);
    const response = await this.client.begin({ key });
    return await this.#opened(key, response.headers, response);
  }

  async #opened(key: string, headers: IncomingHttpHeaders, content: Content): Promise<BucketObject> {
    try {
      this.#assertObject(headers);
      return new BucketObject(this.client, key, headers, await this.#tags(key, headers), content);
    } catch (error) {
      if (content !== null && !Buffer.isBuffer(content)) content.destroy();
      throw error;
    }
  }

  /** A proxy that answers in the place of the service must not be taken for the object. */
  #assertObject(headers: IncomingHttpHeaders): void {
    const { name, service } = this.client;
    if (!service.isObject(headers))
      throw new TransientError(
        "bucket.not-confirmed",
        `${name} answered without the headers of an object, such as its ETag`,
      );
  }

  async #tags(key: string, headers: IncomingHttpHeaders): Promise<string | null> {
    const { count, query } = this.client.service.tags;
    if (!(Number(own(headers, count)) > 0)) return null;
    const { body } = await this.client.send({ key, query });
    const tags = new Map<string, string>();
    for (const tag of elementsOf(body.toString("utf8"), "Tag"))
      tags.set(textOf(tag, "Key") ?? "", textOf(tag, "Value") ?? "");
    return encodeQuery(Object.fromEntries(tags)).slice(1);
  }

  /** What the listing tells, since that is what is compared; else the ETag of what will be read. */
  async version(entry: ObjectEntry): Promise<string | null> {
    return entry.etag ?? unquotedEtag((await this.#head(entry))?.etag);
  }

  async remove(entry: ObjectEntry, version: string): Promise<void> {
    const headers = await this.#head(entry);
    if (headers === null) return;
    const { etag } = headers;
    if (etag === undefined || !this.isVersion(headers, version, entry)) throw this.#changed(entry);
    try {
      await this.removeIf(this.keyOf(entry), etag);
    } catch (error) {
      if (!(error instanceof ResponseError)) throw error;
      if (error.status === 404 && error.fatal === null) return;
      throw this.isConflict(error) ? this.#changed(entry) : error;
    }
  }

  /** The headers of an object; null of one that is gone. */
  async #head(entry: ObjectEntry): Promise<IncomingHttpHeaders | null> {
    try {
      const { headers } = await this.client.send({ method: "HEAD", key: this.keyOf(entry) });
      this.#assertObject(headers);
      return headers;
    } catch (error) {
      if (error instanceof ResponseError && error.status === 404 && error.fatal === null) return null;
      throw error;
    }
  }

  #changed(entry: ObjectEntry): TransientError {
    return new TransientError(
      "copy.changed",
      `${this.where(entry)} was changed since it was copied, and stays where it is`,
    );
  }

  where({ key, from = key }: ObjectEntry): string {
    return `${this.name}/${from}`;
  }

  /** The whole key of an object in its bucket. */
  keyOf({ key, from = key }: ObjectEntry): string {
    return this.prefix + from;
  }

  async close(): Promise<void> {
    this.client.close();
  }
}

/** The bytes of an object that have come already or are on their way; null where none were asked for. */
type Content = IncomingMessage | Buffer | null;

class BucketObject implements OpenObject {
  readonly size: number | null;
  readonly etag: string | null;
  readonly version: string | null;
  readonly modified: number | null;
  readonly properties: OpenObject["properties"];
  readonly #client: BucketClient;
  readonly #key: string;
  /** The header, with which only this version is read. */
  readonly #etag: string;
  readonly #content: Content;

  constructor(
    client: BucketClient,
    key: string,
    headers: IncomingHttpHeaders,
    tags: string | null,
    content: Content,
  ) {
    const modified = Date.parse(headers["last-modified"] ?? "");
    this.size = headers["content-length"] === undefined ? null : Number(headers["content-length"]);
    this.etag = client.service.etagOf(headers);
    this.version = unquotedEtag(headers.etag);
    this.modified = Number.isNaN(modified) ? null : modified;
    this.properties = client.service.propertiesOf(headers, tags);
    this.#client = client;
    this.#key = key;
    this.#etag = headers.etag ?? "";
    this.#content = content;
  }

  async *body(): AsyncGenerator<Uint8Array, void, undefined> {
    if (Buffer.isBuffer(this.#content)) return yield this.#content;
    const request = { key: this.#key, headers: { "if-match": this.#etag } };
    yield* this.#client.pieces(this.#content ?? (await this.#client.begin(request)));
  }

  async range(offset: number, into: Buffer): Promise<void> {
    const range = `bytes=${offset}-${offset + into.length - 1}`;
    await this.#client.receiveRange({ key: this.#key, headers: { range, "if-match": this.#etag } }, into);
  }

  async close(): Promise<void> {
    // A response that was not read to its end would keep its connection.
    const content = this.#content;
    if (content !== null && !Buffer.isBuffer(content) && !content.complete) content.destroy();
  }
}
