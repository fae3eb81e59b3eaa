import { pathToFileURL } from "node:url";
import { assertObject } from "../../arguments.ts";
import type { Sink, Source } from "../../batch/contract.ts";
import { type Duration, milliseconds } from "../../durations.ts";
import { PawlError } from "../../errors.ts";
import { parseObjectAddress } from "./address.ts";
import { ChecksumThreads } from "./compare/checksum-threads.ts";
import { isSameByCache, isSameByListing } from "./compare/same-content.ts";
import type { ObjectEntry, ObjectReader, ObjectWriter } from "./contract.ts";
import { ChecksumCache } from "./files/checksum-cache.ts";
import { foldsCase } from "./files/file-name.ts";
import { ObjectSelection, type SelectionOptions } from "./list/selection.ts";
import { ObjectSource, type TargetCheck } from "./list/source.ts";
import { once, openReader, openWriter } from "./open-location.ts";
import { assertNamedApart, assertReallyApart, locationDifference, locationOf } from "./resolved-location.ts";
import { ObjectSink } from "./transfer/sink.ts";

/** What is copied, from where to where. */
export interface CopyOptions extends SelectionOptions {
  /**
   * A folder (a path or `file:` with one), `s3://bucket/prefix`, `az://account/container/prefix`, or `manifest:urls.csv`: a
   * file of CSV or JSON Lines on this machine with a `url` in each row, and if wanted a `name`, `size` and `md5`.
   */
  readonly from: string;
  /** A folder, `s3://bucket/prefix` or `az://account/container/prefix`. */
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
   * Remove each object from the source once its copy is safe.
   * @default false
   */
  readonly move?: boolean;
  /**
   * The URL or path of a module whose default export gets the bytes of each object and returns those to be written, in
   * processes of its own: `(bytes, { key, contentType }) => bytes`, or `{ bytes, key, contentType }`, or nothing to leave
   * the object out. Objects are held whole for it, up to 128 MB.
   */
  readonly transform?: string;
  /**
   * How long the transform may take for one object.
   * @default "60s"
   */
  readonly transformTimeout?: Duration;
}

/**
 * The two ends of a job that copies objects between folders, S3 and Azure Blob, or from URLs of the web. An object that the
 * target has already, by size and checksum, is left alone; each copy is compared with what its source says of it before it
 * counts. The job's transform may give an entry another `key`, or leave it out.
 *
 * @throws PawlError `copy.address` for an address that is none, `copy.pattern` for a wrong pattern, `copy.within` where one
 * location lies in the other, `copy.move` to move what a manifest names, `argument.duration`
 * @example
 * ```ts
 * import { defineJob, run } from "pawl/batch";
 * import { copy } from "pawl/connect/objects";
 *
 * const ends = copy({ from: "photos", to: "backup", include: ["*.jpg"] });
 * const summary = await run(defineJob({ name: "back up photos", ...ends }));
 * ```
 */
export function copy(options: CopyOptions): { source: Source<ObjectEntry>; sink: Sink<ObjectEntry> } {
  assertObject(options, "The options of copy");
  const [from, to] = [parseObjectAddress(options.from), parseObjectAddress(options.to)];
  assertNamedApart(from, to, options);
  const timeoutMs = milliseconds(options.transformTimeout ?? "60s", "The time limit of a transform");
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
      transform: options.transform === undefined ? null : { module: moduleUrl(options.transform), timeoutMs },
    }),
  };
}

function moduleUrl(module: string): string {
  return URL.canParse(module) ? module : pathToFileURL(module).href;
}

/** Asks a target which objects it has already, while the source is still listed; null where that would send no requests. */
function targetCheck({ reader, writer }: { reader: ObjectReader; writer: ObjectWriter }): TargetCheck | null {
  const existence = writer.existenceCheck();
  const find = existence.findQuickly?.bind(existence);
  if (find === undefined) return null;
  let hasFailed = false;
  return async (entries) => {
    // A target that cannot be asked now is asked again when there is something to be copied, and says then what is wrong.
    const present = hasFailed ? null : await find(entries.map(({ key }) => key)).catch(() => null);
    hasFailed = present === null;
    return entries.map((entry) => {
      const found = present?.get(entry.key);
      if (found === undefined) return false;
      return isSameByListing(entry, found) || isSameByCache(entry, found, reader, writer);
    });
  };
}
