import type { ErrorCode } from "./error-codes.ts";

export type { ErrorCode };

/**
 * An error that a person can act on. The message is one sentence: what was wrong, where, what to do. It never
 * contains a secret, and a face of Pawl prints it without a stack.
 */
export class PawlError extends Error {
  override readonly name: string = "PawlError";
  /** Stable, for programs: such as `csv.unclosed-quote`. */
  readonly code: ErrorCode | (string & {});

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Something outside failed that may work when tried again: a dropped connection, a full disk, a deadlock. */
export class TransientError extends PawlError {
  override readonly name = "TransientError";

  /** With a code for programs, or, for one's own handlers and transforms, with a message alone: the code is `transient` then. */
  constructor(code: string, message: string, options?: ErrorOptions);
  constructor(message: string, options?: ErrorOptions);
  constructor(first: string, second?: string | ErrorOptions, third?: ErrorOptions) {
    if (typeof second === "string") super(first, second, third);
    else super("transient", first, second);
  }
}

/** One item is bad: it goes to quarantine with this message as the reason, and the work goes on. */
export class ItemError extends PawlError {
  override readonly name = "ItemError";

  constructor(reason: string, options?: ErrorOptions & { code?: string }) {
    super(options?.code ?? "item", reason, options);
  }
}

/** The lease or the fence is no longer ours: another worker goes on, and this one must stop quietly. */
export class LostError extends Error {
  override readonly name = "LostError";
}
