import type { Json } from "../store/contract.ts";

/** How an attempt ended, as plain data: it may come from a child. */
export type Verdict =
  | { readonly kind: "done"; readonly result: Json | undefined }
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
