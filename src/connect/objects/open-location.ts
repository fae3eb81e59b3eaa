import { tmpdir } from "node:os";
import type { SinkContext } from "../../batch/contract.ts";
import { PawlError } from "../../errors.ts";
import { type ObjectAddress, objectAddressText } from "./address.ts";
import { AzureClient } from "./azure/client.ts";
import { AzureReader } from "./azure/reader.ts";
import { azureSettingsOf } from "./azure/settings.ts";
import { AzureWriter } from "./azure/writer.ts";
import type { ObjectReader, ObjectWriter } from "./contract.ts";
import type { FileChecksums } from "./files/file-etag.ts";
import { FileReader } from "./files/reader.ts";
import { FileWriter } from "./files/writer.ts";
import { S3Client } from "./s3/client.ts";
import { S3Reader } from "./s3/reader.ts";
import { s3SettingsOf } from "./s3/settings.ts";
import { S3Writer } from "./s3/writer.ts";

/** Opens a location for reading; a profile is one of `~/.aws/config` or `~/.azure/config`, null takes the environment. */
export async function openReader(
  address: ObjectAddress,
  profile: string | null,
  checksums: FileChecksums,
): Promise<ObjectReader> {
  if (address.kind === "files") return new FileReader(address.path, tmpdir(), checksums);
  if (address.kind === "manifest") {
    // A manifest is rare, and loads all that reads CSV.
    const { WebReader } = await import("./web/reader.ts");
    return new WebReader(address.path);
  }
  const name = objectAddressText(address);
  if (address.kind === "azure")
    return new AzureReader(name, address.prefix, await azureClient(address, profile));
  return new S3Reader(name, address.prefix, await s3Client(address, profile));
}

/** Opens a location for a run that writes to it. */
export async function openWriter(
  address: ObjectAddress,
  profile: string | null,
  { run, folder }: Pick<SinkContext, "run" | "folder">,
  checksums: FileChecksums,
): Promise<ObjectWriter> {
  if (address.kind === "files") return new FileWriter(address.path, { run, kept: folder }, checksums);
  if (address.kind === "manifest") {
    throw new PawlError(
      "copy.address",
      `${objectAddressText(address)} can only be read: copy to a folder, s3://bucket/prefix or az://account/container/prefix.`,
    );
  }
  const name = objectAddressText(address);
  if (address.kind === "azure")
    return new AzureWriter(name, address.prefix, await azureClient(address, profile), checksums.threads);
  return new S3Writer(name, address.prefix, await s3Client(address, profile), checksums.threads, folder);
}

async function s3Client({ bucket }: { readonly bucket: string }, profile: string | null): Promise<S3Client> {
  return await S3Client.open(bucket, await s3SettingsOf(profile));
}

async function azureClient(
  { account, container }: { readonly account: string; readonly container: string },
  profile: string | null,
): Promise<AzureClient> {
  return new AzureClient(container, await azureSettingsOf(account, profile));
}

/** Makes a value when it is first asked for, and only then. */
export function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | null = null;
  return () => {
    made ??= make();
    return made;
  };
}
