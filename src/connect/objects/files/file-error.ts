import { ItemError, TransientError } from "../../../errors.ts";
import { own } from "../../../own.ts";

/** What an error of the file system means for the file it happened to. */
const MEANING: Readonly<Record<string, string>> = {
  ENOENT: "it is gone",
  EACCES: "permission is denied",
  EPERM: "permission is denied",
  EISDIR: "there is a folder in its place",
  ENOTDIR: "a file stands where its folder would be",
  EEXIST: "a file stands where its folder would be",
  ENOTEMPTY: "there is a folder in its place",
  ENAMETOOLONG: "its name is too long here",
  EILSEQ: "its name cannot be written here",
  EINVAL: "its name cannot be written here",
  EFBIG: "it is too large for this file system",
  EROFS: "the file system is read-only",
  ELOOP: "its links go round in a circle",
  ENXIO: "it is not a file",
};

/** What is not the file's own fault, such as a full disk, may pass. */
export function explainFile(error: unknown, path: string, doing: "read" | "write" | "remove"): Error {
  const { code = "", message } = error as NodeJS.ErrnoException;
  const meaning = own(MEANING, code);
  if (meaning === undefined)
    return new TransientError("copy.file", `cannot ${doing} ${path}: ${message}`, { cause: error });
  return new ItemError(`cannot ${doing} ${path}: ${meaning} (${code})`, { code: "copy.file", cause: error });
}
