import type { IncomingMessage } from "node:http";
import { TransientError } from "../../../errors.ts";
import { encodeQuery } from "../buckets/url-encoding.ts";
import { elementsOf, textOf } from "../buckets/xml.ts";
import { isMd5, unquotedEtag } from "../compare/etag.ts";
import type { ListedPage, ListRange, ObjectEntry, ObjectReader, OpenObject } from "../contract.ts";
import { explainResponse, ResponseError } from "../http/response-error.ts";
import { retryRequest } from "../http/retry.ts";
import { ListingTokens } from "../listing-tokens.ts";
import { fitsOneRequest } from "../transfer/part-size.ts";
import { type AzureClient, tagOfHeaders } from "./client.ts";
import { BEGINNING, type ListingOrder, listBlobs, unreliableBlobs } from "./list.ts";
import { type ContainerPlace, checkContainer, nameOf } from "./place.ts";
import { propertiesOf } from "./properties.ts";

/** A container, or what lies below a prefix in it, that is copied from. */
export class AzureReader implements ObjectReader {
  readonly name: string;
  readonly client: AzureClient;
  readonly #prefix: string;
  #others = 0;

  constructor(place: ContainerPlace, client: AzureClient) {
    this.name = nameOf(place);
    this.#prefix = place.prefix;
    this.client = client;
  }

