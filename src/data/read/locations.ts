import { readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import {
  compareKeys,
  type ObjectEntry,
  parseObjectAddress,
  type RemoteBucket,
} from "../../connect/objects/internal.ts";
import { environmentValue, variableName } from "../../environment.ts";
import { errorReason } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import { nearNames } from "../../near-names.ts";
import { isUrl, isWebUrl, urlScheme } from "../../url-scheme.ts";
import { isWorkFolder, recoverTarget, recoverWithin } from "../parts/work-folder.ts";
import { escapeGlob, Glob, type GlobPart, isEntered, isGlob } from "./glob.ts";
import type { BucketAddress, RemoteBuckets } from "./remote-buckets.ts";
import { explainRemote } from "./remote-errors.ts";

/** The formats of files, by which a folder's files are told from others. */
export type DataFormat = "csv" | "parquet" | "jsonl" | "excel";

/** A file of data, wherever it is. */
export interface DataFile {
  /** Where it is, for people and without secrets. */
  readonly name: string;
  readonly place:
    | { readonly kind: "local"; readonly path: string }
    | {
        readonly kind: "bucket";
        readonly bucket: BucketAddress;
        readonly key: string;
        /** As the listing showed it; null where it was named without a listing. */
        readonly listed: Pick<ObjectEntry, "size" | "etag"> | null;
      }
    /** The URL may hold a signature: it is neither shown nor kept. */
    | { readonly kind: "web"; readonly url: URL };
}

export interface FindOptions {
  /** Where relative paths begin. */
  readonly cwd: string;
  readonly format: DataFormat;
  readonly buckets: RemoteBuckets;
  readonly signal: AbortSignal;
}

/** How the files of a format are called, where a folder is named. */
const EXTENSIONS: Readonly<Record<DataFormat, RegExp>> = {
  csv: /\.(?:csv|tsv|tab|psv|txt)(?:\.(?:gz|zst))?$/i,
  parquet: /\.(?:parquet|pq|parq)$/i,
  jsonl: /\.(?:jsonl|ndjson|json)(?:\.(?:gz|zst))?$/i,
  excel: /\.xls[xm]$/i,
};

/** Names that an error shows of those that are there. */
const NAMED = 3;

/**
 * The files that some locations name, each once, in the order of the locations; those of a pattern or a folder in the order of
 * their paths' bytes. A location is a path, a pattern (see `Glob`), a folder, `s3://bucket/…`, `az://account/container/…`,
 * `https://…`, or `env:NAME` of a variable that holds one. Errors: `data.no-match`, `data.missing`, `data.address`,
 * `data.pattern`, `data.permission`, and those of listings.
 */
export async function findDataFiles(
  locations: readonly string[],
  options: FindOptions,
): Promise<readonly DataFile[]> {
  if (locations.length === 0)
    throw new PawlError("data.no-match", "No file was given: name at least one, or a pattern such as *.csv.");
  const found = new Map<string, DataFile>();
  for (const location of locations) {
    const resolved = resolveVariable(location);
    const files = isUrl(resolved) ? await remote(resolved, options) : await local(resolved, options);
    for (const file of files) {
      const id = file.place.kind === "web" ? file.place.url.href : idOf(file);
      if (!found.has(id)) found.set(id, file);
    }
  }
  return [...found.values()];
}

function idOf({ name, place }: DataFile): string {
  return place.kind === "local" ? place.path : name;
}

/** The location that `env:NAME` stands for; any other one as it is. */
function resolveVariable(location: string): string {
  if (typeof location !== "string" || location === "")
    throw new PawlError("data.address", "A location of data is a text such as 'data/*.csv', and not empty.");
  if (location.includes("\0"))
    throw new PawlError("data.address", "A location of data holds a NUL character, which no name can have.");
  const variable = location.startsWith("env:") ? variableName(location) : null;
  if (variable === null) return location;
  const value = environmentValue(variable);
  if (!value)
    throw new PawlError("data.address", `${location} names an environment variable that is not set.`);
  return value;
}

async function remote(location: string, options: FindOptions): Promise<readonly DataFile[]> {
  const scheme = (urlScheme(location) as string).toLowerCase();
  if (scheme === "file") return await local(pathOfUrl(location), options);
  if (isWebUrl(location)) return [webFile(location)];
  if (scheme === "s3" || scheme === "az") return await inBucket(location, options);
  throw new PawlError(
    "data.address",
    `${scheme}:// cannot be read: give a path, s3://bucket/key, az://account/container/key or https://host/path.`,
  );
}

function pathOfUrl(url: string): string {
  try {
    return escapeGlob(fileURLToPath(url));
  } catch (error) {
    throw new PawlError(
      "data.address",
      `${url} does not name a file of this machine: ${errorReason(error)}.`,
    );
  }
}

function webFile(location: string): DataFile {
  const url = URL.parse(location);
  if (url === null)
    throw new PawlError("data.address", "What begins with http:// or https:// is not a URL: check its host.");
  const isPublic = url.search === "" && url.username === "" && url.password === "";
  const name = `${url.origin}${url.pathname}${isPublic ? "" : "?…"}`;
  if (url.pathname.includes("*"))
    throw new PawlError(
      "data.pattern",
      `${name} is a pattern, and servers of the web list nothing: name each file.`,
    );
  return { name, place: { kind: "web", url } };
}

// --- buckets

/** Splits `s3://bucket/key` and `az://account/container/key`. Errors: `data.address`. */
function splitBucketUrl(location: string): { readonly bucket: BucketAddress; readonly key: string } {
  const parts = /^(s3|az):\/\/([^/]*\/?[^/]*)/is.exec(location);
  const isAzure = /^az:/i.test(location);
  const head = isAzure ? (parts?.[0] ?? location) : (/^s3:\/\/[^/]*/is.exec(location)?.[0] ?? location);
  const key = location.slice(head.length).replace(/^\//, "");
  try {
    return {
      bucket: parseObjectAddress(`${head.replace(/^[^:]*/, (each) => each.toLowerCase())}`) as BucketAddress,
      key,
    };
  } catch (error) {
    if (!(error instanceof PawlError)) throw error;
    throw new PawlError("data.address", error.message, { cause: error });
  }
}

async function inBucket(location: string, options: FindOptions): Promise<readonly DataFile[]> {
  const { bucket: address, key } = splitBucketUrl(location);
  const bucket = await options.buckets.open(address);
  const file = (entry: ObjectEntry | null, at: string): DataFile => ({
    name: `${bucket.name}/${at}`,
    place: {
      kind: "bucket",
      bucket: address,
      key: at,
      listed: entry === null ? null : { size: entry.size, etag: entry.etag },
    },
  });
  if (key !== "" && !key.endsWith("/") && !isGlob(key)) return [file(null, unescaped(key))];
  const isFolder = key === "" || key.endsWith("/");
  const glob = new Glob(isFolder ? `${key}**/*` : key);
  const extension = EXTENSIONS[options.format];
  const matches: DataFile[] = [];
  const others: string[] = [];
  for (const prefix of outermost(glob.alternatives.map(({ folder }) => folder))) {
    for await (const entries of listed(bucket, prefix, options.signal)) {
      for (const entry of entries) {
        const { key: at } = entry;
        if (at.endsWith("/") && (entry.size ?? 0) === 0) continue;
        if (glob.matches(at) && (!isFolder || extension.test(at))) matches.push(file(entry, at));
        else if (others.length < NAMED * 100) others.push(at);
      }
    }
  }
  matches.sort((a, b) => compareKeys(keyOf(a), keyOf(b)));
  if (matches.length > 0) return matches;
  // A key may hold what looks like a pattern.
  if (!isFolder && others.includes(key)) return [file(null, key)];
  throw noMatch(`${bucket.name}/${key}`, options.format, {
    where: `${bucket.name}/${glob.alternatives[0]?.folder ?? ""}`,
    names: others.map((each) => `${bucket.name}/${each}`),
    isFolder,
  });
}

function keyOf({ place }: DataFile): string {
  return place.kind === "bucket" ? place.key : "";
}

async function* listed(
  bucket: RemoteBucket,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<readonly ObjectEntry[]> {
  try {
    yield* bucket.list(prefix, signal);
  } catch (error) {
    throw explainRemote(error, `${bucket.name}/${prefix}`);
  }
}

/** Folders without those that lie in another one of them. */
function outermost(folders: readonly string[]): string[] {
  const sorted = [...new Set(folders)].sort((a, b) => a.length - b.length);
  return sorted.filter((each, at) => !sorted.slice(0, at).some((other) => each.startsWith(other)));
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(.)/gs, "$1");
}

// --- files of this machine

async function local(location: string, options: FindOptions): Promise<readonly DataFile[]> {
  const { cwd, format } = options;
  const at = (name: string): DataFile => ({ name, place: { kind: "local", path: resolve(cwd, name) } });
  const literal = await present(location, cwd);
  if (literal === "file") return [at(location)];
  if (literal === "folder") {
    const folder = location.replace(/\/+$/, "") || "/";
    const all = new Glob(`${escapeGlob(folder === "/" ? "" : folder)}/**/*`);
    const names = (await walkAll(all, cwd, options.signal)).filter((name) => EXTENSIONS[format].test(name));
    if (names.length > 0) return names.map(at);
    throw noMatch(location, format, { where: location, names: [], isFolder: true });
  }
  if (!isGlob(location)) {
    const plain = unescaped(location);
    if (plain !== location && (await kindOf(resolve(cwd, plain), plain)) === "file") return [at(plain)];
    throw await missing(location, cwd);
  }
  const glob = new Glob(location);
  for (const { folder } of glob.alternatives) await present(folder.replace(/\/+$/, "") || "/", cwd);
  const names = await walkAll(glob, cwd, options.signal);
  if (names.length > 0) return names.map(at);
  throw await noLocalMatch(glob, cwd, format);
}

/** The same as `kindOf`, after what a writer was about to put in its place, and was killed, has been put back. */
async function present(name: string, cwd: string): Promise<"file" | "folder" | null> {
  const path = resolve(cwd, name);
  const found = await kindOf(path, name);
  if (found !== null) return found;
  await recoverTarget(path);
  return await kindOf(path, name);
}

/** What lies at a path: null where nothing does. Errors: `data.permission`, and `data.address` for what is neither file nor folder. */
async function kindOf(path: string, name: string): Promise<"file" | "folder" | null> {
  try {
    const found = await stat(path);
    if (found.isDirectory()) return "folder";
    // A pipe can be read only once, and an engine reads the beginning of a file twice.
    if (!found.isFile())
      throw new PawlError(
        "data.address",
        `${name} is neither a file nor a folder: write it to a file first.`,
      );
    return "file";
  } catch (error) {
    if (error instanceof PawlError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR" || code === "ENAMETOOLONG") return null;
    if (code === "EACCES" || code === "EPERM") throw forbidden(name, error);
    throw error;
  }
}

function forbidden(name: string, cause: unknown): PawlError {
  return new PawlError("data.permission", `${name} may not be read by this user: change its permissions.`, {
    cause,
  });
}

/** How often folders are gone through again because others replace them at the same time. */
const MOST_WALKS = 20;

/**
 * All that matches, in the order of the paths' bytes. A folder that was replaced while its files were looked for would give some names of
 * its old files and some of its new ones, so that it is then gone through again.
 */
async function walkAll(glob: Glob, cwd: string, signal: AbortSignal): Promise<string[]> {
  for (let walks = 0; walks < MOST_WALKS; walks++) {
    const found = new Set<string>();
    const seen = new Map<string, bigint | null>();
    for (const { folder, parts } of glob.alternatives)
      for await (const name of walk({ cwd, signal, seen }, folder, parts, [])) found.add(name);
    if (await areAsSeen(seen)) return [...found].sort(compareKeys);
  }
  throw new PawlError(
    "data.changed",
    `Folders of ${glob.text} are replaced again and again while their files are looked for: wait for the program that writes them.`,
  );
}

async function areAsSeen(seen: ReadonlyMap<string, bigint | null>): Promise<boolean> {
  for (const [path, identity] of seen) if ((await identityOf(path)) !== identity) return false;
  return true;
}

/** Which folder stands at a path; null where none does. */
async function identityOf(path: string): Promise<bigint | null> {
  return await stat(path, { bigint: true }).then(
    ({ ino }) => ino,
    () => null,
  );
}

interface Walk {
  readonly cwd: string;
  readonly signal: AbortSignal;
  /** Which folder stood at each path when its names were read. */
  readonly seen: Map<string, bigint | null>;
}

/** `within` are the real paths of the folders that `**` has entered, so that links do not lead in a circle. */
async function* walk(
  to: Walk,
  folder: string,
  parts: readonly GlobPart[],
  within: readonly string[],
): AsyncGenerator<string, void, undefined> {
  to.signal.throwIfAborted();
  const [part, ...rest] = parts;
  if (part === undefined) return;
  if (part.kind === "name") {
    const name = folder + part.name;
    if (rest.length > 0) yield* walk(to, `${name}/`, rest, within);
    else if ((await kindOf(resolve(to.cwd, name), name)) === "file") yield name;
    return;
  }
  const path = resolve(to.cwd, folder === "" ? "." : folder);
  if (part.kind === "folders") {
    const real = await realpath(path).catch(() => path);
    if (within.includes(real)) return;
    yield* walk(to, folder, rest, within);
    for (const { name, kind } of await entriesOf(to, path, folder))
      if (isEntered(name) && (await resolvedKind(kind, join(path, name), folder + name)) === "folder")
        yield* walk(to, `${folder}${name}/`, parts, [...within, real]);
    return;
  }
  for (const { name, kind } of await entriesOf(to, path, folder)) {
    if (!part.matches(name) || isWorkFolder(name)) continue;
    const resolved = await resolvedKind(kind, join(path, name), folder + name);
    if (rest.length > 0) {
      if (resolved === "folder") yield* walk(to, `${folder}${name}/`, rest, within);
    } else if (resolved === "file") yield folder + name;
    else if (resolved === null && kind === "link")
      throw new PawlError(
        "data.missing",
        `${folder}${name} is a link that leads nowhere: remove it, or correct it.`,
      );
  }
}

type EntryKind = "file" | "folder" | "link" | "other";

async function resolvedKind(kind: EntryKind, path: string, name: string): Promise<"file" | "folder" | null> {
  if (kind === "file" || kind === "folder") return kind;
  return kind === "link" ? await kindOf(path, name) : null;
}

async function entriesOf(
  { seen }: Walk,
  path: string,
  shown: string,
): Promise<{ name: string; kind: EntryKind }[]> {
  try {
    seen.set(path, await identityOf(path));
    let entries = await readdir(path, { withFileTypes: true });
    // What a writer is about to put back or in its place must not be passed over.
    const names = entries.map(({ name }) => name);
    if (await recoverWithin(path, names)) entries = await readdir(path, { withFileTypes: true });
    return entries.map((entry) => {
      // What is not UTF-8 cannot be given to an engine as a path.
      if (entry.name.includes("\ufffd"))
        throw new PawlError(
          "data.address",
          `A name in ${shown || "."} is not UTF-8 (${entry.name}): rename it.`,
        );
      const kind = entry.isFile()
        ? "file"
        : entry.isDirectory()
          ? "folder"
          : entry.isSymbolicLink()
            ? "link"
            : "other";
      return { name: entry.name, kind };
    });
  } catch (error) {
    if (error instanceof PawlError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    if (code === "EACCES" || code === "EPERM") throw forbidden(shown || ".", error);
    throw error;
  }
}

// --- what is not there

async function missing(location: string, cwd: string): Promise<PawlError> {
  const folder = dirname(resolve(cwd, location));
  const names = await readdir(folder).catch(() => null);
  if (names === null) {
    const parent = dirname(location);
    return new PawlError(
      "data.missing",
      `${location} does not exist, nor does the folder ${parent}: check the path.`,
    );
  }
  const [near] = nearNames(basename(location), names, 1);
  return new PawlError(
    "data.missing",
    near === undefined
      ? `${location} does not exist: check the path.`
      : `${location} does not exist: did you mean ${join(dirname(location), near)}?`,
  );
}

async function noLocalMatch(glob: Glob, cwd: string, format: DataFormat): Promise<PawlError> {
  const folder = glob.alternatives[0]?.folder ?? "";
  const names = await readdir(resolve(cwd, folder === "" ? "." : folder)).catch(() => null);
  if (names === null)
    return new PawlError(
      "data.no-match",
      `No file matches ${glob.text}, since there is no folder ${folder}: check the path.`,
    );
  return noMatch(glob.text, format, {
    where: folder === "" ? "this folder" : folder,
    names: names.sort().map((name) => folder + name),
    isFolder: false,
  });
}

function noMatch(
  pattern: string,
  format: DataFormat,
  found: { readonly where: string; readonly names: readonly string[]; readonly isFolder: boolean },
): PawlError {
  const { where, names, isFolder } = found;
  const said = isFolder
    ? `There is no ${FORMAT_NAMES[format]} file in ${pattern}`
    : `No file matches ${pattern}`;
  if (names.length === 0)
    return new PawlError("data.no-match", `${said}: ${isFolder ? "check the name" : `${where} is empty`}.`);
  const near = nearNames(pattern, names, NAMED);
  const shown = near.length > 0 ? near : names.slice(0, NAMED);
  const what = near.length > 0 ? "nearest to it is" : `${where} holds`;
  const more = names.length > shown.length ? ", and more" : "";
  return new PawlError("data.no-match", `${said}: ${what} ${shown.join(", ")}${more}.`);
}

const FORMAT_NAMES: Readonly<Record<DataFormat, string>> = {
  csv: "CSV",
  parquet: "Parquet",
  jsonl: "JSONL",
  excel: "Excel",
};
