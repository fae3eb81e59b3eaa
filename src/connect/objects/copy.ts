import { pathToFileURL } from "node:url";
import { assertOptions, type OptionNames } from "../../arguments.ts";
import type { Sink, Source } from "../../batch/contract.ts";
import { type Duration, milliseconds } from "../../durations.ts";
import { PawlError } from "../../errors.ts";
import { type ObjectAddress, objectAddressText, parseObjectAddress } from "./address.ts";
import { ChecksumThreads } from "./compare/checksum-threads.ts";
import { isSameByCache, isSameByListing } from "./compare/same-content.ts";
import type { ObjectEntry, ObjectReader, ObjectWriter } from "./contract.ts";
import { ChecksumCache } from "./files/checksum-cache.ts";
import { realPathOf } from "./files/folder-location.ts";
import { ObjectSelection, SELECTION_OPTIONS, type SelectionOptions } from "./list/selection.ts";
import { ObjectSource, type TargetCheck } from "./list/source.ts";
import { foldsCase } from "./names/case-folding.ts";
import { once, openReader, openWriter } from "./open-location.ts";
import { addressDifference, resolveLocation } from "./resolved-location.ts";
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
   * @default none: objects are copied as they are
   */
  readonly transform?: string;
  /**
   * How long the transform may take for one object; a call that takes longer is ended with its process, and the object is
   * quarantined.
   * @default "60s"
   */
  readonly transformTimeout?: Duration;
}

const OPTIONS: OptionNames<CopyOptions> = {
  ...SELECTION_OPTIONS,
  from: true,
  to: true,
  fromProfile: true,
  toProfile: true,
  move: true,
  transform: true,
  transformTimeout: true,
};

/**
 * The two ends of a job that copies objects between folders, S3 and Azure Blob, or from URLs of the web. An object that the
 * target has already, by size and checksum, is left alone; each copy is compared with what its source says of it before it
 * counts. The job's transform may give an entry another `key`, or leave it out.
 *
 * @throws PawlError `argument.object`, `argument.text`, `argument.duration` for options of another type; `copy.address` for what is
 * not an address; `copy.pattern` for what is not a pattern; `copy.within` where one location lies in the other; `copy.move`
 * for a `move` of what a manifest names
 * @example
 * ```ts
 * import { defineJob, run } from "pawl/batch";
 * import { copy } from "pawl/connect/objects";
 *
 * const ends = copy({ from: "photos", to: "backup", include: ["*.jpg"] });
 * const summary = await run(defineJob({ name: "back up photos", ...ends }));
 * console.log(summary.written, summary.unchanged);
 * ```
 */
export function copy(options: CopyOptions): { source: Source<ObjectEntry>; sink: Sink<ObjectEntry> } {
  assertOptions(options, OPTIONS, "copy");
  const [from, to] = [parseObjectAddress(options.from), parseObjectAddress(options.to)];
  assertApartByName(from, to, options);
  const timeoutMs = milliseconds(options.transformTimeout ?? "60s", "The time limit of a transform");
  if (options.move && from.kind === "manifest")
    throw new PawlError(
      "copy.move",
      "What a manifest names can only be read, so that nothing of it is moved: leave out `move`.",
    );
  let cacheFolder = "";
  let locations: { reader: ObjectReader; writer: ObjectWriter } | null = null;
  let isRenaming = options.transform !== undefined;
  let isDryRun = false;
  const checksums = { threads: new ChecksumThreads(), cache: new ChecksumCache(() => cacheFolder) };
  const reader = once(async () => {
    await assertApartInFact(from, to, options);
    return await openReader(from, options.fromProfile ?? null, checksums);
  });
  const foldsNames = async () => to.kind === "files" && (await foldsCase(to.path, !isDryRun));
  return {
    source: new ObjectSource(reader, new ObjectSelection(options), {
      async nameComparison() {
        // Names that a transform gives are compared when it has given them.
        if (!isRenaming && (await foldsNames())) return "folded";
        // A folder or a bucket has each name once; a manifest may give one twice.
        return from.kind === "manifest" ? "exact" : null;
      },
      checkTarget: () => (locations === null ? null : targetCheck(locations)),
    }),
    sink: new ObjectSink({
      reader,
      // A job opens its sink before it lists its source.
      writer: async (context) => {
        cacheFolder = context.cache;
        isRenaming ||= context.transformed;
        isDryRun = context.dryRun;
        const writer = await openWriter(to, options.toProfile ?? null, context, checksums);
        // An object that is moved or transformed is checked when its turn comes.
        if (!options.move && options.transform === undefined) locations = { reader: await reader(), writer };
        return writer;
      },
      identity: async () => ({
        from: await resolveLocation(from, options.fromProfile ?? null),
        to: await resolveLocation(to, options.toProfile ?? null),
      }),
      difference: (before, now) =>
        addressDifference(from, before.from, now.from) ?? addressDifference(to, before.to, now.to),
      foldsNames,
      checksums,
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

type Profiles = Pick<CopyOptions, "fromProfile" | "toProfile">;

/** Throws where the names alone show that one location lies in the other: a copy that finds what it writes would never end. */
function assertApartByName(
  from: ObjectAddress,
  to: ObjectAddress,
  { fromProfile, toProfile }: Profiles,
): void {
  if (from.kind === "s3" && to.kind === "s3" && fromProfile === toProfile) assertApart(from, to);
  if (from.kind === "azure" && to.kind === "azure" && fromProfile === toProfile) assertApart(from, to);
  if (from.kind === "files" && to.kind === "files") assertApart(from, to);
}

/** The same for what another name may hide: a link that leads there, or a second profile of the same provider. */
async function assertApartInFact(
  from: ObjectAddress,
  to: ObjectAddress,
  { fromProfile, toProfile }: Profiles,
): Promise<void> {
  if (from.kind === "files" && to.kind === "files")
    assertApart(from, to, await realPathOf(from.path), await realPathOf(to.path));
  if (fromProfile === toProfile) return;
  const isOneBucket =
    (from.kind === "s3" && to.kind === "s3" && from.bucket === to.bucket) ||
    (from.kind === "azure" && to.kind === "azure" && from.account === to.account);
  if (!isOneBucket) return;
  const [a, b] = [
    await resolveLocation(from, fromProfile ?? null),
    await resolveLocation(to, toProfile ?? null),
  ];
  if ("at" in a && "at" in b && a.at === b.at) assertApart(from, to);
}

function assertApart(
  from: ObjectAddress,
  to: ObjectAddress,
  a = objectAddressText(from),
  b = objectAddressText(to),
): void {
  const [one, other] = [a, b].map((name) => `${name.replace(/\/$/, "")}/`) as [string, string];
  if (!one.startsWith(other) && !other.startsWith(one)) return;
  throw new PawlError(
    "copy.within",
    `One of ${objectAddressText(from)} and ${objectAddressText(to)} lies inside the other: copy to a location outside of it.`,
  );
}
