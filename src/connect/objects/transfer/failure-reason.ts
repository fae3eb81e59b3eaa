import type { Failure } from "../../../batch/contract.ts";
import { ItemError, PawlError, TransientError } from "../../../errors.ts";
import { isSignatureRefused } from "../bucket-service/errors.ts";
import type { ObjectReader, ObjectWriter } from "../contract.ts";
import { isTransientFailure, ResponseError } from "../http/response-error.ts";

type Reason = Omit<Failure, "index">;

const BY_STATUS: Readonly<Record<number, string>> = {
  401: "access is denied",
  403: "access is denied",
  404: "it is not there",
  410: "it is gone for good",
  412: "it was changed while it was read",
};

/**
 * Why one object failed after all tries; throws where not the object but a place is at fault: then trying the object again
 * later, or a person, helps.
 */
export async function reasonFor(error: unknown, reader: ObjectReader, writer: ObjectWriter): Promise<Reason> {
  if (error instanceof ItemError) return { reason: error.message, code: error.code };
  if (error instanceof ResponseError && error.fatal !== null) throw error.fatal;
  if (!isTransientFailure(error)) {
    if (error instanceof ResponseError) return said(error);
    throw error;
  }
  // A full disk, a broken one: it would be the same for all the others.
  if (error instanceof TransientError && error.code === "copy.file") throw error;
  try {
    await reader.check();
    await writer.prepare(true);
  } catch (cause) {
    if (cause instanceof PawlError && !(cause instanceof TransientError)) throw cause;
    throw error instanceof ResponseError
      ? new TransientError("copy.unavailable", `${error.server} answers ${error.code}`, { cause })
      : error;
  }
  return error instanceof ResponseError
    ? said(error)
    : { reason: (error as TransientError).message, code: (error as TransientError).code };
}

function said(error: ResponseError): Reason {
  const { status, code, server, message } = error;
  if (isSignatureRefused(error))
    return {
      reason: `its signature is refused by ${server}, which accepts others: something between here and there changes its name or its headers`,
      code: `copy.${status}`,
    };
  const meaning = BY_STATUS[status];
  const detail = message === "" || message === code ? "" : `: ${message}`;
  return {
    reason:
      meaning === undefined ? `${server} answers ${code}${detail}` : `${meaning} (${code} from ${server})`,
    code: `copy.${status}`,
  };
}
