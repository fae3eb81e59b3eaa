import { hash } from "node:crypto";

/** What stands for the query of a URL: the checksum of the whole URL. */
const REDACTION = /#pawl-sha256:([0-9a-f]{64})$/;

/** A URL for people: a query may hold a signature or a token, which are never shown. Any other text is given as it is. */
export function shownUrl(text: string): string {
  const url = /^https?:/i.test(text) ? URL.parse(text) : null;
  if (url === null) return text;
  const hasQuery = url.search !== "" || REDACTION.test(url.hash);
  return `${url.origin}${url.pathname}${hasQuery ? "?…" : ""}`;
}

/** A URL as it may be kept: without its query where it has one, by whose checksum it is found again in its manifest. */
export function redactedUrl(text: string): string {
  const url = /^https?:/i.test(text) ? URL.parse(text) : null;
  if (url === null || (url.search === "" && url.hash === "") || REDACTION.test(text)) return text;
  return `${url.origin}${url.pathname}#pawl-sha256:${hash("sha256", text)}`;
}

/** The checksum of the URL of which this is the redacted form; null where it is not redacted. */
export function redactionOf(text: string): string | null {
  return REDACTION.exec(text)?.[1] ?? null;
}

/** Parameters that sign a URL, by the one without which it is not signed so: they are others from one day to the next. */
const SIGNATURES: readonly (readonly [signature: string, others: RegExp])[] = [
  ["x-amz-signature", /^x-amz-/],
  ["x-goog-signature", /^x-goog-/],
  [
    "signature",
    /^(signature|expires|(aws|oss)?accesskeyid|googleaccessid|x-amz-security-token|policy|key-pair-id)$/,
  ],
  ["sig", /^(sig|s[vprtei]|ss|srt|spr|sip|sk(oid|tid|t|e|s|v)|saoid|suoid|scid)$/],
];

/** A URL without its signature, as those of S3, Google, Azure and CloudFront are: what it names, whatever its signature. */
export function unsignedUrl(text: string): string {
  const url = /^https?:/i.test(text) ? URL.parse(text) : null;
  if (url === null || url.search === "") return text;
  const pairs = url.search.slice(1).split("&");
  const nameOf = (pair: string) => pair.split("=", 1)[0]?.toLowerCase() ?? "";
  const names = new Set(pairs.map(nameOf));
  const signed = SIGNATURES.filter(([signature]) => names.has(signature)).map(([, others]) => others);
  if (signed.length === 0) return text;
  url.search = pairs.filter((pair) => !signed.some((others) => others.test(nameOf(pair)))).join("&");
  return url.href;
}
