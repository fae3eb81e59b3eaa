import { createHash } from "node:crypto";
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import { type Answer, type Asked, Refusal } from "../../stub-server.ts";

interface Blob {
  readonly type: "BlockBlob" | "AppendBlob" | "PageBlob";
  readonly body: Buffer;
  readonly etag: string;
  readonly modified: Date;
  /** In base64; null where none was given. */
  readonly md5: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly tags: string;
}

/** What a container holds, in memory. */
export class Container {
  readonly blobs = new Map<string, Blob>();
  readonly uncommitted = new Map<string, Map<string, Buffer>>();
}

/** A page of a listing, before it is written as XML. */
export interface BlobPage {
  names: readonly string[];
  /** Null where nothing is said of it. */
  marker: string | null;
}

/** What one may do wrong when it lists; each has a right default. */
export interface BlobListRules {
  order(names: readonly string[]): readonly string[];
  page(page: BlobPage, names: readonly string[]): BlobPage;
}

const EMPTY = Buffer.alloc(0);
let changes = 0;

const base64Md5 = (body: Buffer): string => createHash("md5").update(body).digest("base64");

/** As the service keeps a name: it takes a backslash for a slash, and leaves out dots at the end of a part. */
const keptName = (name: string): string => name.replaceAll("\\", "/").replace(/\.+(?=\/|$)/g, "");

export function answerTo(
  asked: Asked,
  containers: Map<string, Container>,
  rules: BlobListRules,
  readSource: (url: string) => Blob,
): Answer {
  const { method, query } = asked;
  if (query.get("restype") === "container" && method === "PUT") {
    containers.set(asked.bucket, new Container());
    return plain(201);
  }
  const container = containers.get(asked.bucket);
  if (container === undefined) throw new Refusal(404, "ContainerNotFound");
  if (query.get("comp") === "list") return listing(container, query, rules);
  const key = keptName(asked.key);
  if (key.length > 1024 || /\p{Cc}/u.test(key)) throw new Refusal(400, "InvalidUri");
  if (method === "PUT") return written(container, key, asked, readSource);
  const blob = container.blobs.get(key);
  if (blob === undefined) throw new Refusal(404, "BlobNotFound");
  if (query.get("comp") === "tags") return xml(tagsXml(blob.tags));
  const wanted = asked.headers["if-match"];
  if (wanted !== undefined && wanted !== blob.etag) throw new Refusal(412, "ConditionNotMet");
  if (method === "DELETE") {
    container.blobs.delete(key);
    return plain(202);
  }
  return content(blob, asked.headers.range);
}

function content(blob: Blob, range: string | undefined): Answer {
  const { body, md5, tags } = blob;
  const headers = {
    ...blob.headers,
    etag: blob.etag,
    "last-modified": blob.modified.toUTCString(),
    "x-ms-blob-type": blob.type,
    ...(tags === "" ? {} : { "x-ms-tag-count": String(new URLSearchParams(tags).size) }),
  };
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
  if (first === undefined || last === undefined)
    return { status: 200, headers: { ...headers, ...(md5 === null ? {} : { "content-md5": md5 }) }, body };
  return { status: 206, headers, body: body.subarray(Number(first), Number(last) + 1) };
}

