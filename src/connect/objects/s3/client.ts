import { hash } from "node:crypto";
import type { OutgoingHttpHeaders } from "node:http";
import { TransientError } from "../../../errors.ts";
import {
  BucketClient,
  type BucketRequest,
  type BucketResponse,
  type ConnectionErrors,
  type SignedRequest,
} from "../buckets/client.ts";
import { encodePath, encodeQuery } from "../buckets/url-encoding.ts";
import type { ResponseError } from "../http/response-error.ts";
import { errorOf } from "./error.ts";
import type { S3Settings } from "./settings.ts";
import { loadSigner, type Signer } from "./signer.ts";

export interface S3Request extends BucketRequest {
  /**
   * Of the body, where it has been taken already. `UNSIGNED-PAYLOAD` signs what is said of the body and not its bytes: for one
   * whose checksum the answer tells, and that is compared.
   */
  readonly sha256?: string;
}

const EMPTY = Buffer.alloc(0);

const errors: ConnectionErrors = {
  silent: (place, seconds) => new TransientError("s3.timeout", `${place} has not answered for ${seconds} s`),
  unfinished: (place, minutes) =>
    new TransientError("s3.timeout", `${place} was not done after ${minutes} min`),
  tooLong: (place, bytes) =>
    new TransientError("s3.too-long", `${place} answers with more than ${bytes} bytes, and no object`),
  slow: (place, what) => new TransientError("s3.timeout", `${place} ${what}`),
  broken: (place, reason, cause) =>
    new TransientError("s3.connection", `the connection to ${place} failed: ${reason}`, { cause }),
  range: (place, came, wanted) =>
    new TransientError("s3.range", `${place} gave ${came} bytes where ${wanted} were asked for`),
};

/** The requests of one bucket, with Signature Version 4. */
export class S3Client extends BucketClient<S3Request> {
  readonly bucket: string;
  readonly #settings: S3Settings;
  readonly #signer: Signer | null;
  readonly #host: string;
  readonly #base: string;

  private constructor(bucket: string, settings: S3Settings, signer: Signer | null) {
    const { endpoint, pathStyle } = settings;
    super(`s3://${bucket} at ${endpoint.host}`, endpoint, errors);
    this.bucket = bucket;
    this.#settings = settings;
    this.#signer = signer;
    this.#host = pathStyle ? endpoint.host : `${bucket}.${endpoint.host}`;
    const base = endpoint.pathname.replace(/\/$/, "");
    this.#base = pathStyle ? `${base}/${encodePath(bucket)}` : base;
  }

  static async open(bucket: string, settings: S3Settings): Promise<S3Client> {
    return new S3Client(bucket, settings, settings.credentials === null ? null : await loadSigner());
  }

  /** Whether another client speaks to the same provider as the same user, who can then copy between their buckets. */
  reaches(other: S3Client): boolean {
    const [own, others] = [this.#settings, other.#settings];
    return (
      own.endpoint.href === others.endpoint.href &&
      own.region === others.region &&
      own.credentials?.accessKeyId === others.credentials?.accessKeyId
    );
  }

  /** Where an object is, for a header that names a source. */
  pathOf(key: string): string {
    return `/${encodePath(this.bucket)}/${encodePath(key)}`;
  }

  protected override errorOf(answer: BucketResponse, hasTaken: boolean): ResponseError {
    return errorOf(this.place, answer, hasTaken);
  }

  protected override signed({
    method = "GET",
    key = null,
    query = {},
    headers = {},
    body = EMPTY,
    sha256,
  }: S3Request): SignedRequest {
    const path = `${this.#base}/${key === null ? "" : encodePath(key)}${encodeQuery(query)}`;
    const signed = {
      method,
      path,
      headers: {
        ...("content-disposition" in headers
          ? { "content-disposition": headers["content-disposition"] }
          : {}),
        host: this.#host,
        ...(body.length > 0 || method === "PUT" || method === "POST"
          ? { "content-length": body.length }
          : {}),
        ...(body.length > 0 ? { "content-type": "application/octet-stream" } : {}),
        ...headers,
      } as OutgoingHttpHeaders,
    };
    if (this.#signer !== null) {
      // The server checks the bytes against a SHA-256 before it takes them.
      signed.headers["x-amz-content-sha256"] = sha256 ?? hash("sha256", body);
      this.#signer.sign(
        { method, path, region: this.#settings.region },
        signed.headers,
        this.#settings.credentials,
      );
    }
    return signed;
  }
}
