import { TransientError } from "../../errors.ts";
import { ATTEMPTS, retryRequest } from "./http/retry-request.ts";

/** Bytes that are asked for at once where an object is read in ranges. */
const RANGE_BYTES = 1024 * 1024;

/** One object of a bucket or of the web that another floor reads, all of it in the version that was opened. */
export interface RemoteObject {
  readonly size: number | null;
  /** With `modified` it tells this version from others; null where the server sends none. */
  readonly etag: string | null;
  /** Milliseconds since 1970. */
  readonly modified: number | null;
  /**
   * The bytes from the beginning, once, across connections that break. Throws the TransientError `copy.changed`, or a
   * ResponseError with status 412, where the object has another version by now.
   */
  bytes(): AsyncIterable<Buffer>;
  close(): Promise<void>;
}

/** Opens an object of S3 with the settings of the environment. */
export async function openBucketObject(bucket: string, key: string): Promise<RemoteObject> {
  const [{ S3Client }, { S3Reader }, { s3SettingsOf }] = await Promise.all([
    import("./s3/client.ts"),
    import("./s3/reader.ts"),
    import("./s3/settings.ts"),
  ]);
  const client = await S3Client.open(bucket, await s3SettingsOf(null));
  const reader = new S3Reader(`s3://${bucket}`, "", client);
  // Without a size it is opened for reading in ranges.
  const entry = { key, size: null, modified: null, etag: null };
  const object = await retryRequest(() => reader.open(entry));
  const { size, etag, modified } = object;
  return {
    size,
    etag,
    modified,
    bytes: () => inRanges((offset, into) => object.range(offset, into), size ?? 0),
    close: async () => {
      await object.close();
      await reader.close();
    },
  };
}

/** Opens what a URL of the web names. */
export async function openWebObject(url: URL): Promise<RemoteObject> {
  const { openUrl } = await import("./web/object.ts");
  const entry = { key: url.pathname, size: null, modified: null, etag: null };
  const object = await retryRequest(() => openUrl(url, entry));
  const { size, serverEtag: etag, modified } = object;
  const bytes = async function* (): AsyncGenerator<Buffer> {
    let given = 0;
    for await (const piece of object.body(ATTEMPTS)) {
      given += piece.length;
      if (size !== null && given > size) break;
      yield Buffer.from(piece.buffer, piece.byteOffset, piece.length);
    }
    if (size !== null && given !== size)
      throw new TransientError("copy.truncated", `${given} bytes came where ${size} were announced`);
  };
  return { size, etag, modified, bytes, close: () => object.close() };
}

/** The bytes of an object that can be read in ranges; the next range comes while one is used. */
async function* inRanges(
  range: (offset: number, into: Buffer) => Promise<void>,
  size: number,
): AsyncGenerator<Buffer> {
  const next = (at: number) => {
    const into = Buffer.allocUnsafe(Math.min(RANGE_BYTES, size - at));
    const reading = retryRequest(() => range(at, into)).then(() => into);
    // It is awaited when its turn comes; a reader that stops before must not leave an unhandled rejection behind.
    reading.catch(() => {});
    return reading;
  };
  let coming = size > 0 ? next(0) : null;
  for (let at = 0; coming !== null; ) {
    const bytes = await coming;
    at += bytes.length;
    coming = at < size ? next(at) : null;
    yield bytes;
  }
}
