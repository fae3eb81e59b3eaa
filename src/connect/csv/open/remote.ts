import { ItemError, PawlError, TransientError } from "../../../errors.ts";
import { isWebUrl } from "../../../url-scheme.ts";
import { assertBucketName } from "../../objects/address.ts";
import { explainResponse, ResponseError } from "../../objects/http/response-error.ts";
import {
  isChangedObject,
  openBucketObject,
  openWebObject,
  type RemoteObject,
} from "../../objects/remote-object.ts";
import type { PlannedFile } from "./planned-file.ts";
import { refuseChanged } from "./read-blocks.ts";
import { fullUrl } from "./redacted-path.ts";

/** The object as it is now. Errors: `csv.missing`, `csv.permission`, `csv.address`, those of `connect/objects`. */
export async function remoteVersion(url: string): Promise<PlannedFile> {
  const { size, etag, modified, close } = await opened(url);
  await close();
  if (size === null)
    throw new PawlError("csv.address", `${url} does not say how long it is: copy it to a file first.`);
  return { path: url, name: url, pipe: false, member: null, etag, size, mtimeMs: modified ?? 0 };
}

/** The bytes of an object that is the one that was planned. Errors: `csv.changed`, those of `remoteVersion`. */
export async function* remoteBytes(file: PlannedFile): AsyncGenerator<Buffer> {
  const object = await opened(file.path);
  try {
    const { size, etag, modified } = object;
    if (size !== file.size || etag !== file.etag || (modified ?? 0) !== file.mtimeMs)
      refuseChanged(file.name);
    yield* object.bytes();
  } catch (error) {
    if (isChangedObject(error)) refuseChanged(file.name);
    throw explained(error, file.name);
  } finally {
    await object.close();
  }
}

async function opened(url: string): Promise<RemoteObject> {
  try {
    return isWebUrl(url) ? await openedOfWeb(url) : await openedOfBucket(url);
  } catch (error) {
    throw explained(error, url);
  }
}

async function openedOfBucket(url: string): Promise<RemoteObject> {
  const [, bucket = "", key = ""] = /^s3:\/\/([^/]*)\/?(.*)$/is.exec(url) ?? refuseAddress(url);
  if (bucket !== "") assertBucketName(bucket);
  if (bucket === "" || key === "" || key.endsWith("/"))
    throw new PawlError("csv.address", `${url} does not name an object: write s3://bucket/path/file.csv.`);
  return await openBucketObject(bucket, key);
}

/** What a URL names. An object whose later versions could not be distinguished from this one is refused. */
async function openedOfWeb(shown: string): Promise<RemoteObject> {
  const object = await openWebObject(fullUrl(shown));
  const { size, modified, etag } = object;
  if (size !== null && (modified !== null || etag !== null)) return object;
  await object.close();
  const what = size === null ? "how long it is" : "when it has changed (neither ETag nor Last-Modified)";
  throw new PawlError(
    "csv.address",
    `${shown} does not say ${what}: fetch it into a pipe: curl -fsSL URL | pawl load - ….`,
  );
}

function explained(error: unknown, url: string): unknown {
  // An `ItemError` quarantines one object of a copy; a load has only this one, and without it no rows.
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
  if (error.fatal === null && error.isTransient)
    return new TransientError(
      "csv.unavailable",
      `${url}: ${error.server} answers ${error.code}: give the same command again later.`,
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