  async check(): Promise<void> {
    const first = { marker: null, course: BEGINNING };
    await checkContainer(this.name, () => listBlobs(this.client, this.#prefix, first, 1));
  }

  /**
   * Pages one after the other: a listing of Azure cannot begin at a key, so that it goes in one, and where it goes on is its marker with the
   * last key, behind which all others must lie.
   */
  async *list(
    from: string | null,
    signal: AbortSignal,
    _range: ListRange = {},
  ): AsyncGenerator<ListedPage, void, undefined> {
    const tokens = new ListingTokens((what) => unreliableBlobs(this.client.place, what));
    let place: { marker: string | null; course: ListingOrder } =
      from === null ? { marker: null, course: BEGINNING } : JSON.parse(from);
    for (;;) {
      const { entries, course, marker, others } = await retryRequest(
        () => listBlobs(this.client, this.#prefix, place),
        signal,
      ).catch((error) => {
        throw explainResponse(error);
      });
      this.#others += others;
      if (marker === null) {
        yield { entries, next: null };
        return;
      }
      tokens.add(marker, course.last);
      place = { marker, course };
      yield { entries, next: JSON.stringify(place) };
    }
  }

  notes(): readonly string[] {
    if (this.#others === 0) return [];
    return [
      `${this.#others} of the blobs of ${this.name} are append or page blobs: their bytes are copied as they are now, and a copy in Azure is a block blob.`,
    ];
  }

  async open(entry: ObjectEntry): Promise<OpenObject> {
    const key = this.keyOf(entry);
    if (fitsOneRequest(entry)) {
      const bytes = Buffer.allocUnsafe(entry.size as number);
      const answer = await this.client.receive({ key }, bytes);
      if (answer !== null) return await this.#opened(key, answer.headers, bytes);
      const response = await this.client.begin({ key });
      return await this.#opened(key, response.headers, response);
    }
    const { headers } = await this.client.send({ method: "HEAD", key });
    return await this.#opened(key, headers, null);
  }

  async #opened(
    key: string,
    headers: IncomingMessage["headers"],
    content: IncomingMessage | Buffer | null,
  ): Promise<AzureBlob> {
    try {
      // What answers in its place, such as a proxy that wants to be logged in to, must not be taken for the object.
      if (headers.etag === undefined || headers["x-ms-blob-type"] === undefined)
        throw new TransientError(
          "azure.no-tag",
          `${this.client.place} answered without the ETag and the type of a blob`,
        );
      return new AzureBlob(this.client, key, headers, await this.#tags(key, headers), content);
    } catch (error) {
      if (content !== null && !Buffer.isBuffer(content)) content.destroy();
      throw error;
    }
  }

  async #tags(key: string, headers: IncomingMessage["headers"]): Promise<string | null> {
    if (!(Number(headers["x-ms-tag-count"]) > 0)) return null;
    const { body } = await this.client.send({ key, query: { comp: "tags" } });
    const tags = new Map<string, string>();
    for (const tag of elementsOf(body.toString("utf8"), "Tag"))
      tags.set(textOf(tag, "Key") ?? "", textOf(tag, "Value") ?? "");
    return encodeQuery(Object.fromEntries(tags)).slice(1);
  }

  /** A blob has no checksum of its parts. */
  async partBytes(): Promise<null> {
    return null;
  }

  /** The checksum in the listing where it has one, since that is what is compared; else the ETag, for what will be read. */
  async version(entry: ObjectEntry): Promise<string | null> {
    return entry.etag ?? unquotedEtag((await this.#head(entry))?.etag);
  }

  async remove(entry: ObjectEntry, version: string): Promise<void> {
    const headers = await this.#head(entry);
    if (headers === null) return;
    const isSame = isMd5(version)
      ? tagOfHeaders(headers) === version && Number(headers["content-length"]) === (entry.size ?? Number.NaN)
      : unquotedEtag(headers.etag) === version;
    const changed = () =>
      new TransientError("copy.changed", `${this.where(entry)} has changed since it was read, and stays`);
    if (!isSame || headers.etag === undefined) throw changed();
    try {
      await this.client.send({
        method: "DELETE",
        key: this.keyOf(entry),
        headers: { "if-match": headers.etag },
      });
    } catch (error) {
      if (!(error instanceof ResponseError)) throw error;
      if (error.status === 404 && error.fatal === null) return;
      throw error.code === "ConditionNotMet" ? changed() : error;
    }
  }

  /** Null of one that is gone. */
  async #head(entry: ObjectEntry): Promise<IncomingMessage["headers"] | null> {
    try {
      return (await this.client.send({ method: "HEAD", key: this.keyOf(entry) })).headers;
    } catch (error) {
      if (error instanceof ResponseError && error.status === 404 && error.fatal === null) return null;
      throw error;
    }
  }

  where({ key, from = key }: ObjectEntry): string {
    return `${this.name}/${from}`;
  }

  /** The whole name of a blob in its container. */
  keyOf({ key, from = key }: ObjectEntry): string {
    return this.#prefix + from;
  }

  async close(): Promise<void> {
    this.client.close();
  }
}

class AzureBlob implements OpenObject {
  readonly size: number | null;
  readonly etag: string | null;
  readonly version: string | null;
  readonly modified: number | null;
  readonly properties: OpenObject["properties"];
  readonly #client: AzureClient;
  readonly #key: string;
  readonly #etag: string;
  /** What has come already, or is on its way; null where nothing was asked for. */
  readonly #content: IncomingMessage | Buffer | null;

  constructor(
    client: AzureClient,
    key: string,
    headers: IncomingMessage["headers"],
    tags: string | null,
    content: IncomingMessage | Buffer | null,
  ) {
    const modified = Date.parse(headers["last-modified"] ?? "");
    this.size = headers["content-length"] === undefined ? null : Number(headers["content-length"]);
    this.etag = tagOfHeaders(headers);
    this.version = unquotedEtag(headers.etag);
    this.modified = Number.isNaN(modified) ? null : modified;
    this.properties = propertiesOf(headers, tags);
    this.#client = client;
    this.#key = key;
    this.#etag = headers.etag ?? "";
    this.#content = content;
  }

  async *body(): AsyncGenerator<Uint8Array, void, undefined> {
    if (Buffer.isBuffer(this.#content)) return yield this.#content;
    const headers = { "if-match": this.#etag };
    yield* this.#client.pieces(this.#content ?? (await this.#client.begin({ key: this.#key, headers })));
  }

  async range(offset: number, into: Buffer): Promise<void> {
    const range = `bytes=${offset}-${offset + into.length - 1}`;
    await this.#client.receiveRange({ key: this.#key, headers: { range, "if-match": this.#etag } }, into);
  }

  async close(): Promise<void> {
    // What has not been read to its end would keep its connection.
    const content = this.#content;
    if (content !== null && !Buffer.isBuffer(content) && !content.complete) content.destroy();
  }
}
