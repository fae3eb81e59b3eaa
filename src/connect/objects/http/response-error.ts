import { PawlError, TransientError } from "../../../errors.ts";
import { isTransientStatus } from "../../../transient-errors.ts";

/** Codes of S3 and Azure Blob after which the same request may succeed, whatever the status. */
const TRANSIENT_CODES = new Set([
  "RequestTimeout",
  "SlowDown",
  "InternalError",
  "ServiceUnavailable",
  "OperationAborted",
  // The bytes that arrived were not those that were sent.
  "BadDigest",
  "Md5Mismatch",
  "IncompleteBody",
  "XAmzContentChecksumMismatch",
  "XAmzContentSHA256Mismatch",
]);

/** A response of a server that is not a success. */
export class ResponseError extends Error {
  override readonly name = "ResponseError";
  readonly status: number;
  /** Such as `NoSuchKey`; of a response without a body what its status means. */
  readonly code: string;
  /** The server, for people. */
  readonly server: string;
  /** How long the server asked not to be asked again, in milliseconds; null when it did not. */
  readonly retryAfterMs: number | null;
  /** Where the error concerns the whole bucket and not one object: what a person has to do. */
  readonly fatal: PawlError | null;

  constructor(response: {
    readonly status: number;
    readonly code: string;
    readonly message: string;
    readonly server: string;
    readonly retryAfterMs?: number | null;
    readonly fatal?: PawlError | null;
  }) {
    super(response.message);
    this.status = response.status;
    this.code = response.code;
    this.server = response.server;
    this.retryAfterMs = response.retryAfterMs ?? null;
    this.fatal = response.fatal ?? null;
  }

  get isTransient(): boolean {
    return isTransientStatus(this.status) || TRANSIENT_CODES.has(this.code);
  }
}

/** Whether the same request may succeed when it is sent again. */
export function isTransientFailure(error: unknown): boolean {
  return error instanceof ResponseError ? error.isTransient : error instanceof TransientError;
}

/** Of a response that concerns a whole bucket: the error with a sentence for people. Any other error is returned as it is. */
export function explainResponse(error: unknown): unknown {
  if (!(error instanceof ResponseError)) return error;
  if (error.fatal !== null) return error.fatal;
  const sentence = `${error.server} answers ${error.code}${error.message === "" ? "" : ` (${error.message})`}`;
  return error.isTransient
    ? new TransientError("copy.unavailable", sentence, { cause: error })
    : new PawlError("copy.refused", `${sentence}: check the permissions there.`, { cause: error });
}
