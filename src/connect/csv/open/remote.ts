import { setTimeout as sleep } from "node:timers/promises";
import { ItemError, PawlError, TransientError } from "../../../errors.ts";
import type { OpenObject } from "../../objects/contract.ts";
import { explainResponse, ResponseError } from "../../objects/http/response-error.ts";
import { pauseMs, retried, TRIES } from "../../objects/http/retry.ts";
import { isPassing } from "../../objects/passing.ts";
import { assertBucketName } from "../../objects/s3/bucket-name.ts";
import { type FileVersion, refuseChanged } from "./file-version.ts";
import { fullUrl } from "./redacted-path.ts";

/** Bytes that are asked for at once. */
const PIECE = 1024 * 1024;

/** The object as it is now. Errors: `csv.missing`, `csv.permission`, `csv.address`, those of `connect/objects`. */
export async function remoteVersion(url: string): Promise<FileVersion> {
  const { size, tag, modified, close } = await opened(url);
  await close();
  if (size === null)
    throw new PawlError("csv.address", `${url} does not say how long it is: copy it to a file first.`);
  return { path: url, name: url, pipe: false, member: null, etag: tag, size, mtimeMs: modified ?? 0 };
}

/** The bytes of an object that is the one that was planned. Errors: `csv.changed`, those of `remoteVersion`. */
export async function* remoteBytes(file: FileVersion): AsyncGenerator<Buffer> {
  let given = 0;
  // Tries one after the other that have brought nothing new.
  for (let tried = 1; ; ) {
    const object = await opened(file.path);
    try {
      const { size, tag, modified } = object;
      if (size !== file.size || tag !== file.etag || (modified ?? 0) !== file.mtimeMs)
        refuseChanged(file.name);
      for await (const bytes of object.bytes(file.size, given)) {
        given += bytes.length;
        tried = 1;
        yield bytes;
      }
      return;
    } catch (error) {
      // The object has another tag by now.
      if (error instanceof ResponseError && error.status === 412) refuseChanged(file.name);
      if (!isPassing(error) || tried >= TRIES) throw explained(error, file.name);
      await sleep(pauseMs(tried++, error));
    } finally {
      await object.close();
    }
  }
}

/** An object that can be read in ranges, each of the version that was opened. */
interface RemoteObject {
  readonly size: number | null;
  readonly tag: string | null;
  readonly modified: number | null;
  /** Those from one byte on, of so many that there are altogether. */
  bytes(size: number, from: number): AsyncIterable<Buffer>;
  close(): Promise<void>;
}

/** Tried again where a server is out for a moment, or hangs up. */
async function opened(url: string): Promise<RemoteObject> {
  const { signal } = new AbortController();
  return await retried(() => openedOnce(url), signal).catch((error) => {
    throw explained(error, url);
  });
}

