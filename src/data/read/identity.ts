import { randomUUID } from "node:crypto";
import { stat } from "node:fs/promises";
import { planHash } from "../plan/hash.ts";
import type { PlanNode } from "../plan/node.ts";
import { findDataFiles } from "./locations.ts";
import { RemoteBuckets } from "./remote-buckets.ts";

/**
 * A hash of a plan and of what is in its files at this moment: path, size, time and inode here, ETags in buckets. Equal hashes mean equal
 * rows. What does not tell whether it has changed, a table or an address of the web, makes a hash that is equal to no other, unless
 * `assumed` is given in its place.
 */
export async function planIdentity(
  plan: PlanNode,
  options: { readonly signal: AbortSignal; readonly assumed?: string },
): Promise<string> {
  await using buckets = new RemoteBuckets(null);
  const unknown = () => options.assumed ?? randomUUID();
  return await planHash(plan, async (leaf) => {
    if (leaf.kind !== "scan") return unknown();
    const files = await findDataFiles(leaf.locations, {
      cwd: process.cwd(),
      format: leaf.format,
      buckets,
      signal: options.signal,
    });
    const identities: string[] = [];
    for (const { name, place } of files) {
      if (place.kind === "local") {
        const { size, mtimeNs, ino, dev } = await stat(place.path, { bigint: true });
        identities.push(`${place.path}\0${size}\0${mtimeNs}\0${dev}\0${ino}`);
      } else if (place.kind === "bucket" && place.listed?.etag !== undefined)
        identities.push(`${name}\0${place.listed.size}\0${place.listed.etag}`);
      else identities.push(unknown());
    }
    return identities.join("\n");
  });
}

/** Whether a plan reads something that does not tell whether it has changed. */
export function isUntold(leaf: PlanNode): boolean {
  return (
    leaf.kind === "table" || (leaf.kind === "scan" && leaf.locations.some((each) => /^https?:/i.test(each)))
  );
}
