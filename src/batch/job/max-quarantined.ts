import { PawlError } from "../../errors.ts";
import type { AnyJob } from "./job.ts";

/** How many items may be quarantined before a run stops. */
export type MaxQuarantined = { readonly count: number } | { readonly share: number; readonly text: string };

/** A share says little about a handful of items; below this many it is not judged while the total is unknown. */
const JUDGE_SHARE_FROM = 1_000;

/** How many items of a job may be quarantined. Throws the PawlError `job.max-quarantined` for anything but `1000` or `1%`. */
export function maxQuarantinedOf({ maxQuarantined = 1_000 }: AnyJob): MaxQuarantined {
  const text = String(maxQuarantined).trim();
  const share = /^(\d+(?:\.\d+)?)%$/.exec(text);
  if (share && Number(share[1]) <= 100) return { share: Number(share[1]) / 100, text };
  if (/^\d+$/.test(text)) return { count: Number(text) };
  throw new PawlError(
    "job.max-quarantined",
    `maxQuarantined takes a number of items or a share, such as 1000 or "1%", not "${text}".`,
  );
}

/** The sentence that stops the run, or null while the quarantined items are within the bound. */
export function tooManyQuarantined(
  bound: MaxQuarantined,
  quarantined: number,
  read: number,
  total: number | null,
  unit: string,
): string | null {
  const isShare = "share" in bound;
  if (isShare && total === null && read < JUDGE_SHARE_FROM) return null;
  if (quarantined <= (isShare ? bound.share * (total ?? read) : bound.count)) return null;
  return `${quarantined} ${unit} are quarantined, more than the ${isShare ? bound.text : bound.count} that \`maxQuarantined\` allows`;
}
