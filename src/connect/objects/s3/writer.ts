import type { IncomingHttpHeaders } from "node:http";
import { TransientError } from "../../../errors.ts";
import { hiddenError, notConfirmed } from "../bucket-service/errors.ts";
import { BucketWriter } from "../bucket-service/writer.ts";
import { escaped, textOf } from "../bucket-service/xml.ts";
import type { ChecksumThreads } from "../compare/checksum-threads.ts";
import { isMd5, isMultipartEtag, multipartEtag, unquotedEtag } from "../compare/etag.ts";
import type {
  ByteRange,
  ExistenceCheck,
  ObjectDetails,
  ObjectEntry,
  ObjectReader,
  Upload,
} from "../contract.ts";
import { ResponseError } from "../http/response-error.ts";
import { retryRequest } from "../http/retry-request.ts";
import { partBytesOf } from "../transfer/part-size.ts";
import type { S3Client } from "./client.ts";
import { S3ExistenceCheck } from "./existence-check.ts";
import { listObjects } from "./list-objects.ts";
import { abortUpload, OrphanedUploads } from "./orphaned-uploads.ts";
import { headersOf } from "./properties.ts";
import { S3Reader } from "./reader.ts";
import { isEncryptedByKey, S3 } from "./service.ts";

/** The longest key, in bytes. */
const LONGEST_KEY = 1024;
/** What one request may copy within a provider. */
const LARGEST_COPY = 5 * 1024 ** 3;

/** A bucket, or what lies below a prefix in it, that is copied to. */
export class S3Writer extends BucketWriter<S3Client> {
  readonly #orphans: OrphanedUploads;
  readonly #unsigned = { accepted: true };

  /** `folder` is where the run keeps what it needs on this machine. */
  constructor(name: string, prefix: string, client: S3Client, checksums: ChecksumThreads, folder: string) {
    super(name, prefix, client, checksums);
    this.#orphans = new OrphanedUploads(client, folder);
  }

  protected override async listOne(): Promise<void> {
    await listObjects(this.client, this.prefix, { after: null }, 1);
  }

  override async prepare(dryRun: boolean): Promise<void> {
    await super.prepare(dryRun);
    if (!dryRun) await retryRequest(() => this.removeOrphans());
  }

  override async removeOrphans(): Promise<void> {
    await this.#orphans.abortAll();
  }

  override nameProblem(key: string): string | null {
    if (key === "") return "its name is empty";
    const bytes = Buffer.byteLength(this.prefix + key);
    if (bytes > LONGEST_KEY) return `its name has ${bytes} bytes, and a key at most ${LONGEST_KEY}`;
    // Many servers, and everything between here and there, take such a path for another one.
    if (/(^|\/)\.\.?(\/|$)/.test(key)) return "its name holds . or .., which leads elsewhere";
    return null;
  }

  override existenceCheck(): ExistenceCheck {
    return new S3ExistenceCheck(this.client, this.prefix);
  }

  override async put(
    { key }: ObjectEntry,
    bytes: Buffer,
    md5: string,
    { properties }: ObjectDetails,
  ): Promise<void> {
    const { headers } = await this.client.send({
      method: "PUT",
      key: this.prefix + key,
      headers: headersOf(properties),
      body: bytes,
    });
    this.#assertEtag(key, unquotedEtag(headers.etag), md5, headers);
  }

  /** Lets the provider copy an object itself; false where it cannot. */
  override async copyOnServer(source: ObjectReader, entry: ObjectEntry): Promise<boolean> {
    if (!this.#isOwn(source)) return false;
    // Of an object of parts the copy would be in one, so that the two could no longer be compared.
    if (entry.size === null || entry.size > LARGEST_COPY || !isMd5(entry.etag)) return false;
    const { body } = await this.client.send({
      method: "PUT",
      key: this.prefix + entry.key,
      headers: source.copySource(entry, entry.etag),
    });
    // It may fail after it has said that all is well.
    const failed = hiddenError(S3, this.client.name, body);
    if (failed !== null) throw failed;
    this.#assertEtag(entry.key, unquotedEtag(textOf(body.toString("utf8"), "ETag")), entry.etag, {});
    return true;
  }

  #isOwn(source: ObjectReader | undefined): source is S3Reader {
    return source instanceof S3Reader && this.client.reaches(source.client);
  }

  override async beginUpload(
    entry: ObjectEntry,
    described: ObjectDetails,
    partBytes?: number,
    source?: ObjectReader,
  ): Promise<Upload> {
    const key = this.prefix + entry.key;
    const size = described.size ?? entry.size ?? 0;
    const own = headersOf(described.properties);
    const origin = described.etag === null ? {} : { [S3.originHeader]: described.etag };
    const intent = await this.#orphans.intend(key);
    const { body } = await this.client.send({
      method: "POST",
      key,
      query: { uploads: "" },
      headers: { ...own, ...origin },
    });
    const upload = textOf(body.toString("utf8"), "UploadId");
    if (upload === null)
      throw new TransientError("s3.upload", `${this.name} began no upload for ${entry.key}`);
    const begun = await this.#orphans.begun(intent, upload);
    const over = () => this.#orphans.done(begun);
    const bytes = partBytes ?? partBytesOf(size);
    // Parts as the source has them come to its ETag, or the object is not completed: that proves more than to sign each does.
    const proven = partBytes !== undefined && described.etag?.endsWith(`-${Math.ceil(size / bytes)}`);
    return new S3Upload({ client: this.client, key, upload, over }, bytes, {
      checksums: this.checksums,
      unsigned: proven ? this.#unsigned : null,
      source:
        this.#isOwn(source) && isMultipartEtag(described.etag)
          ? source.copySource(entry, described.etag)
          : null,
    });
  }

  /** The server has compared the bytes with their SHA-256 already; its own checksum says that it kept them. */
  #assertEtag(key: string, etag: string | null, md5: string, headers: IncomingHttpHeaders): void {
    if (etag === null) throw notConfirmed(S3, `${this.name}/${key}`, "an ETag");
    if (etag === md5 || !isMd5(etag) || isEncryptedByKey(headers)) return;
    throw new TransientError("bucket.checksum", `${this.name}/${key} came out with another checksum`);
  }
}

interface BegunUpload {
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
class S3Upload implements Upload {
  readonly partBytes: number;
  readonly #begun: BegunUpload;
  readonly #checksums: ChecksumThreads;
  /** Whether the server takes parts whose bytes are not signed; null where they must be, since nothing else proves them. */
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
