/**
 * What a place for objects can do: a folder, a bucket, the web. A copy knows its two places only by this.
 */

import type { Json } from "../../store/contract.ts";

/** An object as a listing tells of it: what a chunk of a copy holds, and what is kept of it when it fails. */
export interface ObjectEntry {
  /** Its name below the place, with `/` between folders. A step may give it another one. */
  readonly key: string;
  /** Where it is read: its key in the source, or a URL. Without it the key says so. */
  readonly from?: string;
  /** In bytes; null where only opening it will tell. */
  readonly size: number | null;
  /** Milliseconds since 1970; null where it is not known. */
  readonly modified: number | null;
  /** What its place says of its content: an MD5 in hex, or in S3 that of a multipart upload; null without one. */
  readonly etag: string | null;
  /** Why it cannot be copied, where the listing has shown that. */
  readonly problem?: string;
  /** The target was seen to have it already while it was listed, a moment ago and in this process. */
  readonly seenInTarget?: true;
  /** An MD5 of its content that is known from another time and holds still; a listing keeps none. */
  readonly knownMd5?: string;
}

/** What goes along with the bytes where both places know it. Names are those of HTTP, in lower case. */
export interface ObjectProperties {
  /** `content-type`, `cache-control`, `content-disposition`, `content-encoding`, `content-language`, `expires`. */
  readonly headers: Readonly<Record<string, string>>;
  /** The user's own, without a prefix. */
  readonly metadata: Readonly<Record<string, string>>;
  /** As a query string; null where there are none or the place has no such thing. */
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
  /** Tells this state of it from every later one, for `remove`; null where nothing does. */
  readonly version: string | null;
  /** The bytes from the beginning, once. Throws when fewer come than were announced. */
  body(): AsyncIterable<Uint8Array>;
  /**
   * Fills `into` with the bytes from `offset` on, several at once if need be; absent where the place reads from the beginning
   * only. Throws when the object is no longer the one that was opened.
   */
  range?(offset: number, into: Buffer): Promise<void>;
  /** Keeps the ETag of what was read, of the whole or in parts of so many bytes, where that saves reading it another time. */
  rememberEtag?(etag: string, partBytes: number | null): Promise<void>;
  /** Gives back what reading holds. */
  close(): Promise<void>;
}

/** A page of a listing, in the order of the keys' UTF-8 bytes, and where it goes on; null at the end, and only there. */
export interface ListedPage {
  readonly entries: readonly ObjectEntry[];
  readonly next: string | null;
  /** What proves that the listing of a place with `borders` is complete; absent where nothing needs to. */
  readonly proof?: PageProof;
}

export interface PageProof {
  /** The key before `next`, from which a listing that goes on begins, so that it must come upon `next` once more. */
  readonly before: string | null;
  /** The first key that this stretch saw after where it begins; null where there is none. */
  readonly first: string | null;
  /** At the end of a stretch: the first key that it saw behind its border; null where there is none. */
  readonly beyond: string | null;
}

/** Which part of a listing is asked for. */
export interface ListRange {
  /** The last key that may belong to it; absent or null where it goes to the end. */
  readonly last?: string | null;
  /** Of a listing that goes on: the key before the one from where it does. */
  readonly before?: string | null;
  /** Whether nothing below a folder is wanted, whose key ends in `/`. */
  readonly skips?: (folder: string) => boolean;
}

