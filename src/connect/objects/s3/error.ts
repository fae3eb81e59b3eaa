import type { IncomingMessage } from "node:http";
import { PawlError } from "../../../errors.ts";
import { own } from "../../../own.ts";
import { retryAfterMs } from "../../../retry-after.ts";
import { rootOf, textOf } from "../buckets/xml.ts";
import { ResponseError } from "../http/response-error.ts";

const BY_STATUS: Readonly<Record<number, string>> = {
  301: "PermanentRedirect",
  400: "BadRequest",
  403: "AccessDenied",
  404: "NoSuchKey",
  412: "PreconditionFailed",
  429: "TooManyRequests",
  500: "InternalError",
  503: "SlowDown",
};

/** Codes that tell of the whole place and not of one object: only a person can help. */
const FATAL: Readonly<Record<string, string>> = {
  NoSuchBucket: "there is no such bucket",
  InvalidBucketName: "that is no name for a bucket",
  InvalidAccessKeyId: "the access key is not known there",
  SignatureDoesNotMatch: "the secret key is not the one of the access key",
  ExpiredToken: "the session token has expired",
  InvalidToken: "the session token is not valid",
  AuthorizationHeaderMalformed: "the region is another one",
  PermanentRedirect: "the bucket is in another region or behind another endpoint",
  RequestTimeTooSkewed: "the clock of this machine is wrong",
  AllAccessDisabled: "all access to it is disabled",
  AccountProblem: "there is a problem with the account",
};

/**
 * The error that an answer is, by its status and what its body says. `hasTaken` says whether the place has taken a signature of
 * these keys before.
 */
export function errorOf(
  place: string,
  {
    status,
    headers,
    body,
  }: {
    readonly status: number;
    readonly headers: IncomingMessage["headers"];
    readonly body: Buffer;
  },
  hasTaken = true,
): ResponseError {
  const text = body.toString("utf8");
  const code = textOf(text, "Code") ?? BY_STATUS[status] ?? `HTTP ${status}`;
  // The keys are right where others were taken: then something of this one request was changed on its way.
  const meaning = hasTaken && code === "SignatureDoesNotMatch" ? undefined : own(FATAL, code);
  return new ResponseError({
    status,
    code,
    server: place,
    message: textOf(text, "Message") ?? "",
    retryAfterMs: retryAfterMs(headers["retry-after"]),
    fatal:
      meaning === undefined
        ? null
        : new PawlError(
            "s3.refused",
            `${place} cannot be used: ${meaning} (${code}). Check the name, the profile and the endpoint.`,
          ),
  });
}

/** The error that an answer carries although its status says that all is well; null where all is. */
export function hiddenError(place: string, body: Buffer): ResponseError | null {
  return rootOf(body.toString("utf8")).name === "Error"
    ? errorOf(place, { status: 500, headers: {}, body })
    : null;
}

/** Whoever takes bytes without saying what came of them, such as a proxy that wants to be logged in to, may have kept none. */
export function noTag(what: string): PawlError {
  return new PawlError(
    "s3.no-tag",
    `${what} was answered without an ETag, which S3 always gives: check the endpoint and what is between here and there.`,
  );
}