async function openedOnce(url: string): Promise<RemoteObject> {
  if (/^https?:\/\//i.test(url)) return await openedOfWeb(url);
  const [, bucket = "", key = ""] = /^s3:\/\/([^/]*)\/?(.*)$/is.exec(url) ?? refuseAddress(url);
  if (bucket !== "") assertBucketName(bucket);
  if (bucket === "" || key === "" || key.endsWith("/"))
    throw new PawlError("csv.address", `${url} does not name an object: write s3://bucket/path/file.csv.`);
  const { clientOf } = await import("../../objects/s3/place.ts");
  const { S3Reader } = await import("../../objects/s3/reader.ts");
  const place = { bucket, prefix: "", profile: null };
  const client = await clientOf(place);
  const reader = new S3Reader(place, client);
  const object: OpenObject = await reader.open({ key, size: null, modified: null, etag: null });
  const { size, etag, modified } = object;
  const range = object.range?.bind(object);
  if (range === undefined)
    throw new PawlError("csv.address", `${url} cannot be read in parts: copy it to a file first.`);
  const close = async () => {
    await object.close();
    await reader.close();
  };
  return { size, tag: etag, modified, bytes: (length, from) => inParts(range, length, from), close };
}

/** The bytes of an object that can be read in parts, the next one while one is taken. */
async function* inParts(
  range: (offset: number, into: Buffer) => Promise<void>,
  size: number,
  from: number,
): AsyncGenerator<Buffer> {
  const next = (at: number) => {
    const into = Buffer.allocUnsafe(Math.min(PIECE, size - at));
    const reading = range(at, into).then(() => into);
    // Looked at when its turn comes; a reader that stops before must not leave a rejection behind.
    reading.catch(() => {});
    return reading;
  };
  let coming = from < size ? next(from) : null;
  for (let at = from; coming !== null; ) {
    const bytes = await coming;
    at += bytes.length;
    coming = at < size ? next(at) : null;
    yield bytes;
  }
}

/** What a URL names. It can be told from what it becomes later, or it is refused. */
async function openedOfWeb(shown: string): Promise<RemoteObject> {
  const url = fullUrl(shown);
  const { openUrl } = await import("../../objects/web/object.ts");
  const object = await openUrl(url, { key: shown, size: null, modified: null, etag: null });
  const { size, modified, serverEtag: etag } = object;
  if (size === null || (modified === null && etag === null)) {
    await object.close();
    const what = size === null ? "how long it is" : "when it has changed (neither ETag nor Last-Modified)";
    throw new PawlError(
      "csv.address",
      `${shown} does not say ${what}: fetch it into a pipe: curl -fsSL URL | pawl load - ….`,
    );
  }
  const bytes = async function* (_: number, from: number): AsyncGenerator<Buffer> {
    let count = 0;
    for await (const piece of object.body()) {
      const passed = Math.min(piece.length, Math.max(0, from - count));
      count += piece.length;
      if (count > size) break;
      if (passed < piece.length)
        yield Buffer.from(piece.buffer, piece.byteOffset + passed, piece.length - passed);
    }
    if (count !== size)
      throw new TransientError("csv.unavailable", `${shown} gave ${count} of ${size} bytes`);
  };
  return { size, tag: etag, modified, bytes, close: () => object.close() };
}

function explained(error: unknown, url: string): unknown {
  // Of a load it is the only object, and no row.
  if (error instanceof ItemError) {
    const advice =
      error.code === "copy.encoded"
        ? ": fetch it into a pipe: curl -fsSL --compressed URL | pawl load - …"
        : "";
    return new PawlError("csv.address", `${url}: ${error.message}${advice}.`, { cause: error });
  }
  if (error instanceof TransientError && !error.message.startsWith(url))
    return new TransientError(error.code, `${url}: ${error.message}: give the same command again later.`, {
      cause: error,
    });
  if (!(error instanceof ResponseError)) return error;
  const isWeb = !url.startsWith("s3:");
  if (error.status === 404 || error.status === 410)
    return new PawlError(
      "csv.missing",
      `${url} does not exist: check ${isWeb ? "the address" : "the bucket and the key"}.`,
      {
        cause: error,
      },
    );
  if (error.fatal === null && (error.status === 403 || (isWeb && error.status === 401)))
    return new PawlError(
      "csv.permission",
      `${url} may not be read${isWeb ? "" : " with these keys"} (${error.code}): check ${isWeb ? "whether its signature has expired, or fetch it into a pipe" : "the policy"}.`,
      {
        cause: error,
      },
    );
  if (error.fatal === null && isPassing(error))
    return new TransientError(
      "csv.unavailable",
      `${url}: ${error.place} answers ${error.code}: give the same command again later.`,
      { cause: error },
    );
  return explainResponse(error);
}

function refuseAddress(url: string): never {
  const { protocol, host, pathname } = URL.parse(url) ?? {};
  // A query may hold a signature, which is not shown.
  const shown = protocol === undefined ? url : `${protocol}//${host}${pathname}`;
  const fetched = /^ftps?:$/.test(protocol ?? "")
    ? "fetch it into a pipe: curl -fsSL URL | pawl load - …"
    : "give a path, - for standard input, https://host/path, or s3://bucket/key";
  throw new PawlError("csv.address", `${shown} cannot be read from where it is: ${fetched}.`);
}
