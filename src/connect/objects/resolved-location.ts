import { isDeepStrictEqual } from "node:util";
import { type ObjectAddress, objectAddressText } from "./address.ts";
import { azureSettingsOf } from "./azure/settings.ts";
import { type FolderLocation, folderDifference, folderLocation } from "./files/folder-location.ts";
import { s3SettingsOf } from "./s3/settings.ts";

/**
 * Where an address really leads: what a location is, whatever names lead there. A run is continued only where it began. It holds no
 * keys: those may be others from one day to the next.
 */
export type ResolvedLocation =
  | ({ readonly kind: "files" } & FolderLocation)
  | {
      readonly kind: "s3" | "azure";
      /** Who keeps it: a host, or the name of a provider. */
      readonly at: string;
      /** The bucket, or the account and the container. */
      readonly bucket: string;
      readonly prefix: string;
    }
  /** A manifest, whose content tells. */
  | { readonly kind: "manifest"; readonly path: string };

/** Where an address leads now. */
export async function resolveLocation(
  address: ObjectAddress,
  profile: string | null,
): Promise<ResolvedLocation> {
  const { kind } = address;
  if (kind === "manifest") return { kind, path: address.path };
  if (kind === "files") return { kind, ...(await folderLocation(address.path)) };
  if (kind === "s3") {
    const { endpoint } = await s3SettingsOf(profile);
    return { kind, at: providerOf(endpoint), bucket: address.bucket, prefix: address.prefix };
  }
  const { account, container, prefix } = address;
  const { endpoint } = await azureSettingsOf(account, profile);
  return { kind, at: serviceOf(endpoint, account), bucket: `${account}/${container}`, prefix };
}

/** What differs between where an address has led and where it leads now, in half a sentence; null when nothing that matters does. */
export function addressDifference(
  address: ObjectAddress,
  was: ResolvedLocation,
  now: ResolvedLocation,
): string | null {
  const name = objectAddressText(address);
  if (was.kind === "files" && now.kind === "files") return folderDifference(name, was, now);
  if (isDeepStrictEqual(was, now)) return null;
  if (was.kind === now.kind && "at" in was && "at" in now && was.at !== now.at)
    return `${name} is at ${now.at} now, and was at ${was.at}`;
  return `${name} is another location than ${nameOf(was)}`;
}

function nameOf(location: ResolvedLocation): string {
  if (!("bucket" in location)) return location.path;
  const { kind, bucket, prefix } = location;
  return `${kind === "s3" ? "s3" : "az"}://${bucket}/${prefix}`.replace(/\/$/, "");
}

/** At AWS a bucket is the same in all regions of a partition. */
function providerOf(endpoint: URL): string {
  const aws = /(?:^|\.)amazonaws\.com(\.cn)?\.?$/.exec(endpoint.hostname);
  if (aws === null) return hostOf(endpoint);
  if (aws[1] !== undefined) return "AWS in China";
  return endpoint.hostname.includes(".us-gov-") ? "AWS GovCloud" : "AWS";
}

/** The name of an account leads to one service, also over a private link. */
function serviceOf(endpoint: URL, account: string): string {
  const [, suffix] = /^[^.]+(?:\.privatelink)?\.(blob\.core\.[a-z.]+)$/.exec(endpoint.hostname) ?? [];
  return suffix !== undefined && endpoint.hostname.startsWith(`${account}.`)
    ? `${account}.${suffix}`
    : hostOf(endpoint);
}

/** One spelling of a host with its port and path. One that is reached with TLS from some day on is the same. */
function hostOf({ hostname, port, pathname, protocol }: URL): string {
  const bare = hostname.replace(/\.$/, "");
  const number = port === (protocol === "http:" ? "80" : "443") ? "" : port;
  return `${LOCAL.has(bare) ? "localhost" : bare}${number === "" ? "" : `:${number}`}${pathname.replace(/\/+$/, "")}`;
}

/** As a URL writes the names of this machine. */
const LOCAL = new Set(["localhost", "127.0.0.1", "0.0.0.0", "[::1]", "[::]", "[::ffff:7f00:1]"]);
