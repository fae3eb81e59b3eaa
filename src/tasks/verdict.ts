import type { MembersAt } from "./flow/spec.ts";

/** How an attempt ended, as plain data: it may come from a child. */
export type Verdict =
  /** `result`: its JSON as it was taken in the moment of the return. `members`: where members of a group stand in it. */
  | { readonly kind: "done"; readonly result: string; readonly members?: readonly MembersAt[] }
  /** `delayMs`: null where the backoff decides. */
  | {
      readonly kind: "failed";
      readonly error: string;
      readonly again: boolean;
      readonly delayMs: number | null;
    }
  /** Handed back without blame. */
  | { readonly kind: "snoozed"; readonly delayMs: number | null }
  /** It stopped as its signal had asked: whoever aborted it knows what that means. */
  | { readonly kind: "stopped" };
