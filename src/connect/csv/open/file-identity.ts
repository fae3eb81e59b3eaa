import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { Json } from "../../../store/contract.ts";
import { isUrl } from "../../../url-scheme.ts";
import type { PlannedFile } from "./planned-file.ts";
import { readBytes } from "./read-blocks.ts";

const EDGE = 64 * 1024;

interface FileIdentity {
  readonly path: string;
  readonly size: number;
  readonly mtimeMs: number;
  /** SHA-256 of the first and the last 64 KiB. */
  readonly hash: string;
}

/**
 * What must be equal for a run to continue: of each file its path, size, time of change, and a hash of both ends; null for
 * standard input.
 */
export async function identityOf(files: readonly PlannedFile[]): Promise<Json> {
  const identities: Json[] = [];
  const archives = new Set<string>();
  for (const file of files) {
    // An archive is one file, however many of its members are read.
    if (file.member !== null && archives.has(file.path)) continue;
    if (file.member !== null) archives.add(file.path);
    if (!file.pipe) identities.push({ ...(await fileIdentity(file)) });
  }
  return identities.length === 0 ? null : { files: identities };
}

async function fileIdentity(file: PlannedFile): Promise<FileIdentity> {
  const { path, size, mtimeMs, etag } = file;
  if (isUrl(path)) return { path, size, mtimeMs, hash: etag ?? "" };
  const hash = createHash("sha256");
  hash.update(await readBytes(file, 0, Math.min(EDGE, size)));
  hash.update(await readBytes(file, Math.max(0, size - EDGE), size));
  return { path, size, mtimeMs, hash: hash.digest("hex") };
}

/** What differs between two identities of CSV sources, in one sentence with names for the paths; null when they are equal. */
export function identityDifference(
  before: Json,
  now: Json,
  nameOf: (path: string) => string = (path) => path,
): string | null {
  if (isDeepStrictEqual(before, now)) return null;
  const [old, current] = [filesOf(before), filesOf(now)];
  const names = (files: FileIdentity[]) =>
    files.map(({ path }) => nameOf(path)).join(", ") || "standard input";
  if (names(old) !== names(current)) return `The input was ${names(old)} and is ${names(current)} now.`;
  const index = old.findIndex((file, at) => !isDeepStrictEqual(file, current[at]));
  const [was, is] = [old[index], current[index]];
  if (!was || !is) return "The input is not what it was.";
  const how =
    was.size !== is.size
      ? `had ${was.size} bytes and has ${is.size} now`
      : was.hash !== is.hash
        ? "has other content now, at the same size"
        : `was last changed ${new Date(was.mtimeMs).toISOString()} and is changed ${new Date(is.mtimeMs).toISOString()} now`;
  return `${nameOf(is.path)} ${how}.`;
}

function filesOf(identity: Json): FileIdentity[] {
  const files = (identity as { files?: FileIdentity[] } | null)?.files;
  return Array.isArray(files) ? files : [];
}

/** The present path of the first file whose content an earlier identity had too; null where no file's was. */
export function sharedFile(before: Json, now: Json): string | null {
  const known = new Set(filesOf(before).map(contentOf));
  return filesOf(now).find((file) => known.has(contentOf(file)))?.path ?? null;
}

function contentOf({ path, size, hash }: FileIdentity): string {
  return isUrl(path) ? `${path} ${size} ${hash}` : `${size} ${hash}`;
}
