import { PawlError, TransientError } from "../../errors.ts";
import { AnswerError, ofPlace } from "../objects/answer-error.ts";
import type { Opened } from "../objects/contract.ts";
import { isPassing } from "../objects/passing.ts";
import type { FileVersion } from "./body.ts";
import { changed } from "./file-trouble.ts";

/** Bytes that are asked for at once. */
const PIECE = 1024 * 1024;

/** Whether a path is an address that is not of this machine. */
export function isRemote(path: string): boolean {
  return /^[a-z][a-z0-9+.-]+:\/\//i.test(path);
}

/** The object as it is now. Errors: `csv.missing`, `csv.permission`, `csv.address`, those of `connect/objects`. */
export async function remoteVersion(url: string): Promise<FileVersion> {
  const { size, tag, modified, close } = await opened(url);
  await close();
  if (size === null)
    throw new PawlError("csv.address", `${url} does not say how long it is: copy it to a file first.`);
  return { path: url, name: url, pipe: false, member: null, tag, size, mtimeMs: modified ?? 0 };
}

/** The bytes of an object that is the one that was planned. Errors: `csv.changed`, those of `remoteVersion`. */
export async function* remoteBytes(file: FileVersion): AsyncGenerator<Buffer> {
  const object = await opened(file.path);
  try {
    if (object.size !== file.size || object.tag !== file.tag) changed(file.name);
    const next = (at: number) => {
      const into = Buffer.allocUnsafe(Math.min(PIECE, file.size - at));
      const reading = object.range(at, into).then(() => into);
      // Looked at when its turn comes; a reader that stops before must not leave a rejection behind.
      reading.catch(() => {});
      return reading;
    };
    let coming = file.size > 0 ? next(0) : null;
    for (let at = 0; coming !== null; ) {
      const bytes = await coming;
      at += bytes.length;
      coming = at < file.size ? next(at) : null;
      yield bytes;
    }
  } catch (error) {
    // The object has another tag by now.
    if (error instanceof AnswerError && error.status === 412) changed(file.name);
    throw explained(error, file.name);
  } finally {
    await object.close();
  }
}

/** An object that can be read in ranges, each of the version that was opened. */
interface OpenObject {
  readonly size: number | null;
  readonly tag: string | null;
  readonly modified: number | null;
  range(offset: number, into: Buffer): Promise<void>;
  close(): Promise<void>;
}

async function opened(url: string): Promise<OpenObject> {
  const [, bucket = "", key = ""] = /^s3:\/\/([^/]*)\/?(.*)$/is.exec(url) ?? refuseAddress(url);
  if (bucket === "" || key === "" || key.endsWith("/"))
    throw new PawlError("csv.address", `${url} names no object: write s3://bucket/path/file.csv.`);
  try {
    const { clientOf } = await import("../objects/s3/place.ts");
    const { S3Reader } = await import("../objects/s3/reader.ts");
    const place = { bucket, prefix: "", profile: null };
    const client = await clientOf(place);
    const reader = new S3Reader(place, client);
    const object: Opened = await reader.open({ key, size: null, modified: null, tag: null });
    const { size, tag, modified } = object;
    const range = object.range?.bind(object);
    if (range === undefined)
      throw new PawlError("csv.address", `${url} cannot be read in parts: copy it to a file first.`);
    const close = async () => {
      await object.close();
      await reader.close();
    };
    return { size, tag, modified, range, close };
  } catch (error) {
    throw explained(error, url);
  }
}

function explained(error: unknown, url: string): unknown {
  if (!(error instanceof AnswerError)) return error;
  if (error.status === 404)
    return new PawlError("csv.missing", `${url} does not exist: check the bucket and the key.`, {
      cause: error,
    });
  if (error.fatal === null && error.status === 403)
    return new PawlError(
      "csv.permission",
      `${url} may not be read with these keys (${error.code}): check the policy.`,
      {
        cause: error,
      },
    );
  if (error.fatal === null && isPassing(error))
    return new TransientError("csv.unavailable", `${url}: ${error.place} answers ${error.code}`, {
      cause: error,
    });
  return ofPlace(error);
}

function refuseAddress(url: string): never {
  const { protocol, host, pathname } = URL.parse(url) ?? {};
  // A query may hold a signature, which is not shown.
  const shown = protocol === undefined ? url : `${protocol}//${host}${pathname}`;
  const fetched = /^(?:https?|ftps?):$/.test(protocol ?? "")
    ? "fetch it into a pipe: curl -fsSL URL | pawl load - …"
    : "give a path, - for standard input, or s3://bucket/key";
  throw new PawlError("csv.address", `${shown} cannot be read from where it is: ${fetched}.`);
}
