import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import { setOwn } from "../../../own.ts";
import type { ObjectProperties } from "../contract.ts";

const KEPT = [
  "content-type",
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "expires",
] as const;
const METADATA = "x-amz-meta-";
/** Of an object uploaded in parts, the ETag of what it was copied from: its own says nothing about its content. */
export const ORIGIN = "pawl-origin-tag";

export function propertiesOf(headers: IncomingHttpHeaders, tags: string | null): ObjectProperties {
  const metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith(METADATA)) continue;
    const own = name.slice(METADATA.length);
    if (own !== ORIGIN) setOwn(metadata, own, String(value));
  }
  return { headers: keptOf(headers), metadata, tags };
}

/** The headers of an answer that belong to its content. */
export function keptOf(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of KEPT) {
    const value = headers[name];
    if (typeof value === "string") kept[name] = value;
  }
  return kept;
}

export function headersOf({ headers, metadata, tags }: ObjectProperties): OutgoingHttpHeaders {
  const all: OutgoingHttpHeaders = { ...headers };
  for (const [name, value] of Object.entries(metadata)) setOwn(all, METADATA + name, value);
  if (tags !== null) all["x-amz-tagging"] = tags;
  return all;
}
