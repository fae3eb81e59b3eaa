import type { IncomingHttpHeaders } from "node:http";
import { ListingTokens } from "../bucket-service/listed-page.ts";
import { BucketReader } from "../bucket-service/reader.ts";
import { isMd5, unquotedEtag } from "../compare/etag.ts";
import type { ListedPage, ObjectEntry } from "../contract.ts";
import { explainResponse, type ResponseError } from "../http/response-error.ts";
import { retryRequest } from "../http/retry-request.ts";
import type { AzureClient } from "./client.ts";
import { type ListingPosition, listBlobs } from "./list-blobs.ts";
import { AZURE } from "./service.ts";

/** A container, or what lies below a prefix in it, that is copied from. */
export class AzureReader extends BucketReader<AzureClient> {
  #others = 0;

  protected override async listOne(): Promise<void> {
    await listBlobs(this.client, this.prefix, undefined, 1);
  }

  /**
   * Pages one after the other: a listing of Azure cannot begin at a key, so that it goes in one, and continues at a marker and the
   * last key before it, after which all others must lie.
   */
  override async *list(
    from: string | null,
    signal: AbortSignal,
  ): AsyncGenerator<ListedPage, void, undefined> {
    const tokens = new ListingTokens(this.client);
    let position: ListingPosition | undefined = from === null ? undefined : JSON.parse(from);
    for (;;) {
      const { entries, order, marker, others } = await retryRequest(
        () => listBlobs(this.client, this.prefix, position),
        signal,
      ).catch((error) => {
        throw explainResponse(error);
      });
      this.#others += others;
      if (marker === null) {
        yield { entries, next: null };
        return;
      }
      tokens.add(marker, order.last);
      position = { marker, order };
      yield { entries, next: JSON.stringify(position) };
    }
  }

  notes(): readonly string[] {
    if (this.#others === 0) return [];
    return [
      `${this.#others} of the blobs of ${this.name} are append or page blobs: their bytes are copied as they are now, and a copy in Azure is a block blob.`,
    ];
  }

  /** A blob has no checksum of its parts. */
  override async partBytes(): Promise<null> {
    return null;
  }

  protected override isVersion(
    headers: IncomingHttpHeaders,
    version: string,
    { size }: ObjectEntry,
  ): boolean {
    return isMd5(version)
      ? AZURE.etagOf(headers) === version && Number(headers["content-length"]) === (size ?? Number.NaN)
      : unquotedEtag(headers.etag) === version;
  }

  protected override async removeIf(key: string, etag: string): Promise<void> {
    await this.client.send({ method: "DELETE", key, headers: { "if-match": etag } });
  }

  protected override isConflict({ code }: ResponseError): boolean {
    return code === "ConditionNotMet";
  }
}