function written(
  container: Container,
  key: string,
  { query, headers, body }: Asked,
  readSource: (url: string) => Blob,
): Answer {
  const sent = headers["content-md5"];
  if (sent !== undefined && sent !== base64Md5(body)) throw new Refusal(400, "Md5Mismatch");
  const blocks = container.uncommitted.get(key) ?? new Map<string, Buffer>();
  const keep = (kept: Pick<Blob, "body" | "md5"> & Partial<Blob>): Answer => {
    const etag = `"0x8D${(++changes).toString(16).toUpperCase().padStart(12, "0")}"`;
    const blob = {
      type: "BlockBlob" as const,
      modified: new Date(),
      headers: keptHeaders(headers),
      tags: String(headers["x-ms-tags"] ?? ""),
      ...kept,
      etag,
    };
    container.blobs.set(key, blob);
    container.uncommitted.delete(key);
    return plain(201, { etag });
  };
  switch (query.get("comp")) {
    case "block":
      blocks.set(query.get("blockid") ?? "", body);
      container.uncommitted.set(key, blocks);
      return plain(201, { "content-md5": base64Md5(body) });
    case "blocklist": {
      const ids = [...body.toString().matchAll(/<(?:Uncommitted|Latest)>([^<]*)</g)].map(([, id = ""]) => id);
      const parts = ids.map((id) => {
        const block = blocks.get(id);
        if (block === undefined) throw new Refusal(400, "InvalidBlockList");
        return block;
      });
      const md5 = (headers["x-ms-blob-content-md5"] as string | undefined) ?? null;
      return keep({ body: Buffer.concat(parts), md5 });
    }
    case "appendblock": {
      const blob = container.blobs.get(key);
      if (blob === undefined) throw new Refusal(404, "BlobNotFound");
      return keep({ ...blob, body: Buffer.concat([blob.body, body]) });
    }
  }
  const source = headers["x-ms-copy-source"];
  if (typeof source === "string") {
    const blob = readSource(source);
    if (headers["x-ms-source-content-md5"] !== base64Md5(blob.body)) throw new Refusal(400, "Md5Mismatch");
    return { ...keep(blob), status: 202 };
  }
  const type = headers["x-ms-blob-type"];
  if (type === "AppendBlob" || type === "PageBlob") return keep({ type, body, md5: null });
  if (type !== "BlockBlob") throw new Refusal(400, "MissingRequiredHeader");
  const answer = keep({ body, md5: base64Md5(body) });
  return { ...answer, headers: { ...answer.headers, "content-md5": base64Md5(body) } };
}

function keptHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const kept: Record<string, string> = { "content-type": "application/octet-stream" };
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith("x-ms-meta-")) {
      if (!/^x-ms-meta-[a-z_]\w*$/.test(name)) throw new Refusal(400, "InvalidMetadata");
      kept[name] = String(value);
    }
    const own = /^x-ms-blob-(cache-control|content-(?:type|disposition|encoding|language))$/.exec(name)?.[1];
    if (own !== undefined) kept[own] = String(value);
  }
  return kept;
}

function listing(container: Container, query: URLSearchParams, rules: BlobListRules): Answer {
  const prefix = query.get("prefix") ?? "";
  const names = rules.order(
    [...container.blobs.keys()].filter((name) => name.startsWith(prefix)).sort(byBytes),
  );
  const most = Math.min(5000, Number(query.get("maxresults") ?? 5000));
  const begin = Number((query.get("marker") ?? "after!0").slice(6));
  const end = begin + most;
  const page = { names: names.slice(begin, end), marker: end < names.length ? `after!${end}` : "" };
  const { names: listed, marker } = most === 1 ? page : rules.page(page, names);
  const blobs = listed.map((name) => {
    const blob = container.blobs.get(name);
    const md5 = blob?.md5 ? `<Content-MD5>${blob.md5}</Content-MD5>` : "<Content-MD5 />";
    return `<Blob><Name>${text(name)}</Name><Properties><Last-Modified>${blob?.modified.toUTCString()}</Last-Modified><Etag>${text(blob?.etag.slice(1, -1) ?? "")}</Etag><Content-Length>${blob?.body.length ?? 0}</Content-Length>${md5}<BlobType>${blob?.type ?? "BlockBlob"}</BlobType></Properties><OrMetadata /></Blob>`;
  });
  const next = marker === null ? "" : marker === "" ? "<NextMarker />" : `<NextMarker>${marker}</NextMarker>`;
  return xml(
    `<EnumerationResults ServiceEndpoint="http://x/" ContainerName="x"><Blobs>${blobs.join("")}</Blobs>${next}</EnumerationResults>`,
  );
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function tagsXml(tags: string): string {
  const all = [...new URLSearchParams(tags)].map(
    ([name, value]) => `<Tag><Key>${text(name)}</Key><Value>${text(value)}</Value></Tag>`,
  );
  return `<Tags><TagSet>${all.join("")}</TagSet></Tags>`;
}

function text(value: string): string {
  return value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function plain(status: number, headers: OutgoingHttpHeaders = {}): Answer {
  return { status, headers, body: EMPTY };
}

function xml(content: string): Answer {
  const body = Buffer.from(`\ufeff<?xml version="1.0" encoding="utf-8"?>${content}`);
  return { status: 200, headers: { "content-type": "application/xml" }, body };
}
