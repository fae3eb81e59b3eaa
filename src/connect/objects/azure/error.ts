import type { IncomingHttpHeaders } from "node:http";
import { PawlError } from "../../../errors.ts";
import { own } from "../../../own.ts";
import { retryAfterMs } from "../../../retry-after.ts";
import { textOf } from "../buckets/xml.ts";
import { ResponseError } from "../http/response-error.ts";

const BY_STATUS: Readonly<Record<number, string>> = {
  400: "BadRequest",
  403: "AuthenticationFailed",
  404: "BlobNotFound",
  409: "Conflict",
  412: "ConditionNotMet",
  429: "TooManyRequests",
  500: "InternalError",
  503: "ServerBusy",
};

/** Codes that tell of the whole place and not of one object: only a person can help. */
const FATAL: Readonly<Record<string, string>> = {
  ContainerNotFound: "there is no such container",
  ContainerDisabled: "the container is disabled",
  ContainerBeingDeleted: "the container is being deleted",
  InvalidResourceName: "that is not a name for a container",
  ResourceNotFound: "there is no such account or container",
  AccountIsDisabled: "the account is disabled",
  AuthenticationFailed: "the key or SAS token is not valid there, or has expired",
  InvalidAuthenticationInfo: "the key or SAS token is not valid there",
  NoAuthenticationInformation: "it wants a key or SAS token",
  AuthorizationFailure: "the account does not let this machine or user in",
  AuthorizationPermissionMismatch: "the SAS token or user may not do what is needed",
  AuthorizationProtocolMismatch: "the SAS token is for another protocol",
  AuthorizationResourceTypeMismatch: "the SAS token is for other kinds of resources",
  AuthorizationServiceMismatch: "the SAS token is for another service",
  AuthorizationSourceIPMismatch: "the SAS token is for other addresses",
};

/** What an error says may be long, and quote what was sent. */
const LONGEST_MESSAGE = 300;

/** The error that an answer is. `lasting` says that a refused signature cannot be the fault of one object. */
export function azureErrorOf(
  place: string,
  answer: { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: Buffer },
  lasting: boolean,
): ResponseError {
  const text = answer.body.toString("utf8");
  const header = answer.headers["x-ms-error-code"];
  const code =
    (typeof header === "string" ? header : null) ??
    textOf(text, "Code") ??
    BY_STATUS[answer.status] ??
    `HTTP ${answer.status}`;
  const meaning = code === "AuthenticationFailed" && !lasting ? undefined : own(FATAL, code);
  const [message = ""] = (textOf(text, "Message") ?? "").split("\n", 1);
  return new ResponseError({
    status: answer.status,
    code,
    server: place,
    message: withoutSignature(message).slice(0, LONGEST_MESSAGE),
    retryAfterMs: retryAfterMs(answer.headers["retry-after"]),
    fatal:
      meaning === undefined
        ? null
        : new PawlError(
            "azure.refused",
            `${place} cannot be used: ${meaning} (${code}). Check the name, the credentials and the endpoint.`,
          ),
  });
}

function withoutSignature(text: string): string {
  return text.replace(/\bsig=[^&\s'"]*/gi, "sig=…");
}

/** Whoever takes bytes without saying what came of them, such as a proxy that wants to be logged in to, may have kept none. */
export function noProof(what: string, header: string): PawlError {
  return new PawlError(
    "azure.no-tag",
    `${what} was answered without ${header}, which Azure Blob always gives: check the endpoint and what is between here and there.`,
  );
}
