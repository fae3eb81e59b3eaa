import type { IncomingHttpHeaders } from "node:http";
import { TransientError } from "../../../errors.ts";
import { hiddenError, notConfirmed } from "../buckets/error.ts";
import { escaped, textOf } from "../buckets/xml.ts";
import type { ChecksumThreads } from "../compare/checksum-threads.ts";
import { isMd5, multipartEtag, unquotedEtag } from "../compare/etag.ts";
import type { ByteRange, Upload } from "../contract.ts";
import { ResponseError } from "../http/response-error.ts";
import type { S3Client } from "./client.ts";
import { abortUpload } from "./orphaned-uploads.ts";
import { isEncryptedByKey, S3 } from "./service.ts";

export interface BegunUpload {
  readonly client: S3Client;
  readonly key: string;
  readonly upload: string;
  /** There is nothing to be cleared away any more. */
  readonly over: () => Promise<void>;
}

/** How servers say that they want every body signed. */
const REFUSED = new Set([400, 403, 501]);
/** How they say that they do not know a request. */
const UNKNOWN = new Set([405, 501]);

/** An object that is uploaded in parts. */
export class S3Upload implements Upload {
  readonly partBytes: number;
  readonly #begun: BegunUpload;
  readonly #checksums: ChecksumThreads;
  /** Whether the place takes parts whose bytes are not signed; null where they must be, since nothing else proves them. */
  readonly #unsigned: { accepted: boolean } | null;
  /** With which headers the provider copies from the source; null where it cannot. */
  #source: Readonly<Record<string, string>> | null;
  readonly #etags: string[] = [];

  constructor(
    begun: BegunUpload,
    partBytes: number,
    {
      checksums,
      unsigned,
      source,
    }: {
      readonly checksums: ChecksumThreads;
      readonly unsigned: { accepted: boolean } | null;
      readonly source: Readonly<Record<string, string>> | null;
    },
  ) {
    this.partBytes = partBytes;
    this.#begun = begun;
    this.#checksums = checksums;
    this.#unsigned = unsigned;
    this.#source = source;
  }

  async copyPartOnServer(number: number, { offset, length }: ByteRange): Promise<string | null | false> {
    if (this.#source === null) return false;
    const { client, key, upload } = this.#begun;
    try {
      const { headers, body } = await client.send({
        method: "PUT",
        key,
        query: { partNumber: String(number + 1), uploadId: upload },
        headers: { ...this.#source, "x-amz-copy-source-range": `bytes=${offset}-${offset + length - 1}` },
      });
      const failed = hiddenError(S3, client.name, body);
      if (failed !== null) throw failed;
      return this.#partIs(number, textOf(body.toString("utf8"), "ETag") ?? undefined, headers);
    } catch (error) {
      // Some servers copy whole objects only.
      if (!(error instanceof ResponseError && UNKNOWN.has(error.status))) throw error;
      this.#source = null;
      return false;
    }
  }

  async part(number: number, bytes: Buffer): Promise<string | null> {
    if (!this.#unsigned?.accepted) return await this.#send(number, bytes, false);
    const md5 = await this.#send(number, bytes, true).catch((error) => {
      if (error instanceof ResponseError && REFUSED.has(error.status)) return null;
      throw error;
    });
    if (md5 !== null) return md5;
    this.#unsigned.accepted = false;
    return await this.#send(number, bytes, false);
  }

  async #send(number: number, body: Buffer, unsignedBody: boolean): Promise<string | null> {
    const { client, key, upload } = this.#begun;
    const { headers } = await client.send({
      method: "PUT",
      key,
      query: { partNumber: String(number + 1), uploadId: upload },
      body,
      sha256: unsignedBody ? "UNSIGNED-PAYLOAD" : await this.#checksums.digest("sha256", body),
    });
    return this.#partIs(number, headers.etag, headers);
  }

  /** Remembers what the server calls a part; returns the MD5 that it says it has. */
  #partIs(number: number, etag: string | undefined, headers: IncomingHttpHeaders): string | null {
    // What answers in the place of S3 has kept nothing.
    if (etag === undefined)
      throw new TransientError(
        "bucket.not-confirmed",
        `${this.#begun.client.name} took a part and did not give its ETag`,
      );
    this.#etags[number] = etag;
    const plain = unquotedEtag(etag);
    return isMd5(plain) && !isEncryptedByKey(headers) ? plain : null;
  }

  async complete(): Promise<void> {
    const { client, key, upload, over } = this.#begun;
    const parts = this.#etags.map(
      (etag, at) => `<Part><PartNumber>${at + 1}</PartNumber><ETag>${escaped(etag)}</ETag></Part>`,
    );
    const { body } = await client.send({
      method: "POST",
      key,
      query: { uploadId: upload },
      headers: { "content-type": "application/xml" },
      body: Buffer.from(`<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`),
    });
    const failed = hiddenError(S3, client.name, body);
    if (failed !== null) throw failed;
    // Each part came as it was sent; now they must have been put together as they came.
    const etag = unquotedEtag(textOf(body.toString("utf8"), "ETag"));
    if (etag === null) throw notConfirmed(S3, `${client.name}: ${key}`, "an ETag");
    const tags = this.#etags.map(unquotedEtag);
    if (etag.endsWith(`-${tags.length}`) && tags.every(isMd5) && etag !== multipartEtag(tags))
      throw new TransientError("bucket.checksum", `${key} came out with another checksum`);
    await over();
  }

  async abort(): Promise<void> {
    const { client, key, upload, over } = this.#begun;
    await abortUpload(client, key, upload);
    await over();
  }
}
