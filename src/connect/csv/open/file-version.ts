import { PawlError } from "../../../errors.ts";

/** Turns what the file system says into one sentence. Errors: `csv.missing`, `csv.permission`, `csv.directory`. */
export function fileTrouble(error: unknown, name: string): never {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOENT" || code === "ENOTDIR")
    throw new PawlError("csv.missing", `${name} does not exist: check the path.`, { cause: error });
  if (code === "EACCES" || code === "EPERM")
    throw new PawlError("csv.permission", `${name} may not be read by this user: change its permissions.`, {
      cause: error,
    });
  if (code === "EISDIR") directory(name);
  throw error;
}

export function directory(name: string): never {
  const glob = `${name.replace(/\/+$/, "")}/*.csv`;
  throw new PawlError("csv.directory", `${name} is a directory: name its files, such as '${glob}'.`);
}

/** The file is not the one that was planned. */
export function changed(name: string): never {
  throw new PawlError(
    "csv.changed",
    `${name} changed while it was being read, so its records may have moved: put the file back as it was, or start over with --restart.`,
  );
}
