import { TransientError } from "../../errors.ts";
import { type ObjectAddress, objectAddressText } from "./address.ts";
import type { ListedPage, ObjectEntry, OpenObject } from "./contract.ts";
import { ResponseError } from "./http/response-error.ts";
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

/** An object that is read in ranges, all of them of the version that was opened. */
export interface RangedObject extends RemoteObject {
  readonly size: number;
  /**
   * Fills `into` with the bytes from `offset` on, also several ranges at once; repeated where that may help. Throws as `bytes` does
   * where the object has another version by now.
   */
  range(offset: number, into: Buffer): Promise<void>;
}

/** Whether an error says that an object has another version than the one that was opened. */
export function isChangedObject(error: unknown): boolean {
  return error instanceof ResponseError
    ? error.status === 412
    : error instanceof TransientError && error.code === "copy.changed";
}

/** Reads a range again where that may help, which it does not where the object has changed. */
async function retryRange(
  range: (offset: number, into: Buffer) => Promise<void>,
  offset: number,
  into: Buffer,
): Promise<void> {
  const changed = await retryRequest(async () => {
    try {
      await range(offset, into);
      return null;
    } catch (error) {
      if (!isChangedObject(error)) throw error;
      return error;
    }
  });
  if (changed !== null) throw changed;
}

/** A bucket or a container that another floor reads objects of. */
export interface RemoteBucket {
  /** For people, without secrets. */
  readonly name: string;
  /**
   * The objects below a prefix, which is empty or ends in `/`, some at a time, with their whole keys in the order of their UTF-8
   * bytes. Throws one sentence where the listing proves to be incomplete.
   */
  list(prefix: string, signal: AbortSignal): AsyncIterable<readonly ObjectEntry[]>;
  open(key: string): Promise<RangedObject>;
  close(): Promise<void>;
}

/** Opens a bucket or a container for reading; a profile is one of `~/.aws/config` or `~/.azure/config`, null takes the environment. */
export async function openRemoteBucket(
  address: Extract<ObjectAddress, { readonly kind: "s3" | "azure" }>,
  profile: string | null,
): Promise<RemoteBucket> {
  const readerOf = await readersOf(address, profile);
  const whole = readerOf("");
  const name = objectAddressText({ ...address, prefix: "" });
  return {
    name,
    async *list(prefix, signal) {
      const reader = readerOf(prefix);
      await reader.check();
      for await (const { entries } of reader.list(null, signal))
        yield entries.map((entry) => ({ ...entry, key: prefix + entry.key }));
    },
    async open(key) {
      // Without a size it is opened for reading in ranges.
      const entry = { key, size: null, modified: null, etag: null };
      const object = await retryRequest(() => whole.open(entry));
      const { size, etag, modified } = object;
      if (size === null) {
        await object.close();
        throw new TransientError("bucket.not-confirmed", `${name} does not say how long ${key} is`);
      }
      const range = (offset: number, into: Buffer) =>
        retryRange((from, bytes) => object.range(from, bytes), offset, into);
      return { size, etag, modified, range, bytes: () => inRanges(range, size), close: () => object.close() };
    },
    close: () => whole.close(),
  };
}

interface BucketObjectOpener {
  list(from: null, signal: AbortSignal): AsyncIterable<ListedPage>;
  check(): Promise<void>;
  close(): Promise<void>;
  open(entry: ObjectEntry): Promise<OpenObject & { range(offset: number, into: Buffer): Promise<void> }>;
}

/** What reads below a prefix, over one client for all prefixes. */
async function readersOf(
  address: Extract<ObjectAddress, { readonly kind: "s3" | "azure" }>,
  profile: string | null,
): Promise<(prefix: string) => BucketObjectOpener> {
  const nameOf = (prefix: string) => objectAddressText({ ...address, prefix });
  if (address.kind === "azure") {
    const [{ AzureClient }, { AzureReader }, { azureSettingsOf }] = await Promise.all([
      import("./azure/client.ts"),
      import("./azure/reader.ts"),
      import("./azure/settings.ts"),
    ]);
    const client = new AzureClient(address.container, await azureSettingsOf(address.account, profile));
    return (prefix) => new AzureReader(nameOf(prefix), prefix, client);
  }
  const [{ S3Client }, { S3Reader }, { s3SettingsOf }] = await Promise.all([
    import("./s3/client.ts"),
    import("./s3/reader.ts"),
    import("./s3/settings.ts"),
  ]);
  const client = await S3Client.open(address.bucket, await s3SettingsOf(profile));
  return (prefix) => new S3Reader(nameOf(prefix), prefix, client);
}

/** Opens what a URL of the web names for reading in ranges; null where the server gives none. */
export async function openRangedUrl(url: URL): Promise<RangedObject | null> {
  const { RangedWebObject } = await import("./web/ranged-object.ts");
  const object = await retryRequest(() => RangedWebObject.open(url));
  if (object === null) return null;
  const { size, etag, modified } = object;
  const range = (offset: number, into: Buffer) =>
    retryRange((from, bytes) => object.range(from, bytes), offset, into);
  return { size, etag, modified, range, bytes: () => inRanges(range, size), close: async () => {} };
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
