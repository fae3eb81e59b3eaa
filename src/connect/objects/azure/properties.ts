import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import { ItemError } from "../../../errors.ts";
import { setOwn } from "../../../own.ts";
import { contentHeadersOf } from "../content-headers.ts";
import type { ObjectProperties } from "../contract.ts";

export const METADATA_PREFIX = "x-ms-meta-";
/** Of a blob whose source has another checksum than an MD5, such as that of parts in S3: what that is. */
export const ORIGIN = "pawl_origin_etag";
/**
 * Names of metadata are identifiers here; any other is kept beside a name that is one, as AzCopy does (`RenameIfInvalid`), so that a
 * copy back has it again.
 */
const RENAMED = "rename_";
const RENAMED_FROM = "rename_key_";

export function propertiesOf(headers: IncomingHttpHeaders, tags: string | null): ObjectProperties {
  const found = new Map<string, string>();
  for (const [name, value] of Object.entries(headers))
    if (name.startsWith(METADATA_PREFIX)) found.set(name.slice(METADATA_PREFIX.length), String(value));
  found.delete(ORIGIN);
  const metadata: Record<string, string> = {};
  for (const [name, original] of found) {
    const value = found.get(RENAMED + name.slice(RENAMED_FROM.length));
    if (!name.startsWith(RENAMED_FROM) || value === undefined) continue;
    setOwn(metadata, original.toLowerCase(), value);
    found.delete(name);
    found.delete(RENAMED + name.slice(RENAMED_FROM.length));
  }
  for (const [name, value] of found) setOwn(metadata, name, value);
  return { headers: contentHeadersOf(headers), metadata, tags };
}

/** Throws an ItemError where Azure cannot keep one of them. */
export function headersOf({ headers, metadata, tags }: ObjectProperties): OutgoingHttpHeaders {
  const all: OutgoingHttpHeaders = {};
  // `Expires` is the only one that Azure does not know.
  for (const [name, value] of Object.entries(headers))
    if (name !== "expires") setOwn(all, `x-ms-blob-${name}`, value);
  const names = new Set(Object.keys(metadata).map((name) => name.toLowerCase()));
  for (const [name, value] of Object.entries(metadata)) {
    if (/^[a-z_]\w*$/i.test(name)) {
      setOwn(all, METADATA_PREFIX + name.toLowerCase(), value);
      continue;
    }
    const valid = name.toLowerCase().replace(/\W/g, "_");
    let free = valid;
    for (let n = 2; names.has(RENAMED + free) || names.has(RENAMED_FROM + free); n++) free = `${valid}_${n}`;
    names.add(RENAMED + free);
    names.add(RENAMED_FROM + free);
    setOwn(all, METADATA_PREFIX + RENAMED + free, value);
    setOwn(all, METADATA_PREFIX + RENAMED_FROM + free, name);
  }
  if (tags !== null) all["x-ms-tags"] = tags;
  for (const [name, value] of Object.entries(all))
    if (!/^[\x20-\x7e]*$/.test(String(value)))
      throw new ItemError(
        `its ${name.replace(/^x-ms-(blob|meta)-/, "")} holds characters that a header of Azure cannot`,
        { code: "copy.refused" },
      );
  return all;
}
