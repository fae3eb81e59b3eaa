import { randomBytes } from "node:crypto";
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import { TransientError } from "../../../errors.ts";
import { notConfirmed } from "../bucket-service/errors.ts";
import { BucketWriter } from "../bucket-service/writer.ts";
import { escaped } from "../bucket-service/xml.ts";
import type { ChecksumThreads } from "../compare/checksum-threads.ts";
import { isMd5 } from "../compare/etag.ts";
import type { ExistenceCheck, ObjectDetails, ObjectEntry, ObjectReader, Upload } from "../contract.ts";
import { ResponseError } from "../http/response-error.ts";
import { partBytesOf } from "../transfer/part-size.ts";
import type { AzureClient } from "./client.ts";
import { AzureExistenceCheck } from "./existence-check.ts";
import { listBlobs } from "./list-blobs.ts";
import { headersOf } from "./properties.ts";
import { AzureReader } from "./reader.ts";
import { AZURE, base64OfMd5, md5OfBase64 } from "./service.ts";

/** The longest name, in UTF-16 units, and the most parts between its slashes. */
const LONGEST_NAME = 1024;
const MOST_SEGMENTS = 254;
/** What the service copies from itself in one request, and compares with an MD5 while it does. */
const LARGEST_COPY = 256 * 1024 ** 2;
/** How the service says that it does not copy so. */
const NOT_COPIED = new Set([400, 401, 403, 404, 409, 501]);

/** A container, or what lies below a prefix in it, that is copied to. */
export class AzureWriter extends BucketWriter<AzureClient> {
  readonly #existence = new AzureExistenceCheck(this.client, this.prefix);
  /** Whether the service has not refused to copy from itself. */
  #copies = true;

  protected override async listOne(): Promise<void> {
    await listBlobs(this.client, this.prefix, undefined, 1);
  }

  override nameProblem(key: string): string | null {
    if (key === "") return "its name is empty";
    const name = this.prefix + key;
    if (name.length > LONGEST_NAME)
      return `its name has ${name.length} characters, and a blob's at most ${LONGEST_NAME}`;
    const segments = name.split("/");
    if (segments.length > MOST_SEGMENTS)
      return `its name has ${segments.length} parts between slashes, and a blob's at most ${MOST_SEGMENTS}`;
    // The service takes such a name for another one: two objects would become one.
    if (name.includes("\\")) return "its name holds a \\, which Azure takes for a /";
    if (segments.some((segment) => segment.endsWith(".")))
      return "a part of its name ends in a dot, which Azure does not keep";
    if (/\p{Cc}/u.test(name)) return "its name holds a control character, which Azure does not take";
    if (!name.isWellFormed()) return "its name holds half a character";
    return null;
  }

  override existenceCheck(how?: "fresh"): ExistenceCheck {
    return how === "fresh" ? new AzureExistenceCheck(this.client, this.prefix) : this.#existence;
  }

  override async put(
    { key }: ObjectEntry,
    bytes: Buffer,
    md5: string,
    described: ObjectDetails,
  ): Promise<void> {
    const { headers } = await this.client.send({
      method: "PUT",
      key: this.prefix + key,
      headers: {
        "x-ms-blob-type": "BlockBlob",
        "content-md5": base64OfMd5(md5),
        ...keptHeaders(described),
      },
      body: bytes,
    });
    this.#assertKept(key, headers, md5);
  }

