import { createHash, randomBytes } from "node:crypto";
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import { crc32 } from "node:zlib";
import { type Answer, type Asked, Refusal } from "../../stub-server.ts";
import { type Begun, Bucket, etagOfParts, type Kept, md5 } from "./bucket.ts";
import { type ListRules, listPage, pageXml, queryOf } from "./listing.ts";
import { element, elements, text, unescaped } from "./xml.ts";

const KEPT_HEADERS = [
  "content-type",
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "expires",
];
const LEAST_PART = 5 * 1024 * 1024;
const EMPTY = Buffer.alloc(0);

/** What S3 answers to a request. Throws an Refusal where that is an error. */
export function answerTo(asked: Asked, buckets: Map<string, Bucket>, rules: ListRules): Answer {
  assertBody(asked);
  const { method, query, key } = asked;
  if (key === "" && method === "PUT") {
    if (buckets.has(asked.bucket)) throw new Refusal(409, "BucketAlreadyOwnedByYou");
    buckets.set(asked.bucket, new Bucket());
    return plain(200);
  }
  const bucket = bucketOf(asked.bucket, buckets);
  if (key === "") {
    if (method === "GET" && query.has("uploads")) return xml(uploadsXml(bucket, query.get("prefix") ?? ""));
    if (method === "GET") return list(bucket, query, rules);
    if (method === "HEAD") return plain(200);
    if (method === "POST" && query.has("delete")) return deleteMany(bucket, asked.body);
    throw new Refusal(405, "MethodNotAllowed");
  }
  if (Buffer.byteLength(key) > 1024) throw new Refusal(400, "KeyTooLongError");
  if (query.has("tagging")) return xml(tagsXml(found(bucket, key)));
  if (method === "POST" && query.has("uploads")) return begin(bucket, asked);
  const upload = query.get("uploadId");
  if (upload !== null) {
    const begun = bucket.uploads.get(upload);
    if (begun === undefined || begun.key !== key) throw new Refusal(404, "NoSuchUpload");
    if (method === "PUT") return part(begun, asked, buckets);
    if (method === "POST") return complete(bucket, upload, begun, asked);
    if (method === "DELETE") {
      bucket.uploads.delete(upload);
      return plain(204);
    }
  }
  if (method === "PUT") return put(bucket, asked, buckets);
  if (method === "GET" || method === "HEAD") return get(bucket, asked);
  if (method === "DELETE") {
    const kept = bucket.get(key);
    if (kept !== undefined) assertCondition(asked.headers, kept, 412);
    bucket.delete(key);
    return plain(204);
  }
  throw new Refusal(405, "MethodNotAllowed");
}

function bucketOf(name: string, buckets: ReadonlyMap<string, Bucket>): Bucket {
  const bucket = buckets.get(name);
  if (bucket === undefined) throw new Refusal(404, "NoSuchBucket");
  return bucket;
}

function found(bucket: Bucket, key: string): Kept {
  const kept = bucket.get(key);
  if (kept === undefined) throw new Refusal(404, "NoSuchKey");
  return kept;
}

/** What came must be what was meant to be sent, by all that was said of it. */
function assertBody({ headers, body }: Asked): void {
  const sha256 = headers["x-amz-content-sha256"];
  if (sha256 !== "UNSIGNED-PAYLOAD" && sha256 !== createHash("sha256").update(body).digest("hex"))
    throw new Refusal(400, "XAmzContentSHA256Mismatch");
  const contentMd5 = headers["content-md5"];
  if (contentMd5 !== undefined && contentMd5 !== createHash("md5").update(body).digest("base64"))
    throw new Refusal(400, /^[A-Za-z0-9+/]{22}==$/.test(String(contentMd5)) ? "BadDigest" : "InvalidDigest");
  for (const name of ["sha256", "sha1"]) {
    const given = headers[`x-amz-checksum-${name}`];
    if (given !== undefined && given !== createHash(name).update(body).digest("base64"))
      throw new Refusal(400, "BadDigest");
  }
  const crc = headers["x-amz-checksum-crc32"];
  if (crc === undefined) return;
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(body));
  if (crc !== bytes.toString("base64")) throw new Refusal(400, "BadDigest");
}

