import { PawlError } from "../../errors.ts";

/** How many items may be quarantined before a run stops. */
export type MaxBad = { readonly count: number } | { readonly share: number; readonly text: string };

/** A share says little about a handful of items; below this many it is not judged while the total is unknown. */
const JUDGE_SHARE_FROM = 1000;

/** Parses `1000`, `0` or `1%`. Throws a PawlError on anything else. */
export function parseMaxBad(value: number | string): MaxBad {
  const text = String(value).trim();
  const share = /^(\d+(?:\.\d+)?)%$/.exec(text);
  if (share && Number(share[1]) <= 100) return { share: Number(share[1]) / 100, text };
  if (/^\d+$/.test(text)) return { count: Number(text) };
  throw new PawlError(
    "job.max-bad",
    `--max-bad takes a number of rows or a share, such as 1000 or 1%, not "${text}".`,
  );
}

/** The sentence that stops the run, or null while the quarantined items are within the bound. */
export function exceeds(
  bound: MaxBad,
  quarantined: number,
  read: number,
  total: number | null,
  unit: string,
): string | null {
  if ("count" in bound) {
    if (quarantined <= bound.count) return null;
    return `${quarantined} ${unit} are quarantined, more than the ${bound.count} that max-bad allows`;
  }
  if (total === null && read < JUDGE_SHARE_FROM) return null;
  if (quarantined <= bound.share * (total ?? read)) return null;
  return `${quarantined} ${unit} are quarantined, more than the ${bound.text} that max-bad allows`;
}
