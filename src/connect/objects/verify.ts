import { pMapIterable } from "p-map";
import { assertObject } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import { parseObjectAddress } from "./address.ts";
import { ChecksumThreads } from "./compare/checksum-threads.ts";
import { isMd5 } from "./compare/etag.ts";
import { etagByReading } from "./compare/same-content.ts";
import type { ObjectEntry, ObjectReader } from "./contract.ts";
import { retryRequest } from "./http/retry-request.ts";
import { compareKeys } from "./list/key-order.ts";
import { ObjectSelection, type SelectionOptions } from "./list/selection.ts";
import { openReader } from "./open-location.ts";

/** Which two locations are compared. */
export interface VerifyOptions extends SelectionOptions {
  /** The location that the other one is compared with: a folder, `s3://bucket/prefix` or `az://account/container/prefix`. */
  readonly from: string;
  /** The location that should have the same objects, written as `from`. */
  readonly to: string;
  /**
   * Where the credentials and the endpoint of `from` are found: a profile of `~/.aws/config` and `~/.aws/credentials`, or for
   * `az://` a section of `~/.azure/config`.
   * @default the environment variables of the AWS and Azure tools
   */
  readonly fromProfile?: string;
  /**
   * The same for `to`.
   * @default the environment variables of the AWS and Azure tools
   */
  readonly toProfile?: string;
  /**
   * How many objects are compared at once.
   * @default 8
   */
  readonly concurrency?: number;
  /**
   * Ends the comparison; the iteration rejects with the signal's reason then.
   * @default a signal that never fires
   */
  readonly signal?: AbortSignal;
}

/** How an object compares on both sides. */
export interface VerifiedObject {
  /** Its name below both locations, with `/` between folders. */
  readonly key: string;
  /**
   * `same`: size and checksum are equal; `differs`: one of them is not; `missing`: only `from` has it; `extra`: only `to` has it;
   * `unreadable`: it could not be compared.
   */
  readonly result: "same" | "missing" | "extra" | "differs" | "unreadable";
  /** For people: what differs; null where there is nothing to say. */
  readonly detail: string | null;
  /** Its size in `from`, in bytes; of an extra object that in `to`; 0 where the size is not known. */
  readonly bytes: number;
}

interface ObjectPair {
  readonly from: ObjectEntry | null;
  readonly to: ObjectEntry | null;
}

/**
 * Compares two locations object by object, by size and checksum, in the order of the keys. Where a side has no checksum its
 * objects are read. Neither listing is held in memory.
 *
 * @throws PawlError when the iteration begins: `argument.object`, `argument.text`, `argument.duration` for options of another type;
 * `copy.address` for what is not an address; `copy.pattern` for what is not a pattern; `copy.verify` for a manifest; `copy.no-folder`,
 * `bucket.refused`, `s3.credentials`, `azure.credentials` for a location that cannot be listed. While it goes through the objects:
 * `copy.verify` for a location that lists in another order than that of the keys' bytes, `bucket.listing` for a listing that is not
 * complete
 * @example
 * ```ts
 * import { verify } from "pawl/connect/objects";
 *
 * for await (const { key, result } of verify({ from: "photos", to: "backup" }))
 *   if (result !== "same") console.log(key, result);
 * ```
 */
export async function* verify(options: VerifyOptions): AsyncGenerator<VerifiedObject, void, undefined> {
  assertObject(options, "The options of verify");
  const { signal = new AbortController().signal, concurrency = 8 } = options;
  const selection = new ObjectSelection(options);
  const [first, second] = [parseObjectAddress(options.from), parseObjectAddress(options.to)];
  if (first.kind === "manifest" || second.kind === "manifest")
    throw new PawlError(
      "copy.verify",
      "A manifest says nothing about content: verify compares folders and buckets.",
    );
  // What was known before is not what is there.
  const checksums = { threads: new ChecksumThreads(), cache: null };
  const [from, to] = await Promise.all([
    openReader(first, options.fromProfile ?? null, checksums),
    openReader(second, options.toProfile ?? null, checksums),
  ]);
  try {
    await from.check();
    await to.check();
    const pairs = paired(inOrder(from, selection, signal), inOrder(to, selection, signal));
    yield* pMapIterable(pairs, (pair) => comparePair(pair, from, to, signal), {
      concurrency,
      backpressure: concurrency * 4,
    });
  } finally {
    await from.close();
    await to.close();
    await checksums.threads.close();
  }
}

