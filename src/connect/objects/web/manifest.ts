import { isUtf8 } from "node:buffer";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { ItemError, PawlError } from "../../../errors.ts";
import type { Json } from "../../../store/contract.ts";
import { csv } from "../../csv/index.ts";
import type { ObjectEntry } from "../contract.ts";

/** Longer lines are not held in memory. */
const LONGEST_LINE = 1024 * 1024;

/** A row of a manifest. */
export interface ManifestRow {
  /** Where it stands, for people; asked only of rows that are bad, since it takes another look. */
  at(): Promise<string>;
  /** Null where the row cannot be read, with the reason. */
  readonly fields: Readonly<Record<string, unknown>> | null;
  readonly problem?: string;
}

export interface Manifest {
  /** Changes when the file does. */
  identity(): Promise<Json>;
  rows(): AsyncIterable<ManifestRow>;
}

/** Opens a manifest: JSON Lines where its name says so, else CSV with a header. */
export function openManifest(path: string): Manifest {
  return /\.(jsonl|ndjson)$/i.test(path) ? jsonLines(path) : commaSeparated(path);
}

function commaSeparated(path: string): Manifest {
  const source = csv(path);
  return {
    identity: async () => {
      const { columns, identity } = await source.describe();
      if (columns?.includes("url")) return identity;
      throw new PawlError(
        "copy.manifest",
        `The manifest ${path} has no column url: its header is ${columns?.join(", ")}, and it needs url and may have name, size and md5.`,
      );
    },
    rows: async function* () {
      const options = { signal: new AbortController().signal, scratch: "", folder: "", memory: 0 };
      const { shards } = await source.shards(1, { kind: "total" }, options);
      for (const shard of shards) {
        for await (const chunk of source.read(shard, null, { items: 1000, bytes: 1 << 20 }, options.signal)) {
          let index = 0;
          for await (const slice of chunk.slices()) {
            for (const row of slice) {
              const nth = index++;
              const at = async () => (await chunk.origin(nth)).at;
              if (row instanceof ItemError) yield { at, fields: null, problem: row.message };
              else yield { at, fields: row };
            }
          }
        }
      }
    },
  };
}

function jsonLines(path: string): Manifest {
  return {
    identity: async () => {
      const found = await stat(path).catch(() => {
        throw new PawlError("copy.manifest", `There is no manifest ${path}: check the path.`);
      });
      if (!found.isFile())
        throw new PawlError("copy.manifest", `The manifest ${path} is not a file: check the path.`);
      return { bytes: found.size, modified: Math.floor(found.mtimeMs) };
    },
    rows: async function* () {
      let line = 0;
      for await (const bytes of linesOf(path)) {
        line++;
        const position = `${path} line ${line}`;
        const at = async () => position;
        if (bytes === null) {
          yield { at, fields: null, problem: `the line has more than ${LONGEST_LINE} bytes` };
          continue;
        }
        const text = line === 1 && bytes.indexOf("\ufeff") === 0 ? bytes.subarray(3) : bytes;
        if (!isUtf8(text)) {
          yield { at, fields: null, problem: "the line is not valid UTF-8" };
          continue;
        }
        const json = text.toString("utf8");
        if (json.trim() === "") continue;
        const fields = parsed(json);
        yield fields === null ? { at, fields, problem: "the line is not a JSON object" } : { at, fields };
      }
    },
  };
}

/** The lines of a file, each in bytes: only line feeds end a line of JSON. Null stands for one that is too long. */
async function* linesOf(path: string): AsyncGenerator<Buffer | null, void, undefined> {
  let pieces: Buffer[] = [];
  let length = 0;
  const take = (): Buffer | null => {
    const line = length > LONGEST_LINE ? null : Buffer.concat(pieces);
    pieces = [];
    length = 0;
    return line;
  };
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      length += end - from;
      if (length <= LONGEST_LINE) pieces.push(chunk.subarray(from, end));
      yield take();
      from = end + 1;
    }
    length += chunk.length - from;
    if (length <= LONGEST_LINE) pieces.push(chunk.subarray(from));
    else pieces = [];
  }
  if (length > 0) yield take();
}

function parsed(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

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
    return await bad(`"${from.split(/[?#]/, 1)[0]?.slice(0, 200)}" is not a URL of the web`);
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
  if (!isAbsent(name) && text(name) === null) return "its name is not a text";
  if (!isAbsent(size) && !/^\d{1,15}$/.test(text(size) ?? ""))
    return `its size ${JSON.stringify(size)} is not a number of bytes`;
  if (!isAbsent(md5) && !/^[0-9a-f]{32}$/i.test(text(md5) ?? ""))
    return `its md5 ${JSON.stringify(md5)} is not an MD5 in hex`;
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
