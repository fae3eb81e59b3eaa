import type { ObjectEntry } from "../contract.ts";
import type { ManifestRow } from "../web/manifest.ts";

/** What a row of a manifest asks for: `url`, and where given `name`, `size` and `md5`. */
export async function entryOf({ at, fields, problem }: ManifestRow): Promise<ObjectEntry> {
  const bad = async (reason: string): Promise<ObjectEntry> => ({
    key: await at(),
    size: null,
    modified: null,
    etag: null,
    problem: reason,
  });
  if (fields === null) return await bad(problem ?? "the row cannot be read");
  const from = text(fields.url);
  if (from === null) return await bad("the row has no url");
  const url = URL.parse(from);
  if (url === null || !/^https?:$/.test(url.protocol))
    return await bad(`"${from.split(/[?#]/, 1)[0]?.slice(0, 200)}" is no URL of the web`);
  if (url.username !== "" || url.password !== "")
    return await bad("its URL holds a user or a password, and Pawl stores no passwords");
  const wrong = wrongField(fields);
  if (wrong !== null) return await bad(wrong);
  const size = text(fields.size);
  const md5 = text(fields.md5)?.toLowerCase() ?? null;
  return {
    key: text(fields.name) ?? nameOf(url),
    from: url.href,
    size: size === null ? null : Number(size),
    modified: null,
    etag: md5,
  };
}

/** What cannot be compared must not pass for what has been. */
function wrongField({ name, size, md5 }: Readonly<Record<string, unknown>>): string | null {
  if (!isAbsent(name) && text(name) === null) return "its name is no text";
  if (!isAbsent(size) && !/^\d{1,15}$/.test(text(size) ?? ""))
    return `its size ${JSON.stringify(size)} is no number of bytes`;
  if (!isAbsent(md5) && !/^[0-9a-f]{32}$/i.test(text(md5) ?? ""))
    return `its md5 ${JSON.stringify(md5)} is no MD5 in hex`;
  return null;
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || value === "";
}

function text(value: unknown): string | null {
  if (typeof value === "number") return String(value);
  return typeof value === "string" && value !== "" ? value : null;
}

/** Without a name an object is called as in its URL. */
function nameOf(url: URL): string {
  const path = url.pathname.slice(1);
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
