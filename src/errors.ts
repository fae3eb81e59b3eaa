import type { ErrorCode } from "./error-codes.ts";

export type { ErrorCode };

/**
 * An error that a person can act on. The message is one sentence: what was wrong, where, what to do. It never
 * contains a secret, and what shows it needs no stack. Every error that Pawl throws on purpose is one, but for `LostError`.
 *
 * @example
 * ```ts
 * try {
 *   await openStore("state.db");
 * } catch (error) {
 *   if (!(error instanceof PawlError)) throw error;
 *   console.error(`${error.code}: ${error.message}`);
 * }
 * ```
 */
export class PawlError extends Error {
  /** The name of the class. */
  override readonly name: string = "PawlError";
  /** Stable, for programs: such as `csv.unclosed-quote`. */
  readonly code: ErrorCode | (string & {});

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * Something outside failed that may work when tried again: a dropped connection, a full disk, a deadlock. A transform or a task
 * that throws it is run again after a pause.
 *
 * @example
 * ```ts
 * async function quote(symbol: string): Promise<string> {
 *   const response = await fetch(`https://quotes.example/${symbol}`);
 *   if (response.status >= 500) throw new TransientError(`The quotes answer ${response.status}`);
 *   return await response.text();
 * }
 * ```
 */
export class TransientError extends PawlError {
  /** The name of the class. */
  override readonly name = "TransientError";

  /** With a code for programs, or, for one's own handlers and transforms, with a message alone: the code is `transient` then. */
  constructor(code: string, message: string, options?: ErrorOptions);
  constructor(message: string, options?: ErrorOptions);
  constructor(first: string, second?: string | ErrorOptions, third?: ErrorOptions) {
    if (typeof second === "string") super(first, second, third);
    else super("transient", first, second);
  }
}

/**
 * One item is bad: it is quarantined with this message as the reason, and the work continues with the others. Its code is `item`,
 * or that of the options.
 *
 * @example
 * ```ts
 * function checked(row: Record<string, string | null>) {
 *   if (!row.email?.includes("@")) throw new ItemError("the email has no @", { code: "people.email" });
 *   return row;
 * }
 * ```
 */
export class ItemError extends PawlError {
  /** The name of the class. */
  override readonly name = "ItemError";

  constructor(reason: string, options?: ErrorOptions & { code?: string }) {
    super(options?.code ?? "item", reason, options);
  }
}

/**
 * The lease or the fence is no longer ours: another worker continues the work, and this one must stop quietly. It has no code.
 *
 * @example
 * ```ts
 * const isOver = (error: unknown) => error instanceof LostError;
 * ```
 */
export class LostError extends Error {
  /** The name of the class. */
  override readonly name = "LostError";
}
