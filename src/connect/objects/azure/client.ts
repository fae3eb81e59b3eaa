import { createHmac, type KeyObject } from "node:crypto";
import type { OutgoingHttpHeaders } from "node:http";
import { own } from "../../../own.ts";
import { BucketClient, type BucketRequest, type SignedRequest } from "../bucket-service/client.ts";
import { encodePath, encodeQuery } from "../bucket-service/url-encoding.ts";
import { AZURE } from "./service.ts";
import type { AzureSettings } from "./settings.ts";

const EMPTY = Buffer.alloc(0);
/** How long the service may take to fetch one blob from itself. */
const SOURCE_MS = 60 * 60_000;

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
    super({
      name: `az://${account}/${container} at ${endpoint.host}`,
      endpoint,
      service: AZURE,
      credentialsExpire: settings.credentials.kind === "sas",
    });
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

/** The version of the REST API that is spoken: the first that lists names which XML cannot hold is 2021-02-12. */
const API_VERSION = "2021-12-02";

/** The headers that Shared Key signs by their place, before those of `x-ms-`. */
const PLACED = [
  "content-encoding",
  "content-language",
  "content-length",
  "content-md5",
  "content-type",
  "date",
  "if-modified-since",
  "if-match",
  "if-none-match",
  "if-unmodified-since",
  "range",
] as const;

interface Signable {
  readonly method: string;
  /** As it is sent, without the query. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: OutgoingHttpHeaders;
}

/** What the header `authorization` says ("Authorize with Shared Key", learn.microsoft.com). */
function sharedKey(account: string, key: KeyObject, request: Signable): string {
  const { method, path, query, headers } = request;
  const placed = PLACED.map((name) => {
    const value = String(headers[name] ?? "");
    return name === "content-length" && value === "0" ? "" : value;
  });
  const ours = Object.keys(headers)
    .filter((name) => name.startsWith("x-ms-"))
    .sort((a, b) => (collated(a) < collated(b) ? -1 : 1))
    .map((name) => `${name}:${String(own(headers, name)).trim()}\n`);
  const asked = Object.keys(query)
    .sort()
    .map((name) => `\n${name.toLowerCase()}:${own(query, name)}`);
  const text = `${[method, ...placed].join("\n")}\n${ours.join("")}/${account}${path}${asked.join("")}`;
  return `SharedKey ${account}:${hmac(key, text)}`;
}

/** The service sorts as .NET does for English: hyphens do not count, and an underscore goes before digits and letters. */
function collated(name: string): string {
  return name.replaceAll("-", "").replaceAll("_", "!");
}

/** A signature that lets its holder read one blob and its tags for so long, for the service itself, which copies from it. */
function readSas(
  { account, key }: { readonly account: string; readonly key: KeyObject },
  blob: { readonly container: string; readonly key: string },
  forMs: number,
): string {
  const until = new Date(Date.now() + forMs).toISOString().replace(/\.\d+Z$/, "Z");
  const resource = `/blob/${account}/${blob.container}/${blob.key}`;
  // Permission, start, end, resource; identifier, address, protocol, version, kind; snapshot, scope, and five headers.
  const text = ["rt", "", until, resource, "", "", "", API_VERSION, "b", "", "", "", "", "", "", ""].join(
    "\n",
  );
  return new URLSearchParams({
    sv: API_VERSION,
    sr: "b",
    sp: "rt",
    se: until,
    sig: hmac(key, text),
  }).toString();
}

function hmac(key: KeyObject, text: string): string {
  return createHmac("sha256", key).update(text).digest("base64");
}
