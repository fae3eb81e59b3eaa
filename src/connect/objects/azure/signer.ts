import { createHmac, type KeyObject } from "node:crypto";
import type { OutgoingHttpHeaders } from "node:http";
import { own } from "../../../own.ts";

/** The version of the REST API that is spoken: the first that lists names which XML cannot hold is 2021-02-12. */
export const API_VERSION = "2021-12-02";

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
export function sharedKey(account: string, key: KeyObject, request: Signable): string {
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
export function readSas(
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