  /** The service has compared the bytes with their MD5 before it took them, and says which one it has. */
  #assertKept(key: string, headers: IncomingHttpHeaders, md5: string): void {
    if (headers.etag === undefined) throw notConfirmed(AZURE, `${this.name}/${key}`, "an ETag");
    const kept = md5OfBase64(headers["content-md5"]);
    if (kept === null) throw notConfirmed(AZURE, `${this.name}/${key}`, "a Content-MD5");
    if (kept !== md5)
      throw new TransientError("bucket.checksum", `${this.name}/${key} came out with another checksum`);
  }

  /** Lets the service copy a blob of the same account itself, where it compares its MD5; false where it does not. */
  override async copyOnServer(source: ObjectReader, entry: ObjectEntry): Promise<boolean> {
    if (!this.#copies || !(source instanceof AzureReader)) return false;
    if (entry.size === null || entry.size > LARGEST_COPY || !isMd5(entry.etag)) return false;
    const url = this.client.sourceOf(source.client, source.keyOf(entry));
    if (url === null) return false;
    const key = this.prefix + entry.key;
    try {
      await this.client.send({
        method: "PUT",
        key,
        headers: {
          "x-ms-copy-source": url,
          "x-ms-copy-source-tag-option": "COPY",
          "x-ms-requires-sync": "true",
          "x-ms-source-content-md5": base64OfMd5(entry.etag),
        },
      });
    } catch (error) {
      if (!(error instanceof ResponseError && NOT_COPIED.has(error.status))) throw error;
      // Of one blob, or of all: reading and writing it tells.
      if (error.status !== 404 && error.status !== 409) this.#copies = false;
      return false;
    }
    const { headers } = await this.client.send({ method: "HEAD", key });
    return Number(headers["content-length"]) === entry.size && AZURE.etagOf(headers) === entry.etag;
  }

  override async beginUpload(
    entry: ObjectEntry,
    described: ObjectDetails,
    partBytes?: number,
  ): Promise<Upload> {
    const size = described.size ?? entry.size ?? 0;
    return new AzureUpload(this.client, this.prefix + entry.key, {
      partBytes: partBytes ?? partBytesOf(size),
      headers: keptHeaders(described),
      checksums: this.checksums,
    });
  }
}

/** What goes along with a blob, and the checksum of its source where that is not an MD5. */
function keptHeaders({ properties, etag }: ObjectDetails): OutgoingHttpHeaders {
  const origin = etag === null || isMd5(etag) ? {} : { [AZURE.originHeader]: etag };
  return { ...headersOf(properties), ...origin };
}

/** A blob that is written block by block, and appears when its list of blocks is put. */
class AzureUpload implements Upload {
  readonly wantsMd5 = true;
  readonly partBytes: number;
  readonly #client: AzureClient;
  readonly #key: string;
  readonly #headers: OutgoingHttpHeaders;
  readonly #checksums: ChecksumThreads;
  /** So that no other upload of the same blob puts blocks into this one. */
  readonly #nonce = randomBytes(8).toString("hex");
  #count = 0;

  constructor(
    client: AzureClient,
    key: string,
    {
      partBytes,
      headers,
      checksums,
    }: {
      readonly partBytes: number;
      readonly headers: OutgoingHttpHeaders;
      readonly checksums: ChecksumThreads;
    },
  ) {
    this.#client = client;
    this.#key = key;
    this.partBytes = partBytes;
    this.#headers = headers;
    this.#checksums = checksums;
  }

  /** All of a blob must be of one length. */
  #blockId(number: number): string {
    return Buffer.from(`${this.#nonce}-${String(number).padStart(6, "0")}`).toString("base64");
  }

  async part(number: number, bytes: Buffer): Promise<string> {
    const md5 = await this.#checksums.digest("md5", bytes);
    const { headers } = await this.#client.send({
      method: "PUT",
      key: this.#key,
      query: { blockid: this.#blockId(number), comp: "block" },
      headers: { "content-md5": base64OfMd5(md5) },
      body: bytes,
    });
    // The service compares it before it takes a block; Azurite does not repeat it.
    const kept = md5OfBase64(headers["content-md5"]);
    if (kept !== null && kept !== md5)
      throw new TransientError("bucket.checksum", `a part of ${this.#key} came out with another checksum`);
    this.#count = Math.max(this.#count, number + 1);
    return md5;
  }

  async complete(size: number, md5: string | null): Promise<void> {
    const ids = Array.from({ length: this.#count }, (_, number) => this.#blockId(number));
    const list = ids.map((id) => `<Uncommitted>${escaped(id)}</Uncommitted>`).join("");
    await this.#client.send({
      method: "PUT",
      key: this.#key,
      query: { comp: "blocklist" },
      headers: {
        ...this.#headers,
        ...(md5 === null ? {} : { "x-ms-blob-content-md5": base64OfMd5(md5) }),
      },
      body: Buffer.from(`<?xml version="1.0" encoding="utf-8"?><BlockList>${list}</BlockList>`),
    });
    // Each block came as it was sent; now they must have been put together as they came.
    const { headers } = await this.#client.send({ method: "HEAD", key: this.#key });
    if (headers.etag === undefined)
      throw notConfirmed(AZURE, `${this.#client.name}: ${this.#key}`, "an ETag");
    if (Number(headers["content-length"]) !== size || (md5 !== null && AZURE.etagOf(headers) !== md5))
      throw new TransientError("bucket.checksum", `${this.#key} came out with another size or checksum`);
  }

  /** Blocks that no list names are never seen: the service drops them. */
  async abort(): Promise<void> {}
}
