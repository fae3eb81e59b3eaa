import { PawlError } from "./errors.ts";

const secret = "***";

/** The URL without its password, fit to be stored, logged and shown. */
export function publicUrl(url: string): string {
  const parsed = parse(url);
  // Whatever it is, a password would stand before the last @ or in the query.
  if (parsed === null) return url.replace(/\/\/.*@/s, "//").replace(/\?.*$/s, "");
  parsed.password = "";
  for (const name of [...parsed.searchParams.keys()]) {
    if (/pass|secret|key/i.test(name)) parsed.searchParams.set(name, secret);
  }
  return parsed.href;
}

/**
 * The URL of a database in one spelling, to be compared with another one: without its password, with the port that it leaves
 * out, and with its settings in the order of their names. What is not a URL, such as `env:NAME`, is kept.
 */
export function comparableUrl(url: string): string {
  const parsed = parse(publicUrl(url));
  if (parsed === null || !/^postgres(ql)?:$/.test(parsed.protocol)) return url;
  if (parsed.port === "") parsed.port = process.env.PGPORT || "5432";
  parsed.searchParams.sort();
  return parsed.href.replace(/^postgresql:/, "postgres:");
}

/** Throws one sentence when the driver could not understand the URL; the driver's own error would repeat it. */
export function checkUrl(url: string): void {
  if (/^(postgres|postgresql):\/\//.test(url) && parse(url) !== null) return;
  throw new PawlError(
    "postgres.url",
    `${publicUrl(url)} is not a PostgreSQL URL: write postgres://user@host:5432/database, with special characters ` +
      "in names and passwords percent-encoded.",
  );
}

/** Null also where an unencoded password has cut the URL in the wrong place, and stands in its path or query. */
function parse(url: string): URL | null {
  const parsed = URL.parse(url);
  return parsed === null || /@/.test(parsed.pathname + parsed.search + parsed.hash) ? null : parsed;
}
