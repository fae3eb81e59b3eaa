import { pathToFileURL } from "node:url";
import { assertObject } from "../../arguments.ts";
import type { Sink, Source } from "../../batch/contract.ts";
import { PawlError } from "../../errors.ts";
import { parseObjectAddress } from "./address.ts";
import { ChecksumThreads } from "./compare/checksum-threads.ts";
import { isSameByCache, isSameByListing } from "./compare/same-content.ts";
import type { ObjectEntry, ObjectReader, ObjectWriter } from "./contract.ts";
import { ChecksumCache } from "./files/checksum-cache.ts";
import { foldsCase } from "./files/file-name.ts";
import { ObjectSelection, type SelectionOptions } from "./list/selection.ts";
import { ObjectSource, type TargetCheck } from "./list/source.ts";
import { assertNamedApart, assertReallyApart, locationDifference, locationOf } from "./location.ts";
import { openReader, openWriter } from "./open.ts";
import { ObjectSink } from "./transfer/sink.ts";

export interface CopyOptions extends SelectionOptions {
  /** A folder, `s3://bucket/prefix`, `az://account/container/prefix`, or `manifest:urls.csv`. */
  readonly from: string;
  /** A folder, `s3://bucket/prefix` or `az://account/container/prefix`. */
  readonly to: string;
  /** Profiles of `~/.aws/config`, or for `az://` sections of `~/.azure/config`, for either side. Default: the environment. */
  readonly fromProfile?: string;
  readonly toProfile?: string;
  /** Remove each object from the source once its copy is safe. */
  readonly move?: boolean;
  /**
   * The URL or path of a module whose default export gets the bytes of each object and returns those to be written, in
   * processes of its own: `(bytes, { key, contentType }) => bytes`, or `{ bytes, key, contentType }`, or nothing to leave
   * the object out.
   */
  readonly transform?: string;
  /** How long the transform may take for one object, in milliseconds; default 60,000. */
  readonly transformTimeoutMs?: number;
}

/**
 * The two ends of a job that copies objects: `defineJob({ name, ...copy({ from, to }) })`. A step may give an entry another
 * key, or leave it out.
 */
export function copy(options: CopyOptions): { source: Source<ObjectEntry>; sink: Sink<ObjectEntry> } {
  assertObject(options, "The options of copy");
  const [from, to] = [parseObjectAddress(options.from), parseObjectAddress(options.to)];
  assertNamedApart(from, to, options);
  if (options.move && from.kind === "manifest")
    throw new PawlError("copy.move", "What a manifest names can only be read: leave out --move.");
  let cacheFolder = "";
  let places: { reader: ObjectReader; writer: ObjectWriter } | null = null;
  const sums = { threads: new ChecksumThreads(), cache: new ChecksumCache(() => cacheFolder) };
  const reader = once(async () => {
    await assertReallyApart(from, to, options);
    return await openReader(from, options.fromProfile ?? null, sums);
  });
  return {
    source: new ObjectSource(reader, new ObjectSelection(options), {
      async repeats() {
        if (to.kind === "files" && (await foldsCase(to.path))) return "folded";
        // A folder or a bucket has each name once; a list may name one twice.
        return from.kind === "manifest" ? "key" : null;
      },
      checkTarget: () => (places === null ? null : targetCheck(places)),
    }),
    sink: new ObjectSink({
      reader,
      writer: async (context) => {
        cacheFolder = context.cache;
        const writer = await openWriter(to, options.toProfile ?? null, context, sums);
        // An object that is moved or transformed is checked when its turn comes.
        if (!options.move && options.transform === undefined) places = { reader: await reader(), writer };
        return writer;
      },
      identity: async () => ({
        from: await locationOf(from, options.fromProfile ?? null),
        to: await locationOf(to, options.toProfile ?? null),
      }),
      difference: (before, now) =>
        locationDifference(from, before.from, now.from) ?? locationDifference(to, before.to, now.to),
      sums,
      move: options.move ?? false,
      transform:
        options.transform === undefined
          ? null
          : { module: moduleUrl(options.transform), timeoutMs: options.transformTimeoutMs ?? 60_000 },
    }),
  };
}

function moduleUrl(module: string): string {
  return URL.canParse(module) ? module : pathToFileURL(module).href;
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | null = null;
  return () => {
    made ??= make();
    return made;
  };
}

/** Asks a target for what it has already, while the source is still being listed; null where that would send no requests. */
function targetCheck({ reader, writer }: { reader: ObjectReader; writer: ObjectWriter }): TargetCheck | null {
  const lookout = writer.existenceCheck();
  const glance = lookout.findQuickly?.bind(lookout);
  if (glance === undefined) return null;
  let isOver = false;
  return async (entries) => {
    // What cannot be asked now is asked again when there is something to be copied, and says then what is wrong.
    const present = isOver ? null : await glance(entries.map(({ key }) => key)).catch(() => null);
    isOver = present === null;
    return entries.map((entry) => {
      const found = present?.get(entry.key);
      if (found === undefined) return false;
      return isSameByListing(entry, found) || isSameByCache(entry, found, reader, writer);
    });
  };
}
