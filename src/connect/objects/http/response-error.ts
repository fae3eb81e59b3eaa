import { PawlError, TransientError } from "../../../errors.ts";

/** What a server answered in place of what it was asked for. */
export class ResponseError extends Error {
  override readonly name = "AnswerError";
  readonly status: number;
  /** Such as `NoSuchKey`; of an answer without a body what its status means. */
  readonly code: string;
  /** Who answered, for people. */
  readonly place: string;
  /** How long the server asked to be left alone, in milliseconds; null when it did not. */
  readonly retryAfterMs: number | null;
  /** Where it speaks of the whole place and not of one object: what a person has to do. */
  readonly fatal: PawlError | null;

  constructor(answer: {
    readonly status: number;
    readonly code: string;
    readonly message: string;
    readonly place: string;
    readonly retryAfterMs?: number | null;
    readonly fatal?: PawlError | null;
  }) {
    super(answer.message);
    this.status = answer.status;
    this.code = answer.code;
    this.place = answer.place;
    this.retryAfterMs = answer.retryAfterMs ?? null;
    this.fatal = answer.fatal ?? null;
  }
}

/** What an answer about a whole place means for the work. */
export function explainResponse(error: unknown): unknown {
  if (!(error instanceof ResponseError)) return error;
  if (error.fatal !== null) return error.fatal;
  const sentence = `${error.place} answers ${error.code}${error.message === "" ? "" : ` (${error.message})`}`;
  const passes = error.status === 429 || error.status >= 500;
  return passes
    ? new TransientError("copy.unavailable", sentence, { cause: error })
    : new PawlError("copy.refused", `${sentence}: check what the user may do there.`, { cause: error });
}
