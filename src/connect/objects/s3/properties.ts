import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import { setOwn } from "../../../own.ts";
import { contentHeadersOf } from "../content-headers.ts";
import type { ObjectProperties } from "../contract.ts";

export const METADATA_PREFIX = "x-amz-meta-";
/** Of an object uploaded in parts, the ETag of what it was copied from: its own says nothing about its content. */
export const ORIGIN = "pawl-origin-etag";

export function propertiesOf(headers: IncomingHttpHeaders, tags: string | null): ObjectProperties {
  const metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith(METADATA_PREFIX)) continue;
    const own = name.slice(METADATA_PREFIX.length);
    if (own !== ORIGIN) setOwn(metadata, own, String(value));
  }
  return { headers: contentHeadersOf(headers), metadata, tags };
}

export function headersOf({ headers, metadata, tags }: ObjectProperties): OutgoingHttpHeaders {
  const all: OutgoingHttpHeaders = { ...headers };
  for (const [name, value] of Object.entries(metadata)) setOwn(all, METADATA_PREFIX + name, value);
  if (tags !== null) all["x-amz-tagging"] = tags;
  return all;
}
