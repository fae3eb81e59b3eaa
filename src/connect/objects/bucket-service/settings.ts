import { PawlError } from "../../../errors.ts";
import { setOwn } from "../../../own.ts";

/** The sections of a file such as ~/.aws/config: names to values; indented lines belong to the name above them. */
export function parseIni(text: string): ReadonlyMap<string, Readonly<Record<string, string>>> {
  const sections = new Map<string, Record<string, string>>();
  let section: Record<string, string> | null = null;
  let outer: string | null = null;
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*([#;].*)?$/.test(line)) continue;
    const heading = /^\s*\[\s*(.+?)\s*\]/.exec(line);
    if (heading) {
      const name = (heading[1] as string).replace(/^profile\s+/, "");
      section = sections.get(name) ?? {};
      sections.set(name, section);
      outer = null;
      continue;
    }
    const pair = /^(\s*)([^=]+?)\s*=\s*(.*?)\s*$/.exec(line);
    if (pair === null || section === null) continue;
    const [, indent = "", name = "", value = ""] = pair;
    if (indent !== "" && outer !== null) setOwn(section, `${outer}.${name}`, value);
    else {
      setOwn(section, name, value);
      outer = value === "" ? name : null;
    }
  }
  return sections;
}

/**
 * The URL of an endpoint, without a slash at its end: one location has one name, by which two profiles are compared. It is not
 * repeated where it is wrong, since it may hold a signature.
 */
export function endpointOf(text: string, example: string): URL {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== "")
    throw new PawlError(
      "bucket.endpoint",
      `The endpoint is not a URL without a query: write one such as ${example}.`,
    );
  // Requests are signed; a password in front of the host is used nowhere.
  url.username = "";
  url.password = "";
  url.pathname = url.pathname.replace(/\/+$/, "");
  return url;
}
