/**
 * What a location of objects can do: a folder, a bucket, the web. A copy knows its two locations only by these interfaces; each
 * provider implements them in a folder of its own.
 */

import type { Json } from "../../store/contract.ts";

/** An object as a listing shows it: the item of a copy or of `objects()`, and what quarantine keeps when it fails. */
export interface ObjectEntry {
  /** Its name below the location, with `/` between folders. The transform of a job may give it another one. */
  readonly key: string;
  /**
   * Where it is read, whatever its key is: its key in the source, or a URL.
   * @default the key
   */
  readonly from?: string;
  /** Its size in bytes; null where that is known only once the object is opened. */
  readonly size: number | null;
  /** When it was changed last, in milliseconds since 1970; null where that is not known. */
  readonly modified: number | null;
  /**
   * The checksum of its content in the form of an ETag of S3: the MD5 in hex, or of a multipart upload the MD5 of its parts' MD5s
   * and their number, such as `…-3`; null where the location does not tell it.
   */
  readonly etag: string | null;
  /** Why it cannot be copied, where the listing shows that; absent where nothing speaks against it. */
  readonly problem?: string;
  /** That this process has seen, while it listed the source, that the target has it already; absent where it has not. */
  readonly seenInTarget?: true;
  /** The MD5 of its content in hex from the checksum cache, absent where that does not have it; not kept in the stored listing. */
  readonly knownMd5?: string;
}

/** What is copied along with the bytes where both locations know it. Names are those of HTTP, in lower case. */
export interface ObjectProperties {
  /** `content-type`, `cache-control`, `content-disposition`, `content-encoding`, `content-language`, `expires`. */
  readonly headers: Readonly<Record<string, string>>;
  /** The user's own, without a prefix. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Tags as a query string; null where there are none or the location does not know tags. */
  readonly tags: string | null;
}

/** What is known of an object besides its bytes. */
export interface ObjectDetails {
  readonly size: number | null;
  readonly etag: string | null;
  readonly modified: number | null;
  readonly properties: ObjectProperties;
}

/** An object opened for reading. */
export interface OpenObject extends ObjectDetails {
  /** Tells this state from every later one, for `remove`; null where nothing does. */
  readonly version: string | null;
  /** The bytes from the beginning, once. Throws when fewer come than were announced. */
  body(): AsyncIterable<Uint8Array>;
  /**
   * Fills `into` with the bytes from `offset` on, also several ranges at once; absent where objects are read from the beginning
   * only. Throws when the object is no longer the one that was opened.
   */
  range?(offset: number, into: Buffer): Promise<void>;
  /** Keeps the ETag of what was read, of the whole or of parts of so many bytes, in the checksum cache. */
  rememberEtag?(etag: string, partBytes: number | null): Promise<void>;
  /** Frees the connection or the file. */
  close(): Promise<void>;
}

/** A page of a listing, in the order of the keys' UTF-8 bytes, and where the next page begins; null at the end, and only there. */
export interface ListedPage {
  readonly entries: readonly ObjectEntry[];
  readonly next: string | null;
  /** What proves that a listing that was split by `splitKeys` is complete; absent where it cannot be split. */
  readonly proof?: PageProof;
}

export interface PageProof {
  /** The key before `next`: a listing that is continued begins there, so that it must find `next` again. */
  readonly before: string | null;
  /** The first key of this key range; null where there is none. */
  readonly first: string | null;
  /** At the end of a key range: the first key after its last one; null where there is none. */
  readonly beyond: string | null;
}

/** Which part of a listing is asked for. */
export interface ListRange {
  /** The last key that may belong to it; absent or null where the range has no end. */
  readonly last?: string | null;
  /** Of a listing that is continued: the key before the one where it continues. */
  readonly before?: string | null;
  /** Whether nothing below a folder is wanted, whose key ends in `/`. */
  readonly skips?: (folder: string) => boolean;
}

/** A location that objects are read from. */
export interface ObjectReader {
  /** For people, without secrets. */
  readonly name: string;
  /** Throws an error with one sentence where nothing can be listed. */
  check(): Promise<void>;
  /** Changes when the manifest names other objects; absent where a location is not a manifest. */
  identity?(): Promise<Json>;
  /**
   * The pages after the position of an earlier page; null begins at the beginning. Throws an error with one sentence where the
   * listing proves to be incomplete.
   */
  list(from: string | null, signal: AbortSignal, range?: ListRange): AsyncIterable<ListedPage>;
  /**
   * Keys after `from`, in order, at which the rest of a listing may be split into key ranges that are listed at once; absent
   * where a listing cannot be split. Each range ends with such a key as its `last`, and the next one begins after it.
   */
  splitKeys?(from: string, signal: AbortSignal): Promise<readonly string[]>;
  /**
   * Of two key ranges side by side: throws an error with one sentence where the second one left out `beyond`, which the first
   * one saw after the border between them. `first` is the first key of the second one.
   */
  assertContiguous?(
    border: string,
    beyond: string | null,
    first: string | null,
    signal: AbortSignal,
  ): Promise<void>;
  /** Opens an object for reading. */
  open(entry: ObjectEntry): Promise<OpenObject>;
  /** The size of the parts in which an object was uploaded; null where that is not known. */
  partBytes(entry: ObjectEntry): Promise<number | null>;
  /**
   * The ETag of an object by reading it, of the whole or of parts of so many bytes. Absent where opening it is as
   * fast.
   */
  etagOf?(entry: ObjectEntry, partBytes: number | null): Promise<string>;
  /** The same from the checksum cache; null where it does not have it, or the disk is slow. */
  cachedEtag?(entry: ObjectEntry, partBytes: number | null): string | null;
  /** The present version of an object, to be compared with the target; null of one that is gone. */
  version(entry: ObjectEntry): Promise<string | null>;
  /**
   * Removes an object of which this version was copied; an object that is gone is not an error. Throws a TransientError where it
   * has another version by now, which stays.
   */
  remove(entry: ObjectEntry, version: string): Promise<void>;
  /** What a person should know of the objects, once they are listed. */
  notes?(): readonly string[];
  /** The entry that a replay of a failed one tries, where that is not the same: its problem may be fixed by then. */
  forReplay?(entry: ObjectEntry): ObjectEntry;
  /** Where an entry is, for people. */
  where(entry: ObjectEntry): string;
  close(): Promise<void>;
}

