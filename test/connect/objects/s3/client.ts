import { createHash, createHmac } from "node:crypto";
import type { Access } from "./access.ts";

export interface Listed {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
}

export interface Found {
  readonly body: Buffer;
  readonly headers: Headers;
}

type Query = Readonly<Record<string, string>>;
type Body = Buffer | string;

/**
 * A client of the tests' own, so that Pawl's is not judged by itself. Requests are signed as AWS describes under
 * "Signature Version 4"; the body is left out of the signature.
 */
export class S3Client {
  readonly bucket: string;
  readonly #access: Access;

  constructor(access: Access, bucket: string) {
    this.#access = access;
    this.bucket = bucket;
  }

  get address(): string {
    return `s3://${this.bucket}`;
  }

  async createBucket(): Promise<void> {
    await this.#send("PUT", null);
  }

  async put(key: string, body: Body, headers: Query = {}): Promise<void> {
    await this.#send("PUT", key, {}, headers, body);
  }

  async get(key: string): Promise<Found> {
    const response = await this.#send("GET", key);
    return { body: Buffer.from(await response.arrayBuffer()), headers: response.headers };
  }

  async head(key: string): Promise<Headers> {
    return (await this.#send("HEAD", key)).headers;
  }

  async delete(key: string): Promise<void> {
    await this.#send("DELETE", key);
  }

  /** Every object below the prefix, page by page. */
  async *list(prefix = "", most = 1000): AsyncGenerator<Listed> {
    let token: string | undefined;
    do {
      const query = {
        "list-type": "2",
        "max-keys": String(most),
        prefix,
        ...(token === undefined ? {} : { "continuation-token": token }),
      };
      const text = await (await this.#send("GET", null, query)).text();
      for (const [, entry = ""] of text.matchAll(/<Contents>(.*?)<\/Contents>/gs)) {
        yield {
          key: element(entry, "Key") ?? "",
          size: Number(element(entry, "Size")),
          etag: element(entry, "ETag") ?? "",
        };
      }
      token = element(text, "NextContinuationToken");
    } while (token !== undefined);
  }

  async all(prefix = ""): Promise<Listed[]> {
    const listed: Listed[] = [];
    for await (const each of this.list(prefix)) listed.push(each);
    return listed;
  }

  async keys(prefix = ""): Promise<string[]> {
    return (await this.all(prefix)).map(({ key }) => key);
  }

  /** Uploads that were begun and neither completed nor aborted. */
  async unfinished(): Promise<string[]> {
    const text = await (await this.#send("GET", null, { uploads: "" })).text();
    return [...text.matchAll(/<Upload>(.*?)<\/Upload>/gs)].map(
      ([, entry = ""]) => element(entry, "Key") ?? "",
    );
  }

  /** An object made of parts, as clients write large ones. */
  async putInParts(key: string, parts: readonly Body[], headers: Query = {}): Promise<void> {
    const begun = await (await this.#send("POST", key, { uploads: "" }, headers)).text();
    const uploadId = element(begun, "UploadId") ?? "";
    let list = "";
    for (const [index, part] of parts.entries()) {
      const partNumber = String(index + 1);
      const { headers: said } = await this.#send("PUT", key, { partNumber, uploadId }, {}, part);
      list += `<Part><PartNumber>${partNumber}</PartNumber><ETag>${said.get("etag")}</ETag></Part>`;
    }
    const body = `<CompleteMultipartUpload>${list}</CompleteMultipartUpload>`;
    const said = await (await this.#send("POST", key, { uploadId }, {}, body)).text();
    if (said.includes("<Error>")) throw new Error(`${key} could not be put together: ${said}`);
  }

  async tags(key: string): Promise<Record<string, string>> {
    const text = await (await this.#send("GET", key, { tagging: "" })).text();
    const tags = [...text.matchAll(/<Tag>(.*?)<\/Tag>/gs)];
    return Object.fromEntries(
      tags.map(([, tag = ""]) => [element(tag, "Key") ?? "", element(tag, "Value") ?? ""]),
    );
  }

  async #send(
    method: string,
    key: string | null,
    query: Query = {},
    headers: Query = {},
    body?: Body,
  ): Promise<Response> {
    const { endpoint } = this.#access;
    const path = `/${this.bucket}${key === null ? "" : `/${key.split("/").map(escaped).join("/")}`}`;
    const search = Object.entries(query)
      .map(([name, value]) => `${escaped(name)}=${escaped(value)}`)
      .sort()
      .join("&");
    const signed = sign(this.#access, method, path, search, headers);
    const response = await fetch(`${endpoint}${path}${search === "" ? "" : `?${search}`}`, {
      method,
      headers: signed,
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : new Uint8Array(body) }),
    });
    if (response.ok) return response;
    throw new Error(`${method} ${path}: ${response.status} ${(await response.text()).slice(0, 500)}`);
  }
}

function sign(access: Access, method: string, path: string, search: string, headers: Query): Query {
  const at = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const all: Record<string, string> = {
    ...headers,
    host: new URL(access.endpoint).host,
    "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
    "x-amz-date": at,
  };
  const names = Object.keys(all)
    .map((name) => name.toLowerCase())
    .sort();
  const values = Object.fromEntries(Object.entries(all).map(([name, value]) => [name.toLowerCase(), value]));
  const canonical = [
    method,
    path,
    search,
    ...names.map((name) => `${name}:${values[name]?.trim()}`),
    "",
    names.join(";"),
    "UNSIGNED-PAYLOAD",
  ].join("\n");
  const scope = `${at.slice(0, 8)}/${access.region}/s3/aws4_request`;
  const text = ["AWS4-HMAC-SHA256", at, scope, createHash("sha256").update(canonical).digest("hex")].join(
    "\n",
  );
  let key: Buffer = Buffer.from(`AWS4${access.secretAccessKey}`);
  for (const part of scope.split("/")) key = hmac(key, part);
  const signature = hmac(key, text).toString("hex");
  return {
    ...all,
    authorization: `AWS4-HMAC-SHA256 Credential=${access.accessKeyId}/${scope}, SignedHeaders=${names.join(";")}, Signature=${signature}`,
  };
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

/** Percent-encodes all but what a signature leaves alone. */
function escaped(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** The text of the first element of this name. */
function element(xml: string, name: string): string | undefined {
  const found = new RegExp(`<${name}>(.*?)</${name}>`, "s").exec(xml)?.[1];
  return found
    ?.replace(/&#(x?)([0-9a-fA-F]+);/g, (_, hex, code) => String.fromCodePoint(parseInt(code, hex ? 16 : 10)))
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&amp;", "&");
}
