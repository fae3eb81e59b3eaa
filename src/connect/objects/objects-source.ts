import { assertOptions } from "../../arguments.ts";
import type { Source } from "../../batch/contract.ts";
import { parseObjectAddress } from "./address.ts";
import { ChecksumThreads } from "./compare/checksum-threads.ts";
import type { ObjectEntry } from "./contract.ts";
import { ObjectSelection, SELECTION_OPTIONS, type SelectionOptions } from "./list/selection.ts";
import { ObjectSource } from "./list/source.ts";
import { once, openReader } from "./open-location.ts";

/** Which objects of a location are listed. */
export interface ObjectsOptions extends SelectionOptions {
  /**
   * Where the credentials and the endpoint are found: a profile of `~/.aws/config` and `~/.aws/credentials`, or for `az://` a
   * section of `~/.azure/config`.
   * @default the environment variables of the AWS and Azure tools
   */
  readonly profile?: string;
}

/**
 * The listing of a location as the source of a job: one item for each object, with its `key`, `size`, `modified` and `etag`, but
 * not its bytes. The listing is complete or the job fails. To copy objects with their bytes use `copy`, which has both ends.
 *
 * @param address a folder, `s3://bucket/prefix`, `az://account/container/prefix` or `manifest:urls.csv`
 * @throws PawlError `argument.object`, `argument.text`, `argument.duration` for arguments of another type; `copy.address` for what is
 * not an address; `copy.pattern` for what is not a pattern
 * @example
 * ```ts
 * import { objects } from "pawl/connect/objects";
 *
 * const photos = objects("photos", { include: ["*.jpg"], newer: "7d" });
 * for (const { key, size } of await photos.sample(10)) console.log(key, size);
 * ```
 */
export function objects(address: string, options: ObjectsOptions = {}): Source<ObjectEntry> {
  assertOptions(options, { ...SELECTION_OPTIONS, profile: true }, "objects");
  const location = parseObjectAddress(address);
  const checksums = { threads: new ChecksumThreads(), cache: null };
  const reader = once(() => openReader(location, options.profile ?? null, checksums));
  return new ObjectSource(reader, new ObjectSelection(options));
}
