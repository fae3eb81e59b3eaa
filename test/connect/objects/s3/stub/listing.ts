import { createHash } from "node:crypto";
import type { Bucket } from "./bucket.ts";
import { element, text } from "./xml.ts";

/** What is asked of a listing. */
export interface ListQuery {
  readonly prefix: string;
  readonly delimiter: string;
  readonly startAfter: string;
  readonly token: string | null;
  readonly most: number;
}

/** A page of a listing, before it is written as XML. */
export interface ListPage {
  keys: readonly string[];
  folders: readonly string[];
  truncated: boolean;
  token: string | null;
  count: number;
}

/** What one may do wrong when it lists; each has a right default. */
export interface ListRules {
  /** The keys below the prefix in the order in which they are listed. */
  order(keys: readonly string[]): readonly string[];
  /** From which of the ordered keys on `start-after` lists. */
  startAfter(keys: readonly string[], after: string): number;
  page(page: ListPage, query: ListQuery, keys: readonly string[]): ListPage;
}

export const rightRules: ListRules = {
  order: (keys) => keys,
  startAfter: (keys, after) => firstAfter(keys, after),
  page: (page) => page,
};

/** The first of some keys in the order of their bytes that comes after one. */
export function firstAfter(keys: readonly string[], after: string): number {
  const bytes = Buffer.from(after);
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (Buffer.compare(Buffer.from(keys[middle] as string), bytes) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function queryOf(search: URLSearchParams): ListQuery {
  return {
    prefix: search.get("prefix") ?? "",
    delimiter: search.get("delimiter") ?? "",
    startAfter: search.get("start-after") ?? "",
    token: search.get("continuation-token"),
    most: Math.min(1000, Number(search.get("max-keys") ?? 1000)),
  };
}

/** A token says where the next page begins: behind how many of the ordered keys. */
const tokenOf = (index: number): string => Buffer.from(`after ${index}`).toString("base64");
const indexOf = (token: string): number => Number(Buffer.from(token, "base64").toString().slice(6));

export function listPage(bucket: Bucket, query: ListQuery, rules: ListRules): ListPage {
  const { prefix, delimiter, startAfter, token, most } = query;
  const ordered = rules.order(bucket.keys().filter((key) => key.startsWith(prefix)));
  const begin =
    token !== null ? indexOf(token) : startAfter === "" ? 0 : rules.startAfter(ordered, startAfter);
  const keys: string[] = [];
  const folders: string[] = [];
  let at = begin;
  for (; at < ordered.length && keys.length + folders.length < most; at++) {
    const key = ordered[at] as string;
    const end = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
    if (end < 0) {
      keys.push(key);
      continue;
    }
    const folder = key.slice(0, end + delimiter.length);
    folders.push(folder);
    while (ordered[at + 1]?.startsWith(folder)) at++;
  }
  const truncated = at < ordered.length;
  const page = {
    keys,
    folders,
    truncated,
    token: truncated ? tokenOf(at) : null,
    count: keys.length + folders.length,
  };
  return rules.page(page, query, ordered);
}

/** As S3 writes a page; keys are escaped as in a URL where that was asked for. */
export function pageXml(bucket: Bucket, page: ListPage, query: ListQuery, asUrl: boolean): string {
  const written = (key: string): string =>
    asUrl ? encodeURIComponent(key).replaceAll("%2F", "/").replaceAll("%20", "+") : text(key);
  const contents = page.keys.map((key) => {
    const { etag, body, modified } = bucket.get(key) ?? missing(key);
    return element(
      "Contents",
      element("Key", written(key)) +
        element("LastModified", modified.toISOString()) +
        element("ETag", `&quot;${etag}&quot;`) +
        element("Size", String(body.length)) +
        element("StorageClass", "STANDARD"),
    );
  });
  const folders = page.folders.map((folder) => element("CommonPrefixes", element("Prefix", written(folder))));
  return `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${[
    element("Prefix", written(query.prefix)),
    element("KeyCount", String(page.count)),
    element("MaxKeys", String(query.most)),
    ...(asUrl ? [element("EncodingType", "url")] : []),
    element("IsTruncated", String(page.truncated)),
    ...(page.token === null ? [] : [element("NextContinuationToken", text(page.token))]),
    ...contents,
    ...folders,
  ].join("")}</ListBucketResult>`;
}

/** A key that is listed and not there. */
function missing(key: string) {
  const body = Buffer.from(key);
  return { etag: createHash("md5").update(body).digest("hex"), body, modified: new Date(0) };
}