export interface ObjectReader {
  /** For people, without secrets. */
  readonly name: string;
  /** Throws one sentence where nothing can be listed. */
  check(): Promise<void>;
  /** Changes when the list of what it holds is another one, where that is a file. */
  identity?(): Promise<Json>;
  /**
   * Pages from where an earlier listing stood, null from the beginning. Throws one sentence where what the place lists proves
   * to be incomplete.
   */
  list(from: string | null, signal: AbortSignal, range?: ListRange): AsyncIterable<ListedPage>;
  /**
   * Keys after `from`, in order, at which the rest of a listing may be cut into stretches that are listed at once; absent
   * where a listing goes in one. Each stretch ends with its border as `last`, and the next one goes on from there.
   */
  splitKeys?(from: string, signal: AbortSignal): Promise<readonly string[]>;
  /**
   * Of two stretches side by side: throws one sentence where the second one left out `beyond`, which the first one saw behind
   * the border between them. `first` is the first key that the second one saw.
   */
  assertContiguous?(
    border: string,
    beyond: string | null,
    first: string | null,
    signal: AbortSignal,
  ): Promise<void>;
  open(entry: ObjectEntry): Promise<OpenObject>;
  /** How many bytes the parts have that an object of several parts was uploaded in; null where that is not known. */
  partBytes(entry: ObjectEntry): Promise<number | null>;
  /**
   * The ETag of an object by reading it where it lies: of the whole, or in parts of so many bytes. Absent where that is
   * nothing but opening it.
   */
  etagOf?(entry: ObjectEntry, partBytes: number | null): Promise<string>;
  /** The same where it is known from another time and holds still; null where it is not, or takes longer than a moment. */
  cachedEtag?(entry: ObjectEntry, partBytes: number | null): string | null;
  /** The version in which an object is now, to be compared with the target; null of one that is gone. */
  version(entry: ObjectEntry): Promise<string | null>;
  /**
   * Removes an object of which this version was copied; an object that is gone is not an error. Throws a TransientError where it is another
   * one by now: that stays.
   */
  remove(entry: ObjectEntry, version: string): Promise<void>;
  /** Once it is listed: what a person should know of its objects. */
  notes?(): readonly string[];
  /** What a replay is to try of an entry that has failed, where that is not the same: its problem may be fixed by then. */
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
  /** Whether `complete` wants the MD5 of the whole, which the place keeps with the object. */
  readonly wantsMd5?: true;
  /**
   * `number` counts from 0; parts may be written in any order and at once. The bytes are not kept. Resolves with the MD5
   * that the place has taken of what came; null where it takes none.
   */
  part(number: number, bytes: Buffer): Promise<string | null>;
  /** As `part`, with bytes of the source that the provider copies itself. Resolves with false where it cannot. */
  copyPartOnServer?(number: number, range: ByteRange): Promise<string | null | false>;
  /**
   * Makes the object visible, whole and durable, after the place has confirmed its size and content. `md5` is that of the whole; null
   * where it was not computed.
   */
  complete(size: number, md5: string | null): Promise<void>;
  abort(): Promise<void>;
}

export interface ExistenceCheck {
  /** What there is under some keys. */
  find(keys: readonly string[]): Promise<ReadonlyMap<string, PresentObject>>;
  /** As `look`, with few requests: what it does not tell of may be there all the same. Absent where the check sends no requests. */
  findQuickly?(keys: readonly string[]): Promise<ReadonlyMap<string, PresentObject>>;
}

export interface ObjectWriter {
  readonly name: string;
  /** Makes the place ready; throws one sentence where it cannot serve. Changes nothing in a dry run. */
  prepare(dryRun: boolean): Promise<void>;
  /** Why no object can be called so here; null where it can. */
  nameProblem(key: string): string | null;
  /** Whether an object that cannot be called so stands for nothing here, such as one that marks a folder. */
  isFolderMarker?(entry: ObjectEntry): boolean;
  /**
   * For a caller that asks, in order, what there is: what was seen may be remembered for the next time, but where it is to be looked at
   * again.
   */
  existenceCheck(how?: "fresh"): ExistenceCheck;
  /**
   * An ETag of what is there that takes more than a look: of a file by reading it, whole or in parts of so many bytes; of an
   * object that was uploaded in parts that of what it was copied from; null where there is none.
   */
  etagOf(entry: ObjectEntry, present: PresentObject, partBytes: number | null): Promise<string | null>;
  /** How many bytes a part has where an object of so many is written in parts. */
  partBytes(size: number): number;
  /** Writes a whole object; `md5` is that of `bytes`. When it resolves the object is visible, durable, and confirmed. */
  put(entry: ObjectEntry, bytes: Buffer, md5: string, described: ObjectDetails): Promise<void>;
  /** Whether what it has under the key is the very object of `source`, reached by another way; removing that would lose it. */
  isSource?(source: ObjectReader, entry: ObjectEntry): Promise<boolean>;
  /** Lets the provider copy an object of `source` itself, where both are one provider; false where it cannot. */
  copyOnServer?(source: ObjectReader, entry: ObjectEntry): Promise<boolean>;
  /**
   * Begins an object of many parts. `partBytes` asks for parts as the source has them: the ETag of the source is that of the
   * parts then, and is compared with what `part` tells. `source` is the place that they come
   * from.
   */
  beginUpload(
    entry: ObjectEntry,
    described: ObjectDetails,
    partBytes?: number,
    source?: ObjectReader,
  ): Promise<Upload>;
  /** Clears away what attempts that failed have left behind; after the last object. */
  removeOrphans(): Promise<void>;
  /** Makes what was written safe from a power cut, before a checkpoint says so. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** What a transform is told of an object. */
export interface ObjectInfo {
  readonly key: string;
  readonly contentType: string | null;
}

/** What a transform may return: the bytes, or more; nothing leaves the object out. */
export type Transformed =
  | Uint8Array
  | { readonly bytes: Uint8Array; readonly key?: string; readonly contentType?: string }
  | null
  | undefined;
