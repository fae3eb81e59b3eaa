import { createHmac, createSecretKey, hash, type KeyObject } from "node:crypto";
import type { OutgoingHttpHeaders } from "node:http";
import { PawlError } from "../../../errors.ts";
import { setOwn } from "../../../own.ts";
import { BucketClient, type BucketRequest, type SignedRequest } from "../bucket-service/client.ts";
import { encodePath, encodeQuery } from "../bucket-service/url-encoding.ts";
import { S3 } from "./service.ts";
import type { S3Credentials, S3Settings } from "./settings.ts";

export interface S3Request extends BucketRequest {
  /**
   * Of the body, where it has been taken already. `UNSIGNED-PAYLOAD` signs what is said of the body and not its bytes: for one
   * whose checksum the answer tells, and that is compared.
   */
  readonly sha256?: string;
}

const EMPTY = Buffer.alloc(0);

/** The requests of one bucket, with Signature Version 4. */
export class S3Client extends BucketClient<S3Request> {
  readonly bucket: string;
  readonly #settings: S3Settings;
  readonly #signer: Signer | null;
  readonly #host: string;
  readonly #base: string;

  private constructor(bucket: string, settings: S3Settings, signer: Signer | null) {
    const { endpoint, pathStyle } = settings;
    super({ name: `s3://${bucket} at ${endpoint.host}`, endpoint, service: S3, credentialsExpire: false });
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

interface Signable {
  readonly method: string;
  readonly path: string;
  readonly region: string;
}

interface Signer {
  /** Adds to the headers of a request what proves who sends it. */
  sign(request: Signable, headers: OutgoingHttpHeaders, credentials: S3Credentials | null): void;
}

const SERVICE = "s3";

/** Loads the optional peer `aws4`. Only buckets need it. */
async function loadSigner(): Promise<Signer> {
  const { RequestSigner } = await import("aws4").then(
    (aws4) => aws4.default,
    (cause) => {
      throw new PawlError("s3.no-signer", "Buckets need the package aws4: run `npm install aws4`.", {
        cause,
      });
    },
  );
  const keys = new SigningKeys();

  /** Signs with a key that was prepared once: to prepare it again takes half of the time of a signature. */
  class KeyedSigner extends RequestSigner {
    override signature(): string {
      const key = keys.of(this.credentials.secretAccessKey ?? "", this.getDate(), this.region);
      return createHmac("sha256", key).update(this.stringToSign()).digest("hex");
    }

    /** Headers go out with one byte a character, and a server hashes the bytes. */
    override stringToSign(): string {
      const canonical = hash("sha256", Buffer.from(this.canonicalString(), "latin1"));
      return ["AWS4-HMAC-SHA256", this.getDateTime(), this.credentialString(), canonical].join("\n");
    }

    /** Only spaces are spaces: what JavaScript takes for one may be half of a character. */
    override canonicalHeaders(): string {
      const values = new Map(
        Object.entries(this.request.headers ?? {}).map(([name, value]) => [
          name.toLowerCase(),
          String(value),
        ]),
      );
      return this.signedHeaders()
        .split(";")
        .map(
          (name) => `${name}:${(values.get(name) ?? "").replace(/^[ \t]+|[ \t]+$/g, "").replace(/ +/g, " ")}`,
        )
        .join("\n");
    }
  }

  return {
    sign: ({ method, path, region }, headers, credentials) => {
      if (credentials === null) return;
      const signed = new KeyedSigner({ method, path, region, headers, service: SERVICE }, credentials).sign();
      for (const [name, value] of Object.entries(signed.headers ?? {})) setOwn(headers, name, value);
    },
  };
}

/** The key of a day, as Signature Version 4 derives it from a secret. */
class SigningKeys {
  readonly #keys = new Map<string, KeyObject>();

  of(secret: string, date: string, region: string): KeyObject {
    const name = `${date} ${region} ${secret}`;
    let key = this.#keys.get(name);
    if (key === undefined) {
      let derived = Buffer.from(`AWS4${secret}`);
      for (const part of [date, region, SERVICE, "aws4_request"])
        derived = createHmac("sha256", derived).update(part).digest();
      key = createSecretKey(derived);
      // Of the days before, none is needed any more.
      this.#keys.clear();
      this.#keys.set(name, key);
    }
    return key;
  }
}