/** `If-Match` and `If-None-Match`, in front of what is there. */
function assertCondition(headers: IncomingHttpHeaders, kept: Kept | undefined, status: 304 | 412): void {
  const { "if-match": match, "if-none-match": none } = headers;
  const is = (given: string | undefined) =>
    given !== undefined && kept !== undefined && (given === "*" || given.replaceAll('"', "") === kept.etag);
  if (match !== undefined && !is(match)) throw new Refusal(412, "PreconditionFailed");
  if (none !== undefined && is(none))
    throw new Refusal(status, status === 304 ? "NotModified" : "PreconditionFailed");
}

function propertiesOf(headers: IncomingHttpHeaders): Pick<Kept, "headers" | "tags"> {
  const kept: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(headers))
    if (KEPT_HEADERS.includes(name) || name.startsWith("x-amz-meta-")) kept[name] = String(value);
  return {
    headers: { "content-type": "binary/octet-stream", ...kept },
    tags: String(headers["x-amz-tagging"] ?? ""),
  };
}

function put(bucket: Bucket, asked: Asked, buckets: ReadonlyMap<string, Bucket>): Answer {
  const { key, headers, body } = asked;
  assertCondition(headers, bucket.get(key), 412);
  const modified = new Date();
  if (headers["x-amz-copy-source"] === undefined) {
    const etag = md5(body);
    bucket.set(key, { body, etag, modified, parts: null, ...propertiesOf(headers) });
    return plain(200, { etag: `"${etag}"` });
  }
  const source = copySource(headers, buckets);
  const etag = md5(source.body);
  bucket.set(key, { ...source, etag, modified, parts: null });
  return xml(
    element(
      "CopyObjectResult",
      element("LastModified", modified.toISOString()) + element("ETag", `&quot;${etag}&quot;`),
    ),
  );
}

