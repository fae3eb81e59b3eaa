import { tmpdir } from "node:os";
import type { SinkContext } from "../../batch/contract.ts";
import { PawlError } from "../../errors.ts";
import { type ObjectAddress, objectAddressText } from "./address.ts";
import { azureClientOf } from "./azure/place.ts";
import { AzureReader } from "./azure/reader.ts";
import { AzureWriter } from "./azure/writer.ts";
import type { ObjectReader, ObjectWriter } from "./contract.ts";
import type { FileChecksums } from "./files/file-etag.ts";
import { FileReader } from "./files/reader.ts";
import { FileWriter } from "./files/writer.ts";
import { clientOf } from "./s3/place.ts";
import { S3Reader } from "./s3/reader.ts";
import { S3Writer } from "./s3/writer.ts";

/** Opens a place for reading; a profile is one of `~/.aws/config` or `~/.azure/config`, null takes the environment. */
export async function openReader(
  address: ObjectAddress,
  profile: string | null,
  sums: FileChecksums,
): Promise<ObjectReader> {
  if (address.kind === "files") return new FileReader(address.path, tmpdir(), sums);
  if (address.kind === "manifest") {
    // A list is rare, and brings all that reads CSV along.
    const { WebReader } = await import("./web/reader.ts");
    return new WebReader(address.path);
  }
  if (address.kind === "azure") {
    const place = { ...address, profile };
    return new AzureReader(place, await azureClientOf(place));
  }
  const place = { ...address, profile };
  return new S3Reader(place, await clientOf(place));
}

/** Opens a place for a run that writes to it. */
export async function openWriter(
  address: ObjectAddress,
  profile: string | null,
  { run, folder }: Pick<SinkContext, "run" | "folder">,
  sums: FileChecksums,
): Promise<ObjectWriter> {
  if (address.kind === "files") return new FileWriter(address.path, { run, kept: folder }, sums);
  if (address.kind === "manifest") {
    throw new PawlError(
      "copy.address",
      `${objectAddressText(address)} can only be read: copy to a folder, s3://bucket/prefix or az://account/container/prefix.`,
    );
  }
  if (address.kind === "azure") {
    const place = { ...address, profile };
    return new AzureWriter(place, await azureClientOf(place), sums.threads);
  }
  const place = { ...address, profile };
  return new S3Writer(place, await clientOf(place), { folder, checksums: sums.threads });
}
