import { isDeepStrictEqual } from "node:util";
import { PawlError } from "../../errors.ts";
import { type ObjectAddress, objectAddressText } from "./address.ts";
import { azureSettingsOf } from "./azure/settings.ts";
import { type FolderLocation, folderDifference, folderLocation, realPath } from "./files/folder-location.ts";
import { s3SettingsOf } from "./s3/settings.ts";

/** What a place is, whatever names lead there. It holds no keys: those may be others from one day to the next. */
export type Location =
  | ({ readonly kind: "files" } & FolderLocation)
  | {
      readonly kind: "s3" | "azure";
      /** Who keeps it: a host, or the name of a provider. */
      readonly at: string;
      /** The bucket, or the account and the container. */
      readonly bucket: string;
      readonly prefix: string;
    }
  /** A list, whose content tells. */
  | { readonly kind: "manifest"; readonly path: string };

/** Where an address leads now. */
export async function locationOf(address: ObjectAddress, profile: string | null): Promise<Location> {
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
export function locationDifference(address: ObjectAddress, was: Location, now: Location): string | null {
  const name = objectAddressText(address);
  if (was.kind === "files" && now.kind === "files") return folderDifference(name, was, now);
  if (isDeepStrictEqual(was, now)) return null;
  if (was.kind === now.kind && "at" in was && "at" in now && was.at !== now.at)
    return `${name} is at ${now.at} now, and was at ${was.at}`;
  return `${name} is another place than ${nameOf(was)}`;
}

function nameOf(location: Location): string {
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

interface Profiles {
  readonly fromProfile?: string;
  readonly toProfile?: string;
}

/** By their names alone: a copy that finds what it writes would never end. */
export function assertNamedApart(
  from: ObjectAddress,
  to: ObjectAddress,
  { fromProfile, toProfile }: Profiles,
): void {
  if (from.kind === "s3" && to.kind === "s3" && fromProfile === toProfile) assertApart(from, to);
  if (from.kind === "azure" && to.kind === "azure" && fromProfile === toProfile) assertApart(from, to);
  if (from.kind === "files" && to.kind === "files") assertApart(from, to);
}

/** What another name may hide: a link that leads there, or a second profile of the same provider. */
export async function assertReallyApart(
  from: ObjectAddress,
  to: ObjectAddress,
  { fromProfile, toProfile }: Profiles,
): Promise<void> {
  if (from.kind === "files" && to.kind === "files")
    assertApart(from, to, await realPath(from.path), await realPath(to.path));
  if (fromProfile === toProfile) return;
  const isOne =
    (from.kind === "s3" && to.kind === "s3" && from.bucket === to.bucket) ||
    (from.kind === "azure" && to.kind === "azure" && from.account === to.account);
  if (!isOne) return;
  const [a, b] = [await locationOf(from, fromProfile ?? null), await locationOf(to, toProfile ?? null)];
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
