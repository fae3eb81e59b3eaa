import { realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { PawlError } from "../../errors.ts";
import { type Address, addressName } from "./address.ts";
import { azureSettingsOf } from "./azure/settings.ts";
import { settingsOf } from "./s3/settings.ts";

interface Profiles {
  readonly fromProfile?: string;
  readonly toProfile?: string;
}

/** By their names alone: a copy that finds what it writes would never end. */
export function assertNamedApart(from: Address, to: Address, { fromProfile, toProfile }: Profiles): void {
  if (from.kind === "s3" && to.kind === "s3" && fromProfile === toProfile) assertApart(from, to);
  if (from.kind === "azure" && to.kind === "azure" && fromProfile === toProfile) assertApart(from, to);
  if (from.kind === "files" && to.kind === "files") assertApart(from, to);
}

/** What another name may hide: a link that leads there, or a second profile of the same provider. */
export async function assertReallyApart(
  from: Address,
  to: Address,
  { fromProfile, toProfile }: Profiles,
): Promise<void> {
  if (from.kind === "files" && to.kind === "files") {
    const [a, b] = [await real(from.path), await real(to.path)];
    assertApart(from, to, a, b);
  }
  if (from.kind === "s3" && to.kind === "s3" && from.bucket === to.bucket && fromProfile !== toProfile) {
    const [a, b] = [await providerOf(fromProfile), await providerOf(toProfile)];
    if (a === b) assertApart(from, to);
  }
  if (
    from.kind === "azure" &&
    to.kind === "azure" &&
    from.account === to.account &&
    fromProfile !== toProfile
  ) {
    const of = async (profile: string | undefined) =>
      (await azureSettingsOf(from.account, profile ?? null)).endpoint.href;
    if ((await of(fromProfile)) === (await of(toProfile))) assertApart(from, to);
  }
}

function assertApart(from: Address, to: Address, a = addressName(from), b = addressName(to)): void {
  const [one, other] = [a, b].map((name) => `${name.replace(/\/$/, "")}/`) as [string, string];
  if (!one.startsWith(other) && !other.startsWith(one)) return;
  throw new PawlError(
    "copy.within",
    `${addressName(from)} and ${addressName(to)} lie in one another: copy to a place outside of it.`,
  );
}

/** Where a path leads to, however much of it is there. */
async function real(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(await real(parent), basename(path));
  }
}

/** At AWS a bucket is the same in all regions. */
async function providerOf(profile: string | undefined): Promise<string> {
  const { endpoint } = await settingsOf(profile ?? null);
  return /(^|\.)amazonaws\.com(\.cn)?$/.test(endpoint.hostname) ? "aws" : endpoint.href;
}
