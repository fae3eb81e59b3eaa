import type { IncomingHttpHeaders } from "node:http";
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
import { azureErrorOf } from "./error.ts";
import type { AzureSettings } from "./settings.ts";
import { API_VERSION, readSas, sharedKey } from "./signer.ts";

const EMPTY = Buffer.alloc(0);
/** How long the service may take to fetch one blob from itself. */
const SOURCE_MS = 60 * 60_000;

const errors: ConnectionErrors = {
  silent: (place, seconds) =>
    new TransientError("azure.timeout", `${place} has not answered for ${seconds} s`),
  unfinished: (place, minutes) =>
    new TransientError("azure.timeout", `${place} was not done after ${minutes} min`),
  tooLong: (place, bytes) =>
    new TransientError("azure.too-long", `${place} answers with more than ${bytes} bytes, and no object`),
  slow: (place, what) => new TransientError("azure.timeout", `${place} ${what}`),
  broken: (place, reason, cause) =>
    new TransientError("azure.connection", `the connection to ${place} failed: ${reason}`, { cause }),
  range: (place, came, wanted) =>
    new TransientError("azure.range", `${place} gave ${came} bytes where ${wanted} were asked for`),
};

/**
 * The requests of one container. A client of our own rather than `@azure/storage-blob`: that one draws a dozen packages in and has an
 * HTTP pipeline of its own, in which none of our budgets and no direct receiving into memory would hold.
 */
export class AzureClient extends BucketClient {
  readonly container: string;
  readonly #settings: AzureSettings;
  readonly #base: string;

  constructor(container: string, settings: AzureSettings) {
    const { account, endpoint } = settings;
    super(`az://${account}/${container} at ${endpoint.host}`, endpoint, errors);
    this.container = container;
    this.#settings = settings;
    this.#base = `${endpoint.pathname.replace(/\/$/, "")}/${encodePath(container)}`;
  }

  /** The URL from which the service itself may read a blob of another client; null where that is another account or user. */
  sourceOf(other: AzureClient, key: string): string | null {
    const [own, others] = [this.#settings, other.#settings];
    if (own.endpoint.href !== others.endpoint.href || own.account !== others.account) return null;
    const [mine, { credentials }] = [own.credentials, others];
    if (mine.kind === "key" && credentials.kind === "key" && !mine.key.equals(credentials.key)) return null;
    const query =
      credentials.kind === "sas"
        ? credentials.query
        : readSas(
            { account: others.account, key: credentials.key },
            { container: other.container, key },
            SOURCE_MS,
          );
    return `${others.endpoint.origin}${other.#base}/${encodePath(key)}?${query}`;
  }

  protected override errorOf(answer: BucketResponse, hasTaken: boolean): ResponseError {
    // A SAS expires, whatever it has opened before; a key that has signed other requests is right.
    return azureErrorOf(this.place, answer, !hasTaken || this.#settings.credentials.kind === "sas");
  }

  protected override signed({
    method = "GET",
    key = null,
    query = {},
    headers = {},
    body = EMPTY,
  }: BucketRequest): SignedRequest {
    const { account, endpoint, credentials } = this.#settings;
    const path = key === null ? this.#base : `${this.#base}/${encodePath(key)}`;
    const all = {
      host: endpoint.host,
      "x-ms-date": new Date().toUTCString(),
      "x-ms-version": API_VERSION,
      ...(method === "PUT" ? { "content-length": body.length } : {}),
      ...headers,
    };
    const search = encodeQuery(query);
    if (credentials.kind === "sas") {
      const joint = search === "" ? "?" : "&";
      return { method, path: `${path}${search}${joint}${credentials.query}`, headers: all };
    }
    const authorization = sharedKey(account, credentials.key, { method, path, query, headers: all });
    return { method, path: path + search, headers: { ...all, authorization } };
  }
}

/** The MD5 that a header or a listing tells in base64, in hex; null of anything else. */
export function md5OfBase64(text: string | readonly string[] | null | undefined): string | null {
  return typeof text === "string" && /^[A-Za-z0-9+/]{22}==$/.test(text)
    ? Buffer.from(text, "base64").toString("hex")
    : null;
}

export function base64OfMd5(md5: string): string {
  return Buffer.from(md5, "hex").toString("base64");
}

/** The checksum of a blob. That of an append or a page blob may be older than its bytes. */
export function tagOfBlob(type: string | null | undefined, md5: string | null | undefined): string | null {
  return type === "BlockBlob" ? md5OfBase64(md5) : null;
}

export function tagOfHeaders(headers: IncomingHttpHeaders): string | null {
  return tagOfBlob(
    headers["x-ms-blob-type"] as string | undefined,
    headers["content-md5"] as string | undefined,
  );
}
