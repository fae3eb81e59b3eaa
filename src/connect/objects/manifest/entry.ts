import type { ObjectEntry } from "../contract.ts";
import type { ManifestRow } from "./rows.ts";

/** What a row of a manifest asks for: `url`, and where given `name`, `size` and `md5`. */
export async function entryOf({ at, fields, problem }: ManifestRow): Promise<ObjectEntry> {
  const bad = async (reason: string): Promise<ObjectEntry> => ({
    key: await at(),
    size: null,
    modified: null,
    tag: null,
    problem: reason,
  });
  if (fields === null) return await bad(problem ?? "the row cannot be read");
  const from = text(fields.url);
  if (from === null) return await bad("the row has no url");
  const url = URL.parse(from);
  if (url === null || !/^https?:$/.test(url.protocol)) return await bad(`"${from}" is no URL of the web`);
  const size = text(fields.size);
  const md5 = text(fields.md5)?.toLowerCase() ?? null;
  return {
    key: text(fields.name) ?? nameOf(url),
    from: url.href,
    size: size !== null && /^\d+$/.test(size) ? Number(size) : null,
    modified: null,
    tag: md5 !== null && /^[0-9a-f]{32}$/.test(md5) ? md5 : null,
  };
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
