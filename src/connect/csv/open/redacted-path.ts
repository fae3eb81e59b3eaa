import { environmentValue, variableName } from "../../../environment.ts";
import { PawlError } from "../../../errors.ts";
import { isUrl, isWebUrl } from "../../../url-scheme.ts";

/** What a redacted URL ends with. */
const REDACTED = "?…";

/** URLs with their secrets, by their redacted form: for as long as this process lives. */
const fullUrls = new Map<string, string>();

/**
 * A path as it may be stored and shown: of a URL neither its query, which may hold a signature, nor a password. This process
 * remembers the rest; of URLs that differ in nothing else, that of the latest. Errors: `csv.address`.
 */
export function redactPath(path: string): string {
  if (!isWebUrl(path) || path.endsWith(REDACTED)) return path;
  const url = URL.parse(path);
  if (url === null)
    throw new PawlError("csv.address", "What begins with http:// or https:// is not a URL: check its host.");
  const isPublic = url.search === "" && url.username === "" && url.password === "";
  const redacted = `${url.origin}${url.pathname}${isPublic ? "" : REDACTED}`;
  fullUrls.set(redacted, path);
  return redacted;
}

/** The same for all inputs of a source. Errors: `csv.address`, also where two of them are one when they are redacted. */
export function redactPaths(paths: readonly string[]): string[] {
  const given = new Map<string, string>();
  return paths.map((path) => {
    const redacted = redactPath(path);
    const other = given.get(redacted) ?? path;
    if (other !== path)
      throw new PawlError(
        "csv.address",
        `Two addresses of ${redacted} differ only in their query, which Pawl keeps nowhere: load them one after the other.`,
      );
    given.set(redacted, path);
    return redacted;
  });
}

/** The URL that was redacted, where this process has seen it. Errors: `csv.address`, where it has not. */
export function fullUrl(redacted: string): URL {
  const full = fullUrls.get(redacted);
  const url = URL.parse(full ?? redacted);
  if (url !== null && (full !== undefined || !redacted.endsWith(REDACTED))) return url;
  throw new PawlError(
    "csv.address",
    `${redacted} was given with a query or a password, which Pawl keeps nowhere: give the same load again with it, or put the address into the environment and name it env:NAME.`,
  );
}

/** The URL that `env:NAME` stands for; any other path as it is. Errors: `csv.address`. */
export function resolveEnvPath(path: string): string {
  const name = variableName(path);
  if (name === null) {
    if (!path.includes("://")) return path;
    // It is not shown: an address that was meant to be in a variable holds a password or a signature.
    throw new PawlError(
      "csv.address",
      "A path has an address after env: where the name of an environment variable belongs: write env:NAME.",
    );
  }
  const url = environmentValue(name);
  if (!url) throw new PawlError("csv.address", `${path} names an environment variable that is not set.`);
  if (isUrl(url)) return url;
  throw new PawlError("csv.address", `${path} is not an address: give it one such as https://host/file.csv.`);
}
