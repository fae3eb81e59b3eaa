import { TransientError } from "../../../errors.ts";
import { textOf } from "../buckets/xml.ts";
import type { ChecksumThreads } from "../compare/checksum-threads.ts";
import { isMd5, isMultipartEtag, unquotedEtag } from "../compare/etag.ts";
import type {
  ExistenceCheck,
  ObjectDetails,
  ObjectEntry,
  ObjectReader,
  ObjectWriter,
  PresentObject,
  Upload,
} from "../contract.ts";
import { retryRequest } from "../http/retry.ts";
import { partBytesOf } from "../transfer/part-size.ts";
import type { S3Client } from "./client.ts";
import { isByKey } from "./encryption.ts";
import { hiddenError, noTag } from "./error.ts";
import { S3ExistenceCheck } from "./existence-check.ts";
import { abortBegun } from "./leftovers.ts";
import { listPage } from "./list.ts";
import { UploadJournal } from "./orphaned-uploads.ts";
import { type BucketPlace, checkPlace, nameOf } from "./place.ts";
import { headersOf, ORIGIN } from "./properties.ts";
import { S3Reader } from "./reader.ts";
import { S3Upload } from "./upload.ts";

/** The longest key, in bytes. */
const LONGEST_KEY = 1024;
/** What one request may copy within a provider. */
const LARGEST_COPY = 5 * 1024 ** 3;

/** A bucket, or what lies below a prefix in it, that is copied to. */
export class S3Writer implements ObjectWriter {
  readonly name: string;
  readonly #client: S3Client;
  readonly #prefix: string;
  readonly #journal: UploadJournal;
  readonly #checksums: ChecksumThreads;
  readonly #unsigned = { taken: true };

  constructor(
    place: BucketPlace,
    client: S3Client,
    { folder, checksums }: { readonly folder: string; readonly checksums: ChecksumThreads },
  ) {
    this.name = nameOf(place);
    this.#client = client;
    this.#prefix = place.prefix;
    this.#journal = new UploadJournal(folder);
    this.#checksums = checksums;
  }

  async prepare(dryRun: boolean): Promise<void> {
    await checkPlace(this.name, () => listPage(this.#client, this.#prefix, { after: null }, 1));
    if (!dryRun) await retryRequest(() => this.removeOrphans(), new AbortController().signal);
  }

  async removeOrphans(): Promise<void> {
    for (const begun of await this.#journal.left()) {
      await abortBegun(this.#client, begun);
      await this.#journal.done(begun);
    }
  }

  nameProblem(key: string): string | null {
    if (key === "") return "its name is empty";
    const bytes = Buffer.byteLength(this.#prefix + key);
    if (bytes > LONGEST_KEY) return `its name has ${bytes} bytes, and a key at most ${LONGEST_KEY}`;
    // Many servers, and everything between here and there, take such a path for another one.
    if (/(^|\/)\.\.?(\/|$)/.test(key)) return "its name holds . or .., which leads elsewhere";
    return null;
  }

  existenceCheck(): ExistenceCheck {
    return new S3ExistenceCheck(this.#client, this.#prefix);
  }

  async etagOf({ key }: ObjectEntry, { etag }: PresentObject): Promise<string | null> {
    if (isMd5(etag)) return etag;
    const { headers } = await this.#client.send({ method: "HEAD", key: this.#prefix + key });
    return (headers[`x-amz-meta-${ORIGIN}`] as string | undefined) ?? null;
  }

  partBytes(size: number): number {
    return partBytesOf(size);
  }

  async put({ key }: ObjectEntry, bytes: Buffer, md5: string, { properties }: ObjectDetails): Promise<void> {
    const { headers } = await this.#client.send({
      method: "PUT",
      key: this.#prefix + key,
      headers: headersOf(properties),
      body: bytes,
    });
    this.#assertEtag(key, unquotedEtag(headers.etag), md5, headers["x-amz-server-side-encryption"]);
  }

  /** Lets the provider copy an object itself; false where it cannot. */
  async copyOnServer(source: ObjectReader, entry: ObjectEntry): Promise<boolean> {
    if (!this.#isOwn(source)) return false;
    // Of an object of parts the copy would be in one, so that the two could no longer be compared.
    if (entry.size === null || entry.size > LARGEST_COPY || !isMd5(entry.etag)) return false;
    const { body } = await this.#client.send({
      method: "PUT",
      key: this.#prefix + entry.key,
      headers: source.copySource(entry, entry.etag),
    });
    // It may fail after it has said that all is well.
    const failed = hiddenError(this.#client.place, body);
    if (failed !== null) throw failed;
    this.#assertEtag(entry.key, unquotedEtag(textOf(body.toString("utf8"), "ETag")), entry.etag, undefined);
    return true;
  }

  #isOwn(source: ObjectReader | undefined): source is S3Reader {
    return source instanceof S3Reader && this.#client.reaches(source.client);
  }

  async beginUpload(
    entry: ObjectEntry,
    described: ObjectDetails,
    partBytes?: number,
    source?: ObjectReader,
  ): Promise<Upload> {
    const key = this.#prefix + entry.key;
    const size = described.size ?? entry.size ?? 0;
    const own = headersOf(described.properties);
    const origin = described.etag === null ? {} : { [`x-amz-meta-${ORIGIN}`]: described.etag };
    const intent = await this.#journal.intend(key);
    const { body } = await this.#client.send({
      method: "POST",
      key,
      query: { uploads: "" },
      headers: { ...own, ...origin },
    });
    const upload = textOf(body.toString("utf8"), "UploadId");
    if (upload === null)
      throw new TransientError("s3.upload", `${this.name} began no upload for ${entry.key}`);
    const begun = await this.#journal.begun(intent, upload);
    const over = () => this.#journal.done(begun);
    const bytes = partBytes ?? partBytesOf(size);
    // Parts as the source has them come to its ETag, or the object is not completed: that proves more than to sign each does.
    const proven = partBytes !== undefined && described.etag?.endsWith(`-${Math.ceil(size / bytes)}`);
    return new S3Upload({ client: this.#client, key, upload, over }, bytes, {
      checksums: this.#checksums,
      unsigned: proven ? this.#unsigned : null,
      source:
        this.#isOwn(source) && isMultipartEtag(described.etag)
          ? source.copySource(entry, described.etag)
          : null,
    });
  }

  /** An answer of S3 means that the object is safe. */
  async flush(): Promise<void> {}

  async close(): Promise<void> {
    this.#client.close();
  }

  /** The server has compared the bytes with their SHA-256 already; its own checksum says that it kept them. */
  #assertEtag(key: string, etag: string | null, md5: string, encryption: unknown): void {
    if (etag === null) throw noTag(`${this.name}/${key}`);
    if (etag === md5 || !isMd5(etag) || isByKey(encryption)) return;
    throw new TransientError("s3.checksum", `${this.name}/${key} came out with another checksum`);
  }
}
