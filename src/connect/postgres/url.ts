import { PawlError } from "../../errors.ts";

const secret = "***";

/** The URL without its password, fit to be stored, logged and shown. */
export function publicUrl(url: string): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    // Whatever it is, a password would stand before the last @ or in the query.
    return url.replace(/\/\/.*@/, "//").replace(/\?.*$/, "");
  }
  parsed.password = "";
  for (const name of [...parsed.searchParams.keys()]) {
    if (/pass|secret|key/i.test(name)) parsed.searchParams.set(name, secret);
  }
  return parsed.href;
}

/** Throws one sentence when the driver could not understand the URL; the driver's own error would repeat it. */
export function checkUrl(url: string): void {
  const scheme = /^(postgres|postgresql):\/\//;
  if (scheme.test(url) && URL.canParse(url)) return;
  throw new PawlError(
    "postgres.url",
    `${publicUrl(url)} is not a PostgreSQL URL: write postgres://user@host:5432/database, with special characters ` +
      "in names and passwords percent-encoded.",
  );
}