/** What a target has under a key. */
export interface PresentObject {
  readonly size: number;
  readonly etag: string | null;
}

/** Bytes of an object. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** An object that is being written in parts; it is not visible before `complete`. */
export interface Upload {
  /** How many bytes a part has, but for the last. */
  readonly partBytes: number;
  /** Whether `complete` wants the MD5 of the whole, which the service keeps with the object. */
  readonly wantsMd5?: true;
  /**
   * `number` counts from 0; parts may be written in any order and at once. The bytes are not kept. Resolves with the MD5
   * that the service has computed of what came; null where it computes none.
   */
  part(number: number, bytes: Buffer): Promise<string | null>;
  /** As `part`, with bytes of the source that the service copies itself. Resolves with false where it cannot. */
  copyPartOnServer?(number: number, range: ByteRange): Promise<string | null | false>;
  /**
   * Makes the object visible, whole and durable, after the service has confirmed its size and content. `md5` is that of the whole; null
   * where it was not computed.
   */
  complete(size: number, md5: string | null): Promise<void>;
  abort(): Promise<void>;
}

/** Tells which keys a target has. */
export interface ExistenceCheck {
  /** The objects under some keys; keys without an object are left out. */
  find(keys: readonly string[]): Promise<ReadonlyMap<string, PresentObject>>;
  /** The same with few requests: an object that it leaves out may exist. Absent where `find` sends no requests. */
  findQuickly?(keys: readonly string[]): Promise<ReadonlyMap<string, PresentObject>>;
}

/** A location that objects are written to. */
export interface ObjectWriter {
  /** For people, without secrets. */
  readonly name: string;
  /** Makes the location ready; throws an error with one sentence where it cannot serve. Changes nothing in a dry run. */
  prepare(dryRun: boolean): Promise<void>;
  /** Why an object cannot have this name here; null where it can. */
  nameProblem(key: string): string | null;
  /** Whether an object only marks a folder, so that it needs no copy here. */
  isFolderMarker?(entry: ObjectEntry): boolean;
  /**
   * For callers that ask for keys in order. What a check has seen may be kept for the next one, unless that must be `fresh`.
   */
  existenceCheck(how?: "fresh"): ExistenceCheck;
  /**
   * The ETag of a present object where the check does not tell it: of a file by reading it, whole or in parts of so many bytes; of
   * an object that was uploaded in parts that of what it was copied from; null where there is none.
   */
  etagOf(entry: ObjectEntry, present: PresentObject, partBytes: number | null): Promise<string | null>;
  /** The size of the parts in which an object of this size is written. */
  partBytes(size: number): number;
  /** Writes a whole object; `md5` is that of `bytes`. When it resolves the object is visible, durable, and confirmed. */
  put(entry: ObjectEntry, bytes: Buffer, md5: string, details: ObjectDetails): Promise<void>;
  /** Whether its object under the key is the very object of `source`, reached by another path: removing that would lose it. */
  isSource?(source: ObjectReader, entry: ObjectEntry): Promise<boolean>;
  /** Lets the service copy an object of `source` itself, where both are of one service; false where it cannot. */
  copyOnServer?(source: ObjectReader, entry: ObjectEntry): Promise<boolean>;
  /**
   * Begins an object of many parts. `partBytes` asks for parts as the source has them: the ETag of the source is that of the
   * parts then, and is compared with what `part` tells. `source` is where they come from.
   */
  beginUpload(
    entry: ObjectEntry,
    details: ObjectDetails,
    partBytes?: number,
    source?: ObjectReader,
  ): Promise<Upload>;
  /** Removes what failed attempts have left behind; called after the last object. */
  removeOrphans(): Promise<void>;
  /** Makes what was written safe from a power cut, before its checkpoint is stored. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** What the module that `copy` takes as its `transform` is told of an object besides its bytes. */
export interface ObjectInfo {
  /** Its name below the source, with `/` between folders. */
  readonly key: string;
  /** As the source says, else as the end of its name suggests; null where neither does. */
  readonly contentType: string | null;
}

/**
 * What such a module may return for an object: the new bytes, with another name (`key`) or content type where they should change.
 * `null` or nothing leaves the object out, which counts as skipped.
 *
 * @example
 * ```ts
 * import type { ObjectInfo, Transformed } from "pawl/connect/objects";
 *
 * export default function upperCase(bytes: Uint8Array, { key }: ObjectInfo): Transformed {
 *   if (!key.endsWith(".txt")) return null;
 *   const text = Buffer.from(bytes).toString("utf8");
 *   return { bytes: Buffer.from(text.toUpperCase()), key: `upper/${key}` };
 * }
 * ```
 */
export type Transformed =
  | Uint8Array
  | { readonly bytes: Uint8Array; readonly key?: string; readonly contentType?: string }
  | null
  | undefined;