/** The chosen objects of a location, in order; throws where its listing is in another order. */
async function* inOrder(
  reader: ObjectReader,
  selection: ObjectSelection,
  signal: AbortSignal,
): AsyncGenerator<ObjectEntry, void, undefined> {
  const skips = (folder: string) => selection.skips(folder);
  let last: string | null = null;
  for await (const { entries } of reader.list(null, signal, { skips })) {
    for (const entry of entries) {
      if (last !== null && compareKeys(entry.key, last) <= 0)
        throw new PawlError(
          "copy.verify",
          `${reader.name} lists ${entry.key} after ${last}, in another order than that of their bytes, so that two locations cannot be compared in one pass: verify folder by folder.`,
        );
      last = entry.key;
      if (selection.includes(entry)) yield entry;
    }
  }
}

/** A folder of one side that cannot be read: what the other side has there can be compared with nothing. */
class UnreadableFolder {
  #folder: ObjectEntry | null = null;

  /** The same entry, or what it is where it lies in such a folder. */
  of(entry: ObjectEntry): ObjectEntry {
    const { key, problem } = this.#folder ?? {};
    return key !== undefined && problem !== undefined && entry.key.startsWith(key)
      ? { ...entry, problem: `of the other side ${problem}` }
      : entry;
  }

  note(entry: ObjectEntry): void {
    if (entry.problem !== undefined && entry.key.endsWith("/")) this.#folder = entry;
  }
}

async function* paired(
  from: AsyncGenerator<ObjectEntry, void, undefined>,
  to: AsyncGenerator<ObjectEntry, void, undefined>,
): AsyncGenerator<ObjectPair, void, undefined> {
  const [here, there] = [new UnreadableFolder(), new UnreadableFolder()];
  let [a, b] = [await from.next(), await to.next()];
  while (!a.done || !b.done) {
    const order = a.done ? 1 : b.done ? -1 : Buffer.from(a.value.key).compare(Buffer.from(b.value.key));
    const one = order <= 0 && !a.done ? a.value : null;
    const other = order >= 0 && !b.done ? b.value : null;
    if (one !== null) here.note(one);
    if (other !== null) there.note(other);
    yield {
      from: one === null ? null : there.of(one),
      to: other === null ? null : here.of(other),
    };
    if (order <= 0) a = await from.next();
    if (order >= 0) b = await to.next();
  }
}

async function comparePair(
  { from, to }: ObjectPair,
  first: ObjectReader,
  second: ObjectReader,
  signal: AbortSignal,
): Promise<VerifiedObject> {
  if (from === null || to === null) {
    const { key, size, problem } = (from ?? to) as ObjectEntry;
    if (problem !== undefined) return { key, result: "unreadable", detail: problem, bytes: size ?? 0 };
    return { key, result: from === null ? "extra" : "missing", detail: null, bytes: size ?? 0 };
  }
  const { key } = from;
  const bytes = from.size ?? 0;
  const problem = from.problem ?? to.problem;
  if (problem !== undefined) return { key, result: "unreadable", detail: problem, bytes };
  if (from.size !== to.size)
    return { key, result: "differs", detail: `${from.size} bytes and ${to.size} bytes`, bytes };
  if (from.etag !== null && from.etag === to.etag) return { key, result: "same", detail: null, bytes };
  try {
    const [a, b] = await Promise.all([md5Of(from, first, signal), md5Of(to, second, signal)]);
    if (a === b) return { key, result: "same", detail: null, bytes };
    return { key, result: "differs", detail: `the checksums are ${a} and ${b}`, bytes };
  } catch (error) {
    signal.throwIfAborted();
    return {
      key,
      result: "unreadable",
      detail: error instanceof Error ? error.message : String(error),
      bytes,
    };
  }
}

async function md5Of(entry: ObjectEntry, reader: ObjectReader, signal: AbortSignal): Promise<string> {
  if (isMd5(entry.etag)) return entry.etag;
  return await retryRequest(() => etagByReading(entry, reader, null), signal);
}
