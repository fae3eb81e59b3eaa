import { PawlError } from "../../../errors.ts";

/** A file inside a zip archive. */
export interface ZipMember {
  readonly name: string;
  /** Of its header in the archive. */
  readonly offset: number;
  readonly packedBytes: number;
  readonly bytes: number;
  readonly crc32: number;
}

/** A file as it was when the source was planned. */
export interface PlannedFile {
  /** An absolute path, or a URL. */
  readonly path: string;
  /** The path as messages show it. */
  readonly name: string;
  /** It can be read only once and from its beginning: standard input, a named pipe, a terminal. */
  readonly pipe: boolean;
  /** The member of the zip archive that path, size and time belong to; null for a file of its own. */
  readonly member: ZipMember | null;
  /** The ETag of a remote object; absent for a local file. */
  readonly etag?: string | null;
  readonly size: number;
  readonly mtimeMs: number;
}

/** How many bytes of the source a file takes: of a member of an archive, those that it is packed in. */
export function storedBytes({ size, member }: PlannedFile): number {
  return member?.packedBytes ?? size;
}

/** Turns what the file system says into one sentence. Errors: `csv.missing`, `csv.permission`, `csv.directory`. */
export function refuseFile(error: unknown, name: string): never {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOENT" || code === "ENOTDIR")
    throw new PawlError("csv.missing", `${name} does not exist: check the path.`, { cause: error });
  if (code === "EACCES" || code === "EPERM")
    throw new PawlError("csv.permission", `${name} may not be read by this user: change its permissions.`, {
      cause: error,
    });
  if (code === "EISDIR") refuseDirectory(name);
  throw error;
}

export function refuseDirectory(name: string): never {
  const glob = `${name.replace(/\/+$/, "")}/*.csv`;
  throw new PawlError("csv.directory", `${name} is a directory: name its files, such as '${glob}'.`);
}
