import { PawlError } from "../../errors.ts";
import { type ObjectAddress, objectAddressText } from "./address.ts";
import { realPath } from "./files/folder-location.ts";
import { locationOf } from "./location.ts";

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
    `${objectAddressText(from)} and ${objectAddressText(to)} lie in one another: copy to a place outside of it.`,
  );
}
