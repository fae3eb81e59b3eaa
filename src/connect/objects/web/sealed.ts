import { hash } from "node:crypto";

const SEAL = /#pawl-sha256:([0-9a-f]{64})$/;

/** A URL for people: a query may hold a signature or a token, which are shown to nobody. Any other text is given as it is. */
export function shownUrl(text: string): string {
  const url = /^https?:/i.test(text) ? URL.parse(text) : null;
  if (url === null) return text;
  const hasQuery = url.search !== "" || SEAL.test(url.hash);
  return `${url.origin}${url.pathname}${hasQuery ? "?…" : ""}`;
}

/** A URL as it may be kept: without its query where it has one, by whose checksum it is found again in its manifest. */
export function sealedUrl(text: string): string {
  const url = /^https?:/i.test(text) ? URL.parse(text) : null;
  if (url === null || (url.search === "" && url.hash === "") || SEAL.test(text)) return text;
  return `${url.origin}${url.pathname}#pawl-sha256:${hash("sha256", text)}`;
}

/** The checksum of the URL that was sealed; null where this is a URL as it is. */
export function sealOf(text: string): string | null {
  return SEAL.exec(text)?.[1] ?? null;
}