function copySource(headers: IncomingHttpHeaders, buckets: ReadonlyMap<string, Bucket>): Kept {
  const path = decodeURIComponent(String(headers["x-amz-copy-source"])).replace(/^\//, "");
  const [name = "", ...rest] = path.split("/");
  const source = found(bucketOf(name, buckets), rest.join("/"));
  const match = headers["x-amz-copy-source-if-match"];
  if (match !== undefined && String(match).replaceAll('"', "") !== source.etag)
    throw new Refusal(412, "PreconditionFailed");
  return source;
}

function get(bucket: Bucket, { key, method, query, headers }: Asked): Answer {
  const kept = found(bucket, key);
  assertCondition(headers, kept, 304);
  const { body, etag, modified, parts } = kept;
  const tagCount = [...new URLSearchParams(kept.tags)].length;
  const about: Record<string, string> = {
    ...kept.headers,
    etag: `"${etag}"`,
    "last-modified": modified.toUTCString(),
    "accept-ranges": "bytes",
    ...(tagCount > 0 ? { "x-amz-tagging-count": String(tagCount) } : {}),
  };
  const partNumber = query.get("partNumber");
  const range =
    partNumber !== null ? partRange(kept, Number(partNumber)) : rangeOf(headers.range, body.length);
  if (range === null) {
    const length = { "content-length": String(body.length) };
    return { status: 200, headers: { ...about, ...length }, body: method === "HEAD" ? EMPTY : body };
  }
  const piece = body.subarray(range.from, range.to);
  return {
    status: 206,
    headers: {
      ...about,
      "content-length": String(piece.length),
      "content-range": `bytes ${range.from}-${range.to - 1}/${body.length}`,
      ...(partNumber !== null && parts !== null ? { "x-amz-mp-parts-count": String(parts.length) } : {}),
    },
    body: method === "HEAD" ? EMPTY : piece,
  };
}

function partRange({ body, parts }: Kept, number: number): { from: number; to: number } {
  if (parts === null) {
    if (number !== 1) throw new Refusal(416, "InvalidPartNumber");
    return { from: 0, to: body.length };
  }
  if (!(number >= 1 && number <= parts.length)) throw new Refusal(416, "InvalidPartNumber");
  const from = parts.slice(0, number - 1).reduce((sum, length) => sum + length, 0);
  return { from, to: from + (parts[number - 1] as number) };
}

/** Null for the whole. */
function rangeOf(range: string | undefined, size: number): { from: number; to: number } | null {
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(range ?? "") ?? [];
  if (first === "" && last === "") return null;
  const from = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const to = first === "" || last === "" ? size : Math.min(size, Number(last) + 1);
  if (from >= to) throw new Refusal(416, "InvalidRange");
  return { from, to };
}

function begin(bucket: Bucket, { key, headers }: Asked): Answer {
  const id = randomBytes(12).toString("hex");
  bucket.uploads.set(id, { key, initiated: new Date(), parts: new Map(), ...propertiesOf(headers) });
  return xml(element("InitiateMultipartUploadResult", element("Key", text(key)) + element("UploadId", id)));
}

function part(begun: Begun, { query, headers, body }: Asked, buckets: ReadonlyMap<string, Bucket>): Answer {
  const number = Number(query.get("partNumber"));
  if (!(Number.isInteger(number) && number >= 1 && number <= 10_000))
    throw new Refusal(400, "InvalidArgument");
  const copied = headers["x-amz-copy-source"] !== undefined;
  let bytes = body;
  if (copied) {
    const source = copySource(headers, buckets).body;
    const range = rangeOf(String(headers["x-amz-copy-source-range"] ?? ""), source.length);
    bytes = range === null ? source : source.subarray(range.from, range.to);
  }
  const etag = md5(bytes);
  begun.parts.set(number, { body: bytes, etag });
  return copied
    ? xml(element("CopyPartResult", element("ETag", `&quot;${etag}&quot;`)))
    : plain(200, { etag: `"${etag}"` });
}

function complete(bucket: Bucket, id: string, begun: Begun, { key, headers, body }: Asked): Answer {
  assertCondition(headers, bucket.get(key), 412);
  const asked = elements(body.toString(), "Part").map((one) => ({
    number: Number(elements(one, "PartNumber")[0]),
    etag: unescaped(elements(one, "ETag")[0] ?? "").replaceAll('"', ""),
  }));
  if (asked.length === 0) throw new Refusal(400, "MalformedXML");
  const parts = asked.map(({ number, etag }, at) => {
    if (at > 0 && number <= (asked[at - 1] as { number: number }).number)
      throw new Refusal(400, "InvalidPartOrder");
    const one = begun.parts.get(number);
    if (one === undefined || one.etag !== etag) throw new Refusal(400, "InvalidPart");
    if (at < asked.length - 1 && one.body.length < LEAST_PART) throw new Refusal(400, "EntityTooSmall");
    return one;
  });
  const etag = etagOfParts(parts.map((one) => one.etag));
  bucket.set(key, {
    body: Buffer.concat(parts.map((one) => one.body)),
    etag,
    modified: new Date(),
    headers: begun.headers,
    tags: begun.tags,
    parts: parts.map((one) => one.body.length),
  });
  bucket.uploads.delete(id);
  return xml(
    element(
      "CompleteMultipartUploadResult",
      element("Key", text(key)) + element("ETag", `&quot;${etag}&quot;`),
    ),
  );
}

function list(bucket: Bucket, search: URLSearchParams, rules: ListRules): Answer {
  if (search.get("list-type") !== "2") throw new Refusal(501, "NotImplemented");
  const query = queryOf(search);
  return xml(pageXml(bucket, listPage(bucket, query, rules), query, search.get("encoding-type") === "url"));
}

function deleteMany(bucket: Bucket, body: Buffer): Answer {
  const keys = elements(body.toString(), "Object").map((one) => unescaped(elements(one, "Key")[0] ?? ""));
  for (const key of keys) bucket.delete(key);
  const deleted = keys.map((key) => element("Deleted", element("Key", text(key))));
  return xml(element("DeleteResult", deleted.join("")));
}

function uploadsXml(bucket: Bucket, prefix: string): string {
  const uploads = [...bucket.uploads]
    .filter(([, { key }]) => key.startsWith(prefix))
    .map(([id, { key, initiated }]) =>
      element(
        "Upload",
        element("Key", text(key)) + element("UploadId", id) + element("Initiated", initiated.toISOString()),
      ),
    );
  return element("ListMultipartUploadsResult", element("IsTruncated", "false") + uploads.join(""));
}

function tagsXml({ tags }: Kept): string {
  const pairs = [...new URLSearchParams(tags)].map(([key, value]) =>
    element("Tag", element("Key", text(key)) + element("Value", text(value))),
  );
  return element("Tagging", element("TagSet", pairs.join("")));
}

function plain(status: number, headers: OutgoingHttpHeaders = {}): Answer {
  return { status, headers, body: EMPTY };
}

function xml(content: string): Answer {
  const body = content.startsWith("<?xml") ? content : `<?xml version="1.0" encoding="UTF-8"?>\n${content}`;
  return { status: 200, headers: { "content-type": "application/xml" }, body: Buffer.from(body) };
}
